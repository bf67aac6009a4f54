//! The JSON configuration with which a receiver joins a group.

use crate::connection::ConnectionConfig;
use crate::endpoint::Endpoint;
use media::{Ancillary, Audio, Payload, Video};

impl ConnectionConfig {
    /// The part of this configuration that every member of the group shares: `payload`,
    /// `maxPayloadSize` and `maxMetadataSize`, with `connection` where that is the same for all,
    /// which it is for a multipoint group.
    ///
    /// With a multipoint group the text is a whole configuration of a receiver.
    pub fn group_json(&self) -> String {
        let connection = match &self.endpoint {
            Endpoint::MultipointGroup { urn } => {
                format!(r#""connection":{{"multipointGroup":{{"urn":{}}}}},"#, quoted(urn))
            }
            Endpoint::St2110(_) | Endpoint::Rdma(_) => String::new(),
        };
        // Without `..`, so that a new field is not forgotten here.
        let payload = match self.payload {
            Payload::Video(Video { width, height, rate, pixel_format, scan }) => format!(
                r#""width":{width},"height":{height},"fps":"{}/{}","pixelFormat":"{}","scan":"{}""#,
                rate.num,
                rate.den,
                pixel_format.name(),
                scan.name()
            ),
            Payload::Audio(Audio { channels, sample_rate, format, packet_time }) => format!(
                r#""channels":{channels},"sampleRate":{},"format":"{}","packetTime":"{}""#,
                sample_rate.hz(),
                format.name(),
                packet_time.name()
            ),
            Payload::Ancillary(Ancillary { rate, scan }) => {
                format!(r#""fps":"{}/{}","scan":"{}""#, rate.num, rate.den, scan.name())
            }
            Payload::Blob => String::new(),
        };
        format!(
            r#"{{{connection}"payload":{{"{}":{{{payload}}}}},"maxPayloadSize":{},"maxMetadataSize":{}}}"#,
            self.payload.kind(),
            self.max_payload_size,
            self.max_metadata_size
        )
    }
}

/// A text as a string of JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Kind;

    #[test]
    fn a_receiver_can_join_with_it() {
        for text in [
            r#"{ "connection": { "multipointGroup": { "urn": "a \"b\" \\c\u00e4" } },
                 "payload": { "video": { "width": 48, "height": 4, "fps": 59.94, "pixelFormat": "v210", "scan": "psf" } } }"#,
            r#"{ "connection": { "multipointGroup": { "urn": "x" } },
                 "payload": { "ancillary": { "fps": 29.97, "scan": "interlaced" } } }"#,
            r#"{ "connection": { "multipointGroup": { "urn": "x" } }, "maxMetadataSize": 9,
                 "payload": { "audio": { "channels": 64, "sampleRate": 96000, "format": "pcm_s16be", "packetTime": "125us" } } }"#,
            r#"{ "connection": { "multipointGroup": { "urn": "x" } }, "maxPayloadSize": 7 }"#,
        ] {
            let source = ConnectionConfig::from_json(text, Kind::Source).unwrap();
            let receiver =
                ConnectionConfig::from_json(&source.group_json(), Kind::Receiver).unwrap();
            assert_eq!(receiver, source);
        }
    }

    #[test]
    fn the_connection_of_a_stream_is_its_own() {
        let text = r#"{ "connection": { "st2110": { "ipAddr": "239.0.0.1", "port": 5000 } }, "payload": { "video": {} } }"#;
        let json = ConnectionConfig::from_json(text, Kind::Source).unwrap().group_json();
        assert!(json.starts_with(r#"{"payload":{"video":{"width":640,"#), "{json}");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(quoted("a\n\u{7f}"), r#""a\u000a\u007f""#);
    }
}
