//! A stream as a command is told about it: by a connection's configuration, or a session description.

use crate::error::CliError;
use media::{ConnectionConfig, Endpoint, Payload, SdpSource, St2110, Video};
use st2110::sdp::{Role, describe};
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
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes {
    /// Frames a second, where the description does not tell.
    pub(crate) rate: Option<media::FrameRate>,
    /// Layout of the pixels in memory.
    pub(crate) pixel_format: Option<media::PixelFormat>,
}

/// The configuration in a file: JSON as for the SDK, or a session description.
pub(crate) fn load(path: &str, role: Role, wishes: Wishes) -> Result<ConnectionConfig, CliError> {
    let fail = |error| CliError::Config { path: path.to_owned(), error };
    let text = read_text(path)?;
    if text.trim_start().starts_with(['{', '/']) {
        let read_sdp = |source: SdpSource<'_>| match source {
            SdpSource::Text(text) => describe(text, role),
            SdpSource::File(file) => {
                let text = read_text(file).map_err(|error| {
                    let allowed = "a readable file of SDP text";
                    media::ConfigError::invalid("connection.st2110.sdpFile", error, allowed)
                })?;
                describe(&text, role)
            }
        };
        return ConnectionConfig::from_json_with(&text, &read_sdp).map_err(fail);
    }
    let description = describe(&text, role).map_err(fail)?;
    let mut payload = description.payload;
    if let Payload::Video(video) = &mut payload {
        *video = Video {
            rate: description.rate.or(wishes.rate).unwrap_or(video.rate),
            pixel_format: wishes.pixel_format.unwrap_or(video.pixel_format),
            ..*video
        };
    }
    let config = ConnectionConfig::new(Endpoint::St2110(description.stream()), payload);
    config.validate().map_err(fail)?;
    Ok(config)
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
