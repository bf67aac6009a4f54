//! `mcm st2110`: streams from and to files, without a media proxy.

mod framing;
mod receive;
mod send;

use crate::analyze::seconds;
use crate::error::CliError;
use crate::output::print;
use crate::stream::Wishes;
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;
use st2110_net::engine::{Engine, EngineOptions};
use st2110_net::socket::{Interface, Warning};
use std::time::Duration;

const USAGE: &str = "\
usage: mcm st2110 send [OPTIONS] STREAM FILE
       mcm st2110 recv [OPTIONS] STREAM FILE

Sends what is in a file as an ST 2110 stream, or writes a stream that is received to a file. No media proxy is needed.
The file has the frames one after the other, as buffers of the mesh hold them: raw pixels, or audio. Ancillary data have their length
before each frame: four bytes, big endian.

  -i, --interface NAME       address of this host, or kernel:NAME
  -n, --frames N             end after so many frames (of audio: packet times)
  -t, --seconds N            recv: end after so long, with status 1 if --frames did not come
      --loop                 send: begin anew at the end of the file
      --fps RATE             where the session description does not tell it
      --pixel-format FORMAT  in the file, where STREAM is a session description
  STREAM                     a file with the configuration of a connection (JSON), or with its session description (SDP)
  FILE                       - is standard input or output
";

/// What the command line says.
pub(crate) struct Options {
    interface: Interface,
    frames: Option<u64>,
    seconds: Option<Duration>,
    again: bool,
    wishes: Wishes,
    stream: String,
    file: String,
}

/// Runs the command.
pub(crate) fn run(mut arguments: lexopt::Parser) -> Result<(), CliError> {
    let mut options = Options {
        interface: Interface::Any,
        frames: None,
        seconds: None,
        again: false,
        wishes: Wishes::default(),
        stream: String::new(),
        file: String::new(),
    };
    let mut words = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return print(USAGE),
            Short('i') | Long("interface") => options.interface = arguments.value()?.parse()?,
            Short('n') | Long("frames") => options.frames = Some(arguments.value()?.parse()?),
            Short('t') | Long("seconds") => {
                options.seconds = Some(seconds(&arguments.value()?.string()?)?);
            }
            Long("loop") => options.again = true,
            Long("fps") => options.wishes.rate = Some(arguments.value()?.parse()?),
            Long("pixel-format") => {
                let found = arguments.value()?.string()?;
                let format = media::PixelFormat::from_name(&found);
                options.wishes.pixel_format = Some(format.ok_or(CliError::Option {
                    option: "--pixel-format",
                    found,
                    allowed: "a pixel format of the mesh, such as yuv422p10le, uyvy422 or v210",
                })?);
            }
            Value(word) if words.len() < 3 => words.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let [direction, stream, file] = <[String; 3]>::try_from(words)
        .map_err(|_| lexopt::Error::from("send or recv, STREAM and FILE are needed"))?;
    (options.stream, options.file) = (stream, file);
    match direction.as_str() {
        "send" => send::run(&options),
        "recv" => receive::run(&options),
        _ => {
            Err(CliError::Option { option: "DIRECTION", found: direction, allowed: "send or recv" })
        }
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
