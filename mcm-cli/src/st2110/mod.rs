//! `mcm st2110`: streams from and to files, without a media proxy.

mod account;
mod framing;
mod receive;
mod send;

use crate::analyze::seconds;
use crate::error::CliError;
use crate::output::print;
use crate::stream::{Interfaces, Wishes};
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;
use media::{IncompleteFrames, St2110};
use st2110_net::engine::{Engine, EngineOptions};
use st2110_net::socket::Warning;
use std::time::Duration;

const USAGE: &str = "\
usage: mcm st2110 send [OPTIONS] STREAM FILE
       mcm st2110 recv [OPTIONS] STREAM FILE

Sends what is in a file as an ST 2110 stream, or writes a stream that is received to a file. No media proxy is needed.
The file has the frames one after the other, as buffers of the mesh hold them: raw pixels, or audio. Ancillary data and
JPEG XS have their length before each frame: four bytes, big endian.
What is received begins with a whole frame. Frames with gaps are named on standard error, by their number in the file from 0 on.
While nothing comes, recv says after 2 s what it waits for; on a terminal it shows how far it is.

  -i, --interface NAME       address of this host, or kernel:NAME; given twice, the second is for the second path (ST 2022-7)
  -n, --frames N             end after so many frames (of audio: packet times)
  -t, --seconds N            recv: end after so long, with status 1 if --frames did not come
      --incomplete WHAT      recv: what becomes of frames with gaps: deliver, repeat or drop (default: as STREAM says, or deliver)
      --ancillary FILE       ancillary data that ride with video (connection.st2110.ancillary): the block of each frame, with
                             its length before it
      --loop                 send: begin anew at the end of the file
      --fps RATE             where the session description does not tell it
      --pixel-format FORMAT  in the file, where STREAM is a session description
  STREAM                     a file with the configuration of a connection (JSON), or with its session description (SDP)
  FILE                       - is standard input or output
";

/// What the command line says.
pub(crate) struct Options {
    interfaces: Interfaces,
    frames: Option<u64>,
    seconds: Option<Duration>,
    again: bool,
    wishes: Wishes,
    incomplete: Option<IncompleteFrames>,
    stream: String,
    file: String,
    ancillary: Option<String>,
}

/// Runs the command.
pub(crate) fn run(mut arguments: lexopt::Parser) -> Result<(), CliError> {
    let mut options = Options {
        interfaces: Interfaces::default(),
        frames: None,
        seconds: None,
        again: false,
        wishes: Wishes::default(),
        incomplete: None,
        stream: String::new(),
        file: String::new(),
        ancillary: None,
    };
    let mut words = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return print(USAGE),
            Short('i') | Long("interface") => {
                options.interfaces.add(arguments.value()?.parse()?)?
            }
            Short('n') | Long("frames") => options.frames = Some(arguments.value()?.parse()?),
            Short('t') | Long("seconds") => {
                options.seconds = Some(seconds(&arguments.value()?.string()?)?);
            }
            Long("incomplete") => {
                let found = arguments.value()?.string()?;
                let word = IncompleteFrames::from_name(&found);
                options.incomplete = Some(word.ok_or(CliError::Option {
                    option: "--incomplete",
                    found,
                    allowed: "deliver, repeat or drop",
                })?);
            }
            Long("ancillary") => options.ancillary = Some(arguments.value()?.string()?),
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
    if options.ancillary.as_deref() == Some("-") && options.file == "-" {
        let (option, found) = ("--ancillary", "-".to_owned());
        let allowed = "another file than FILE, which is - already";
        return Err(CliError::Option { option, found, allowed });
    }
    match direction.as_str() {
        "send" if options.incomplete.is_some() => Err(CliError::Option {
            option: "--incomplete",
            found: options.incomplete.map_or_else(String::new, |it| it.to_string()),
            allowed: "nothing with send: it tells what becomes of received frames",
        }),
        "send" => send::run(&options),
        "recv" => receive::run(&options),
        _ => {
            Err(CliError::Option { option: "DIRECTION", found: direction, allowed: "send or recv" })
        }
    }
}

/// The file of the ancillary data that ride with video, if there are any.
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
