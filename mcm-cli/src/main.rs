//! `mcm`: looks at media proxies and streams, and measures, from the command line.

mod analyze;
mod arguments;
mod bench;
mod delete;
mod error;
mod fleet;
mod graph;
mod info;
mod list;
mod mesh;
mod output;
mod progress;
mod proxy;
mod sdp;
mod server;
mod st2110;
mod stream;
mod table;
mod top;

use arguments::{Arguments, Command};
use clap::{CommandFactory, Parser};
use error::CliError;
use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::logger::start_for_tool();
    // `mcm bench` starts this program anew for each receiver.
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(code) = benches::receiver_process(&arguments) {
        return code;
    }
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody is left to be told.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        // What is wrong is the output.
        Err(error @ CliError::Flawed) => ExitCode::from(error.status()),
        Err(error) => {
            eprintln!("mcm: {error}");
            ExitCode::from(error.status())
        }
    }
}

fn run(arguments: Arguments) -> Result<(), CliError> {
    match arguments.command {
        None => output::print(&Arguments::command().render_help().to_string()),
        Some(Command::Analyze(options)) => analyze::run(&options),
        Some(Command::Bench(options)) => bench::run(options),
        Some(Command::Delete(options)) => delete::run(options),
        Some(Command::Graph(options)) => graph::run(&options),
        Some(Command::Info(options)) => info::run(&options),
        Some(Command::List(options)) => list::run(&options),
        Some(Command::Sdp(options)) => sdp::run(options),
        Some(Command::St2110(options)) => st2110::run(&options),
        Some(Command::Top(options)) => top::run(&options),
    }
}
