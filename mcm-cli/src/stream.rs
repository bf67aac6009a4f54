//! A stream as a command is told about it: by a connection's configuration, or a session
//! description.

use crate::arguments::one_of;
use crate::error::CliError;
use clap::Args;
use config::sdp::describe;
use config::{Codec, ConnectionConfig, Endpoint, Kind, St2110};
use daemon::arguments::accept;
use media::{Payload, PixelFormat, Video};
use st2110::Transport;
use st2110::sdp::remarks;
use st2110_net::socket::Interface;
use std::io::Read;

/// Larger files are no configurations.
const MAX_FILE: u64 = 1 << 20;

/// The text of a file; `-` is standard input.
pub(crate) fn read_text(path: &str) -> Result<String, CliError> {
    let fail = |reason: String| CliError::File { path: path.to_owned(), reason };
    let mut text = String::new();
    let read = if path == "-" {
        std::io::stdin().take(MAX_FILE + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
    };
    read.map_err(|error| fail(error.to_string()))?;
    if text.len() as u64 > MAX_FILE {
        return Err(fail(format!("more than {MAX_FILE} bytes")));
    }
    Ok(text)
}

/// What a description leaves open.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Wishes {
    /// Frames a second, where the session description does not tell them
    #[arg(id = "fps", long, value_name = "RATE", value_parser = frame_rate())]
    pub(crate) rate: Option<media::FrameRate>,
    /// Layout of the pixels in FILE, where STREAM is a session description: a pixel format of the
    /// mesh, such as yuv422p10le, uyvy422 or v210
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    #[arg(value_parser = one_of(PixelFormat::ALL, PixelFormat::name))]
    pub(crate) pixel_format: Option<PixelFormat>,
}

/// A parser of `--fps`.
pub(crate) fn frame_rate()
-> impl Fn(&str) -> Result<media::FrameRate, String> + Clone + Send + Sync + 'static {
    accept("frames a second, such as 25, 59.94 or 60000/1001")
}

/// The interfaces of a stream's paths, as `-i` names them on the command line: the first for both,
/// or one for each.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Interfaces {
    /// Address of this host, or kernel:NAME. Given twice, the second is for the second path (ST
    /// 2022-7)
    #[arg(id = "interface", short, long, value_name = "NAME")]
    named: Vec<Interface>,
}

impl Interfaces {
    /// No stream has more than two paths.
    pub(crate) fn check(&self) -> Result<(), CliError> {
        if self.named.len() > 2 {
            return Err(self.wrong("one, or two for a stream with two paths"));
        }
        Ok(())
    }

    /// Where nothing else is said.
    pub(crate) fn usual(&self) -> Interface {
        self.named.first().cloned().unwrap_or(Interface::Any)
    }

    /// Gives the second path its own, if the command line names one.
    pub(crate) fn set_second(&self, config: &mut ConnectionConfig) -> Result<(), CliError> {
        let Some(second) = self.named.get(1) else { return Ok(()) };
        let Endpoint::St2110(stream) = &mut config.endpoint else { return Ok(()) };
        let Some(path) = &mut stream.second_path else { return Err(self.one_path()) };
        path.interface_ip_addr = Some(second.address(path.ip_addr)?);
        Ok(())
    }

    /// The stream has one path, and two interfaces were named.
    fn one_path(&self) -> CliError {
        self.wrong("one: STREAM has one path")
    }

    fn wrong(&self, allowed: &'static str) -> CliError {
        let found = self.named.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        CliError::Option { option: "--interface", found, allowed }
    }

    /// For a stream of one path.
    pub(crate) fn only(&self) -> Result<Interface, CliError> {
        if self.named.len() > 1 { Err(self.one_path()) } else { Ok(self.usual()) }
    }
}

/// The configuration in a file: JSON as for the SDK, or a session description.
pub(crate) fn load(path: &str, kind: Kind, wishes: Wishes) -> Result<ConnectionConfig, CliError> {
    load_telling(path, kind, wishes).map(|(config, _)| config)
}

/// The same, and whether somebody has told the frame rate. If not it is a default.
pub(crate) fn load_telling(
    path: &str,
    kind: Kind,
    wishes: Wishes,
) -> Result<(ConnectionConfig, bool), CliError> {
    let fail = |error| CliError::Config { path: path.to_owned(), error };
    let text = read_text(path)?;
    if text.trim_start().starts_with(['{', '/']) {
        return Ok((ConnectionConfig::from_json(&text, kind).map_err(fail)?, true));
    }
    let description = describe(&text, kind).map_err(fail)?;
    for remark in remarks(&text) {
        eprintln!("mcm: {path}: {remark}");
    }
    let told = description.rate.or(wishes.rate).is_some();
    let mut payload = description.payload;
    if let Payload::Ancillary(ancillary) = &mut payload {
        ancillary.rate = description.rate.or(wishes.rate).unwrap_or(ancillary.rate);
    }
    if let Payload::Video(video) = &mut payload {
        *video = Video {
            rate: description.rate.or(wishes.rate).unwrap_or(video.rate),
            pixel_format: wishes.pixel_format.unwrap_or(video.pixel_format),
            ..*video
        };
    }
    let mut stream = description.stream();
    let compressed = stream.transport == Transport::St2110_22;
    if compressed {
        stream.codec = Some(Codec::Application);
    }
    let mut config = ConnectionConfig::new(Endpoint::St2110(stream), payload);
    if compressed {
        // No codestream is larger than the frame that it encodes.
        config.max_payload_size = config.payload_size();
    }
    config.validate().map_err(fail)?;
    Ok((config, told))
}

/// The largest size of a frame in bytes.
///
/// # Errors
/// The stream is JPEG XS that would have to be encoded or decoded here.
pub(crate) fn frame_limit(config: &ConnectionConfig) -> Result<usize, CliError> {
    match config.codec() {
        None | Some(Codec::Application) => Ok(config.payload_size() as usize),
        Some(_) => Err(CliError::Stream(
            "connection.st2110.codec: this command does not encode or decode: codec application and maxPayloadSize are needed"
                .into(),
        )),
    }
}

/// The stream of a configuration.
pub(crate) fn st2110(config: &ConnectionConfig) -> Result<&St2110, CliError> {
    match &config.endpoint {
        Endpoint::St2110(stream) => Ok(stream),
        other => Err(CliError::Stream(format!(
            "connection.{}: this command needs connection.st2110",
            other.kind()
        ))),
    }
}
