//! `mcm st2110`: streams from and to files, without a media proxy.

mod account;
mod framing;
mod receive;
mod send;

use crate::arguments::{one_of, seconds};
use crate::error::CliError;
use crate::stream::{Interfaces, Wishes};
use clap::{Args, ValueEnum, ValueHint};
use config::{IncompleteFrames, St2110};
use st2110_net::engine::{Engine, EngineOptions};
use st2110_net::socket::Warning;
use std::time::Duration;

/// Send and receive ST 2110 streams from and to files, without a media proxy
#[derive(Debug, Args)]
#[command(after_help = "\
The file has the frames one after the other, as buffers of the mesh hold them: raw pixels, or audio. \
Ancillary data and JPEG XS have their length before each frame: four bytes, big endian.

What is received begins with a whole frame. Frames with gaps are named on standard error, by their number in \
the file from 0 on. While nothing comes, recv says after 2 s what it waits for; on a terminal it shows how \
far it is.")]
pub(crate) struct Options {
    /// Send what is in FILE, or write what is received to it
    direction: Direction,
    /// A file with the configuration of a connection (JSON), or with its session description (SDP)
    #[arg(value_hint = ValueHint::FilePath)]
    stream: String,
    /// The frames; - is standard input or output
    #[arg(value_hint = ValueHint::FilePath)]
    file: String,
    #[command(flatten)]
    interfaces: Interfaces,
    /// End after so many frames (of audio: packet times)
    #[arg(short = 'n', long, value_name = "N")]
    frames: Option<u64>,
    /// recv: end after so long, with status 1 if --frames did not come
    #[arg(short = 't', long, value_name = "N", value_parser = seconds(86_400))]
    seconds: Option<Duration>,
    /// recv: what becomes of frames with gaps [default: as STREAM says, or deliver]
    #[arg(long, value_name = "WHAT")]
    #[arg(value_parser = one_of(IncompleteFrames::ALL, IncompleteFrames::name))]
    incomplete: Option<IncompleteFrames>,
    /// Ancillary data that ride with video (connection.st2110.ancillary): the block of each frame,
    /// with its length before it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ancillary: Option<String>,
    /// send: begin anew at the end of the file
    #[arg(long = "loop")]
    again: bool,
    #[command(flatten)]
    wishes: Wishes,
}

/// Where frames go.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Direction {
    Send,
    Recv,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<(), CliError> {
    options.interfaces.check()?;
    if options.ancillary.as_deref() == Some("-") && options.file == "-" {
        let (option, found) = ("--ancillary", "-".to_owned());
        let allowed = "another file than FILE, which is - already";
        return Err(CliError::Option { option, found, allowed });
    }
    match (options.direction, options.incomplete) {
        (Direction::Send, Some(incomplete)) => Err(CliError::Option {
            option: "--incomplete",
            found: incomplete.to_string(),
            allowed: "nothing with send: it tells what becomes of received frames",
        }),
        (Direction::Send, None) => send::run(options),
        (Direction::Recv, _) => receive::run(options),
    }
}

/// The file of the associated ancillary stream, if there is one.
fn ancillary<'a>(stream: &St2110, options: &'a Options) -> Result<Option<&'a str>, CliError> {
    let file = options.ancillary.as_deref();
    match (stream.ancillary, file) {
        (Some(_), None) => Err(CliError::Stream(
            "connection.st2110.ancillary: these data need a file of their own: --ancillary FILE"
                .into(),
        )),
        (None, Some(file)) => Err(CliError::Stream(format!(
            "--ancillary {file}: STREAM has no connection.st2110.ancillary"
        ))),
        _ => Ok(file),
    }
}

fn engine() -> Engine {
    Engine::new(EngineOptions { threads: 1, ..EngineOptions::default() })
}

fn warn(warnings: &[Warning]) {
    for warning in warnings {
        eprintln!("mcm: warning: {warning}");
    }
}
