//! `mcm`: looks at media proxies and streams, and measures, from the command line.

mod analyze;
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
mod view;

use error::CliError;
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;
use std::process::ExitCode;

const USAGE: &str = "\
usage: mcm COMMAND [OPTIONS]

commands:
  list     print the groups of a media proxy, or of a fleet
  top      show them as they change
  graph    draw which host sends what to which
  info     print version, ports and clock of a media proxy
  delete   end connections
  bench    measure how fast frames are exchanged
  sdp      check a session description, or print that of a stream
  analyze  judge an ST 2110 stream on the wire
  st2110   send and receive ST 2110 streams from and to files

mcm COMMAND -h tells the options of a command.
";

fn main() -> ExitCode {
    // `mcm bench` starts this program anew for each receiver.
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(code) = benches::receiver_process(&arguments) {
        return code;
    }
    match run(lexopt::Parser::from_env()) {
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

fn run(mut arguments: lexopt::Parser) -> Result<(), CliError> {
    match arguments.next()? {
        None | Some(Short('h') | Long("help")) => output::print(USAGE),
        Some(Short('V') | Long("version")) => {
            output::print(concat!("mcm ", env!("CARGO_PKG_VERSION"), "\n"))
        }
        Some(Value(command)) => match command.string()?.as_str() {
            "analyze" => analyze::run(arguments),
            "bench" => bench::run(arguments),
            "delete" => delete::run(arguments),
            "graph" => graph::run(arguments),
            "info" => info::run(arguments),
            "list" => list::run(arguments),
            "sdp" => sdp::run(arguments),
            "st2110" => st2110::run(arguments),
            "top" => top::run(arguments),
            other => Err(CliError::Option {
                option: "COMMAND",
                found: other.to_owned(),
                allowed: "list, top, graph, info, delete, bench, sdp, analyze or st2110",
            }),
        },
        Some(other) => Err(other.unexpected().into()),
    }
}
