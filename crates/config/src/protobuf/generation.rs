//! Detection of the release that wrote a connection configuration.
//!
//! Release 25.03 gave the fields of `sdk.ConnectionConfig` other numbers than 25.09, which this
//! project speaks: its video is 10, its audio 11 and its blob 12, where 25.09 has options, video
//! and audio. Read with the wrong numbers, a video becomes audio. So a peer's configuration is
//! examined before it is decoded.

use media::ConfigError;
use prost::Message;
use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use proto::sdk;

/// Reason for which a peer of release 25.03 is refused.
pub const OTHER_NUMBERS: &str = "the protocol of release 25.03, whose numbers mean something else; this program speaks that of 25.09";

/// Reads a connection's configuration as a peer sent it.
///
/// # Errors
/// If it is of release 25.03, or no message of this kind.
pub(super) fn read(bytes: &[u8]) -> Result<sdk::ConnectionConfig, ConfigError> {
    if is_of_25_03(bytes).unwrap_or(false) {
        return Err(ConfigError::invalid("config", OTHER_NUMBERS, "the numbers of release 25.09"));
    }
    sdk::ConnectionConfig::decode(bytes)
        .map_err(|error| ConfigError::malformed("config", error, "a message sdk.ConnectionConfig"))
}

/// A field as it stands in a message: its number, its type, and its bytes if it has a length.
type Field<'a> = (u32, WireType, &'a [u8]);

/// The next field of a message; `None` at its end, and where it is no message.
fn next<'a>(bytes: &mut &'a [u8]) -> Option<Field<'a>> {
    let (number, kind) = decode_key(bytes).ok()?;
    if kind != WireType::LengthDelimited {
        skip_field(kind, number, bytes, DecodeContext::default()).ok()?;
        return Some((number, kind, &[]));
    }
    let len = usize::try_from(decode_varint(bytes).ok()?).ok()?;
    let content = bytes.get(..len)?;
    bytes.advance(len);
    Some((number, kind, content))
}

/// The type of a field of a message, if it is there.
fn kind_of(mut message: &[u8], wanted: u32) -> Option<WireType> {
    std::iter::from_fn(|| next(&mut message))
        .find_map(|(number, kind, _)| (number == wanted).then_some(kind))
}

/// Whether a configuration has the field numbers of release 25.03; `None` if it is ambiguous.
fn is_of_25_03(mut message: &[u8]) -> Option<bool> {
    let fields = std::iter::from_fn(|| next(&mut message));
    let mut told = None;
    for (number, kind, content) in fields {
        if kind != WireType::LengthDelimited {
            continue;
        }
        match number {
            // A width, or options of a provider.
            10 if kind_of(content, 1) == Some(WireType::Varint) => return Some(true),
            10 if !content.is_empty() => return Some(false),
            // A frame rate, or a format; the first format is 0, and so left out.
            11 => told = Some(kind_of(content, 3) != Some(WireType::SixtyFourBit)),
            // A blob has no fields; audio has channels.
            12 => told = Some(content.is_empty()),
            13 => return Some(false),
            _ => {}
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ConnectionConfig, Endpoint};
    use media::{Audio, Payload, Video};

    /// The messages of release 25.03, as far as they differ.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Old {
        #[prost(message, tag = "7")]
        group: Option<sdk::ConfigMultipointGroup>,
        #[prost(message, tag = "10")]
        video: Option<sdk::ConfigVideo>,
        #[prost(message, tag = "11")]
        audio: Option<sdk::ConfigAudio>,
        #[prost(message, tag = "12")]
        blob: Option<sdk::ConfigBlob>,
    }

    fn configs() -> [ConnectionConfig; 3] {
        let payloads =
            [Payload::Video(Video::default()), Payload::Audio(Audio::default()), Payload::Blob];
        payloads.map(|payload| {
            let mut config = ConnectionConfig::new(
                Endpoint::MultipointGroup { urn: "studio 1".into() },
                payload,
            );
            config.max_payload_size = 1000;
            config
        })
    }

    #[test]
    fn what_this_project_and_25_09_write_is_read() {
        for config in configs() {
            let mut message = config.to_sdk();
            assert_eq!(read(&message.encode_to_vec()).unwrap(), message);
            // The original has no options where the program gave none.
            message.options = None;
            assert_eq!(read(&message.encode_to_vec()).unwrap(), message);
            message.options = Some(sdk::ConnectionOptions::default());
            assert_eq!(read(&message.encode_to_vec()).unwrap(), message);
        }
    }

    #[test]
    fn what_25_03_writes_is_told_apart() {
        let group = Some(sdk::ConfigMultipointGroup { urn: "studio 1".into() });
        for config in configs() {
            let message = config.to_sdk();
            let mut old = Old { group: group.clone(), ..Default::default() };
            match message.payload {
                Some(sdk::connection_config::Payload::Video(video)) => old.video = Some(video),
                Some(sdk::connection_config::Payload::Audio(audio)) => old.audio = Some(audio),
                _ => old.blob = Some(sdk::ConfigBlob {}),
            }
            for format in 0..3 {
                if let Some(audio) = &mut old.audio {
                    audio.format = format;
                }
                let error = read(&old.encode_to_vec()).unwrap_err().to_string();
                assert!(error.contains("release 25.03"), "{error}");
            }
        }
    }

    #[test]
    fn what_is_no_message_is_said_to_be_none() {
        for bytes in [&[0xff][..], &[0x52, 0x05, 1], &[7; 40]] {
            let error = read(bytes).unwrap_err();
            assert_eq!(error.kind, media::ConfigErrorKind::Malformed, "{error}");
        }
    }
}
