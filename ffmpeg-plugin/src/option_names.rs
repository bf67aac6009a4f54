//! Translates the field names in the mesh's errors to the device's options.

/// Places in a configuration of a connection, and the options that fill them.
const OPTIONS: [(&str, &str); 48] = [
    ("bufferQueueCapacity", "buf_queue_cap"),
    ("connCreationDelayMilliseconds", "conn_delay"),
    ("connection.multipointGroup.urn", "urn"),
    ("connection.st2110.ancillary", "sdp"),
    ("connection.st2110.bitsPerPixel", "bits_per_pixel"),
    ("connection.st2110.colorimetry", "colorimetry"),
    ("connection.st2110.depth", "depth"),
    ("connection.st2110.dscp", "dscp"),
    ("connection.st2110.incompleteFrames", "incomplete_frames"),
    ("connection.st2110.interfaceIpAddr", "interface"),
    ("connection.st2110.ipAddr", "ip_addr"),
    ("connection.st2110.maxUdp", "max_udp"),
    ("connection.st2110.multicastSourceIpAddr", "mcast_sip_addr"),
    ("connection.st2110.pacing", "pacing"),
    ("connection.st2110.packetMode", "packet_mode"),
    ("connection.st2110.packing", "packing"),
    ("connection.st2110.payloadType", "payload_type"),
    ("connection.st2110.port", "port"),
    ("connection.st2110.quality", "coding_quality"),
    ("connection.st2110.range", "range"),
    ("connection.st2110.sampling", "sampling"),
    ("connection.st2110.sdp", "sdp"),
    ("connection.st2110.sdpFile", "sdp"),
    ("connection.st2110.secondPath", "second_ip_addr"),
    ("connection.st2110.secondPath.interfaceIpAddr", "second_interface"),
    ("connection.st2110.secondPath.ipAddr", "second_ip_addr"),
    ("connection.st2110.secondPath.multicastSourceIpAddr", "second_mcast_sip_addr"),
    ("connection.st2110.secondPath.port", "second_port"),
    ("connection.st2110.secondPath.skewMilliseconds", "second_skew"),
    ("connection.st2110.tcs", "tcs"),
    ("connection.st2110.transport", "transport"),
    ("connection.st2110.transportPixelFormat", "transport_pixel_format"),
    ("connection.st2110.ttl", "ttl"),
    ("options.delivery", "delivery"),
    ("options.endOfStream", "end_of_stream"),
    ("options.rdma.numEndpoints", "rdma_num_endpoints"),
    ("options.rdma.provider", "rdma_provider"),
    ("options.stallTimeoutMilliseconds", "stall_timeout"),
    ("options.waitForReceivers", "wait_receivers"),
    ("payload.audio.channels", "channels"),
    ("payload.audio.format", "sample_format"),
    ("payload.audio.packetTime", "ptime"),
    ("payload.audio.sampleRate", "sample_rate"),
    ("payload.video.fps", "frame_rate"),
    ("payload.video.height", "video_size, height"),
    ("payload.video.pixelFormat", "pixel_format"),
    ("payload.video.scan", "scan"),
    ("payload.video.width", "video_size, width"),
];

/// Prefix of the text of a refused configuration, followed by the kind of error.
const CONFIGURATION: &str = "connection configuration: ";
const KINDS: [&str; 3] =
    ["invalid configuration: ", "incompatible configuration: ", "not implemented configuration: "];

/// The text of an error with the names of options in place of those of the configuration.
pub(crate) fn in_options(text: &str) -> String {
    let mut named = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let in_word = |c: char| c.is_ascii_alphanumeric() || c == '.';
        let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
        // A full stop may end a sentence.
        let word = rest[..end].trim_end_matches('.');
        match OPTIONS.iter().find(|(place, _)| *place == word) {
            Some((_, option)) => named.push_str(option),
            None => named.push_str(word),
        }
        rest = &rest[word.len()..];
        let next = rest.find(|c: char| c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        named.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    let bare = named.strip_prefix(CONFIGURATION).unwrap_or(&named);
    let Some(bare) = KINDS.iter().find_map(|kind| bare.strip_prefix(kind)) else { return named };
    // The option says as much as the kind of error does. Without one, the kind is all that says
    // what this is about.
    let names = |option: &str| bare.strip_prefix(option).is_some_and(|rest| rest.starts_with(':'));
    if OPTIONS.iter().any(|(_, option)| names(option)) { bare.to_owned() } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_options() {
        for (text, expected) in [
            (
                r#"connection configuration: invalid configuration: options.delivery: found "fast"; allowed: reliable, live"#,
                r#"delivery: found "fast"; allowed: reliable, live"#,
            ),
            (
                "incompatible configuration: payload.video: found 5 × 3 pixels of v210; allowed: others",
                "incompatible configuration: payload.video: found 5 × 3 pixels of v210; allowed: others",
            ),
            (
                "incompatible configuration: connection.st2110.secondPath.port: found 5; see payload.video.fps.",
                "second_port: found 5; see frame_rate.",
            ),
            (
                "no proxy at /run/mcm/media_proxy.sock: …",
                "no proxy at /run/mcm/media_proxy.sock: …",
            ),
            ("", ""),
        ] {
            assert_eq!(in_options(text), expected);
        }
    }

    #[test]
    fn every_option_is_one_of_a_device() {
        use crate::option_table::rows;
        use crate::options::{Direction, Kind};
        let mut names = Vec::new();
        for kind in [Kind::Video, Kind::Audio] {
            for direction in [Direction::Tx, Direction::Rx] {
                names.extend(rows(kind, direction, true).iter().map(|row| row.name.to_owned()));
            }
        }
        for (_, option) in OPTIONS {
            let option = option.split(',').next().unwrap();
            assert!(names.iter().any(|name| name.to_str() == Ok(option)), "{option}");
        }
    }
}
