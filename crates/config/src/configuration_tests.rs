//! Tests of the configuration of a connection, from JSON to the rules.

use std::time::Duration;

use media::{
    Audio, AudioFormat, FrameRate, PacketTime, Payload, PixelFormat, SampleRate, Scan, Video,
};
use st2110::Transport;
use st2110::pacing::SenderType;

use crate::*;

const GROUP: &str = r#""connection": {"multipointGroup": {"urn": "cam"}}"#;

fn read(members: &str) -> Result<ConnectionConfig, ConfigError> {
    ConnectionConfig::from_json(&format!("{{{members}}}"), Kind::Receiver)
}

pub(crate) fn in_group(members: &str) -> Result<ConnectionConfig, ConfigError> {
    read(&format!("{GROUP}, {members}"))
}

fn stream(members: &str, payload: &str) -> Result<ConnectionConfig, ConfigError> {
    read(&format!(r#""connection": {{"st2110": {{{members}}}}}, "payload": {{{payload}}}"#))
}

const ADDRESS: &str = r#""ipAddr": "239.0.0.1", "port": 5004"#;

#[track_caller]
fn refused(result: Result<ConnectionConfig, ConfigError>, kind: ConfigErrorKind, path: &str) {
    let error = result.expect_err(path);
    assert_eq!((error.kind, error.path.as_str()), (kind, path), "{error}");
}

#[test]
fn defaults() {
    let config = in_group(r#""payload": {"video": {}}"#).unwrap();
    let endpoint = Endpoint::MultipointGroup { urn: "cam".into() };
    assert_eq!(config, ConnectionConfig::new(endpoint, Payload::Video(Video::default())));
    assert_eq!(config.queue_capacity, 16);
    assert_eq!((config.max_payload_size, config.max_metadata_size), (0, 0));
    assert_eq!(config.creation_delay, Duration::ZERO);
    let Payload::Video(video) = config.payload else { panic!("{config:?}") };
    assert_eq!((video.width, video.height), (640, 640));
    assert_eq!(video.rate, FrameRate { num: 60, den: 1 });
    assert_eq!(video.pixel_format, PixelFormat::Yuv422p10le);
    assert_eq!(config.payload_size(), 640 * 640 * 4);

    let config = in_group(r#""payload": {"audio": {}}"#).unwrap();
    let Payload::Audio(audio) = config.payload else { panic!("{config:?}") };
    assert_eq!((audio.channels, audio.sample_rate), (2, SampleRate::Hz48000));
    assert_eq!((audio.format, audio.packet_time), (AudioFormat::PcmS24be, PacketTime::Ms1));
    assert_eq!(config.payload_size(), 48 * 2 * 3);

    let options = config.options;
    assert_eq!((options.rdma.provider, options.rdma.num_endpoints), (RdmaProvider::Tcp, 1));
    assert_eq!((options.delivery, options.end_of_stream), (None, None));
    assert_eq!(options.stall_timeout, Duration::from_millis(100));
    assert_eq!(options.wait_for_receivers, 0);

    let config = stream(ADDRESS, r#""video": {}"#).unwrap();
    let Endpoint::St2110(st2110) = config.endpoint else { panic!("{config:?}") };
    assert_eq!((st2110.transport, st2110.pacing), (Transport::St2110_20, SenderType::Narrow));
    assert_eq!((st2110.payload_type, st2110.mcast_sip_addr), (112, None));
    assert_eq!(st2110.transport_pixel_format, PixelFormat::Yuv422p10Rfc4175);

    let config = read(r#""connection": {"rdma": {}}, "payload": {"audio": {}}"#).unwrap();
    assert_eq!(
        config.endpoint,
        Endpoint::Rdma(Rdma { connection_mode: RdmaMode::Rc, max_latency_ns: 0 })
    );
}

/// The shape that the established documentation prints, with its trailing commas.
#[test]
fn every_field() {
    let text = r#"{
        "bufferQueueCapacity": 128,
        "maxPayloadSize": 8294400,
        "maxMetadataSize": 8192,
        "connCreationDelayMilliseconds": 100,
        "connection": {
            "st2110": {
                "transport": "st2110-20",
                "ipAddr": "239.0.0.1",
                "port": 9002,
                "multicastSourceIpAddr": "192.168.95.2",
                "pacing": "narrow",
                "payloadType": 96,
                "transportPixelFormat": "yuv422p10rfc4175",
            },
        },
        "options": {
            "rdma": {"provider": "verbs", "numEndpoints": 8},
            "delivery": "live",
            "stallTimeoutMilliseconds": 60000,
            "waitForReceivers": 128,
            "endOfStream": "close",
        },
        // A comment.
        "payload": {
            "video": {"width": 1920, "height": 1080, "fps": 59.94, "pixelFormat": "v210"},
        },
    }"#;
    let mut stream = St2110::new("239.0.0.1".parse().unwrap(), 9002);
    stream.mcast_sip_addr = Some("192.168.95.2".parse().unwrap());
    stream.payload_type = 96;
    let expected = ConnectionConfig {
        queue_capacity: 128,
        max_payload_size: 8_294_400,
        max_metadata_size: 8192,
        creation_delay: Duration::from_millis(100),
        endpoint: Endpoint::St2110(stream),
        payload: Payload::Video(Video {
            width: 1920,
            height: 1080,
            rate: FrameRate { num: 60000, den: 1001 },
            pixel_format: PixelFormat::V210,
            scan: Scan::Progressive,
        }),
        options: Options {
            rdma: RdmaOptions { provider: RdmaProvider::Verbs, num_endpoints: 8 },
            delivery: Some(Delivery::Live),
            stall_timeout: Duration::from_secs(60),
            wait_for_receivers: 128,
            end_of_stream: Some(EndOfStream::Close),
        },
    };
    assert_eq!(ConnectionConfig::from_json(text, Kind::Receiver), Ok(expected));
}

#[test]
fn both_spellings_of_num_endpoints() {
    for key in ["numEndpoints", "num_endpoints"] {
        let config = in_group(&format!(
            r#""payload": {{"audio": {{}}}}, "options": {{"rdma": {{"{key}": 4}}}}"#
        ));
        assert_eq!(config.unwrap().options.rdma.num_endpoints, 4);
    }
    let both = r#""options": {"rdma": {"numEndpoints": 4, "num_endpoints": 4}}"#;
    refused(in_group(both), ConfigErrorKind::Invalid, "options.rdma.num_endpoints");
}

#[test]
fn wrong_values_are_invalid_at_their_path() {
    for (members, path) in [
        (r#""bufferQueueCapacity": 0"#, "bufferQueueCapacity"),
        (r#""bufferQueueCapacity": 256"#, "bufferQueueCapacity"),
        (r#""bufferQueueCapacity": 65552"#, "bufferQueueCapacity"),
        (r#""bufferQueueCapacity": "16""#, "bufferQueueCapacity"),
        (r#""maxPayloadSize": -1"#, "maxPayloadSize"),
        (r#""maxPayloadSize": 1073741825"#, "maxPayloadSize"),
        (r#""maxMetadataSize": 16777217"#, "maxMetadataSize"),
        (r#""connCreationDelayMilliseconds": 0.5"#, "connCreationDelayMilliseconds"),
        (r#""payload": null"#, "payload"),
        (r#""payload": []"#, "payload"),
        (r#""payload": {"video": 1}"#, "payload.video"),
        (r#""payload": {"blob": 1}"#, "payload.blob"),
        (r#""payload": {"video": {}, "audio": {}}"#, "payload.audio"),
        (r#""payload": {"blob": {}, "audio": {}}"#, "payload.blob"),
        (r#""payload": {"video": {}, "video": {}}"#, "payload.video"),
        (r#""payload": {"video": {"width": 0}}"#, "payload.video.width"),
        (r#""payload": {"video": {"height": 32769}}"#, "payload.video.height"),
        (r#""payload": {"video": {"height": "1080"}}"#, "payload.video.height"),
        (r#""payload": {"video": {"fps": 0}}"#, "payload.video.fps"),
        (r#""payload": {"video": {"fps": -25}}"#, "payload.video.fps"),
        (r#""payload": {"video": {"fps": true}}"#, "payload.video.fps"),
        (r#""payload": {"video": {"fps": "fast"}}"#, "payload.video.fps"),
        (r#""payload": {"video": {"pixelFormat": "yuv411p"}}"#, "payload.video.pixelFormat"),
        (r#""payload": {"video": {"pixelFormat": 1}}"#, "payload.video.pixelFormat"),
        (r#""payload": {"audio": {"channels": 0}}"#, "payload.audio.channels"),
        (r#""payload": {"audio": {"channels": 65}}"#, "payload.audio.channels"),
        (r#""payload": {"audio": {"sampleRate": 32000}}"#, "payload.audio.sampleRate"),
        (r#""payload": {"audio": {"sampleRate": "48000"}}"#, "payload.audio.sampleRate"),
        (r#""payload": {"audio": {"format": "pcm_s32be"}}"#, "payload.audio.format"),
        (r#""payload": {"audio": {"packetTime": "2ms"}}"#, "payload.audio.packetTime"),
        (r#""payload": {"blob": {}}"#, "maxPayloadSize"),
        (r#""maxMetadataSize": 1"#, "maxPayloadSize"),
        (r#""options": {"delivery": "Reliable"}"#, "options.delivery"),
        (r#""options": {"endOfStream": false}"#, "options.endOfStream"),
        (r#""options": {"stallTimeoutMilliseconds": 0}"#, "options.stallTimeoutMilliseconds"),
        (r#""options": {"stallTimeoutMilliseconds": 60001}"#, "options.stallTimeoutMilliseconds"),
        (r#""options": {"waitForReceivers": 129}"#, "options.waitForReceivers"),
        (r#""options": {"rdma": {"provider": "efa"}}"#, "options.rdma.provider"),
        (r#""options": {"rdma": {"numEndpoints": 0}}"#, "options.rdma.numEndpoints"),
        (r#""options": {"rdma": {"num_endpoints": 9}}"#, "options.rdma.num_endpoints"),
    ] {
        refused(in_group(members), ConfigErrorKind::Invalid, path);
    }
}

#[test]
fn exactly_one_kind_of_connection() {
    for (members, path) in [
        ("", "connection"),
        (r#""connection": {}"#, "connection"),
        (r#""connection": "cam""#, "connection"),
        (r#""connection": {"multipointgroup": {"urn": "cam"}}"#, "connection"),
        (r#""connection": {"multipointGroup": {}}"#, "connection.multipointGroup.urn"),
        (r#""connection": {"multipointGroup": {"urn": ""}}"#, "connection.multipointGroup.urn"),
        (r#""connection": {"multipointGroup": {"urn": "a\n"}}"#, "connection.multipointGroup.urn"),
        (r#""connection": {"multipointGroup": {"urn": "  "}}"#, "connection.multipointGroup.urn"),
        (
            r#""connection": {"multipointGroup": {"urn": "a\u202eb"}}"#,
            "connection.multipointGroup.urn",
        ),
        (r#""connection": {"multipointGroup": {"urn": 7}}"#, "connection.multipointGroup.urn"),
        (r#""connection": {"multipointGroup": {"urn": "a"}, "rdma": {}}"#, "connection.rdma"),
        (r#""connection": {"rdma": {}, "st2110": {}}"#, "connection.rdma"),
        (r#""connection": {"rdma": {"connectionMode": "XRC"}}"#, "connection.rdma.connectionMode"),
        (
            r#""connection": {"rdma": {"maxLatencyNanoseconds": -1}}"#,
            "connection.rdma.maxLatencyNanoseconds",
        ),
    ] {
        refused(read(members), ConfigErrorKind::Invalid, path);
    }
    let long = format!(r#""connection": {{"multipointGroup": {{"urn": "{}"}}}}"#, "a".repeat(1025));
    refused(read(&long), ConfigErrorKind::Invalid, "connection.multipointGroup.urn");
}

#[test]
fn wrong_streams_are_invalid_at_their_path() {
    for (members, path) in [
        (r#""port": 5004"#, "connection.st2110.ipAddr"),
        (r#""ipAddr": "239.0.0.1""#, "connection.st2110.port"),
        (r#""ipAddr": "", "port": 1"#, "connection.st2110.ipAddr"),
        (r#""ipAddr": "0.0.0.0", "port": 1"#, "connection.st2110.ipAddr"),
        (r#""ipAddr": "10.0.0.1", "port": 0"#, "connection.st2110.port"),
        (r#""ipAddr": "10.0.0.1", "port": 65536"#, "connection.st2110.port"),
    ] {
        refused(stream(members, r#""video": {}"#), ConfigErrorKind::Invalid, path);
    }
    for (members, path) in [
        (r#""transport": "st2110-41""#, "connection.st2110.transport"),
        (r#""pacing": "wild""#, "connection.st2110.pacing"),
        (r#""payloadType": 128"#, "connection.st2110.payloadType"),
        (r#""transportPixelFormat": "v210""#, "connection.st2110.transportPixelFormat"),
        (r#""multicastSourceIpAddr": "x""#, "connection.st2110.multicastSourceIpAddr"),
        (r#""multicastSourceIpAddr": "239.0.0.2""#, "connection.st2110.multicastSourceIpAddr"),
    ] {
        let members = format!("{ADDRESS}, {members}");
        refused(stream(&members, r#""video": {}"#), ConfigErrorKind::Invalid, path);
    }
    let no_filter = stream(&format!(r#"{ADDRESS}, "multicastSourceIpAddr": """#), r#""video": {}"#);
    assert!(no_filter.is_ok());
}

#[test]
fn values_that_do_not_fit_together_are_incompatible() {
    let blob = r#""maxPayloadSize": 64, "payload": {"blob": {}}"#;
    for (members, path) in [
        (
            format!(r#"{GROUP}, "payload": {{"audio": {{"sampleRate": 44100}}}}"#),
            "payload.audio.packetTime",
        ),
        (
            format!(r#"{GROUP}, "payload": {{"audio": {{"packetTime": "1.09ms"}}}}"#),
            "payload.audio.packetTime",
        ),
        (format!(r#"{GROUP}, "payload": {{"video": {{"pixelFormat": "v210"}}}}"#), "payload.video"),
        (
            format!(r#"{GROUP}, "maxPayloadSize": 1638399, "payload": {{"video": {{}}}}"#),
            "maxPayloadSize",
        ),
        (
            format!(
                r#"{GROUP}, "payload": {{"video": {{"width": 32768, "height": 8193, "fps": 25}}}}"#
            ),
            "payload.video",
        ),
        (format!(r#""connection": {{"st2110": {{{ADDRESS}}}}}, {blob}"#), "payload"),
        (format!(r#""connection": {{"st2110": {{{ADDRESS}}}}}"#), "payload"),
        (format!(r#""connection": {{"rdma": {{}}}}, {blob}"#), "payload"),
        (
            format!(r#""connection": {{"st2110": {{{ADDRESS}}}}}, "payload": {{"audio": {{}}}}"#),
            "payload",
        ),
        (
            format!(
                r#""connection": {{"st2110": {{{ADDRESS}, "transport": "st2110-30"}}}}, "payload": {{"video": {{}}}}"#
            ),
            "payload",
        ),
        (
            format!(
                r#""connection": {{"st2110": {{{ADDRESS}, "multicastSourceIpAddr": "::1"}}}}, "payload": {{"video": {{}}}}"#
            ),
            "connection.st2110.multicastSourceIpAddr",
        ),
    ] {
        refused(read(&members), ConfigErrorKind::Incompatible, path);
    }
}

#[test]
fn sizes_of_partitions() {
    let size = |members: &str| in_group(members).map(|config| config.payload_size());
    assert_eq!(size(r#""payload": {"video": {}}, "maxPayloadSize": 1638400"#), Ok(1_638_400));
    assert_eq!(size(r#""payload": {"video": {}}, "maxPayloadSize": 2000000"#), Ok(2_000_000));
    assert_eq!(size(r#""payload": {"blob": {}}, "maxPayloadSize": 7"#), Ok(7));
    assert_eq!(size(r#""maxPayloadSize": 1073741824"#), Ok(1 << 30));
    let config = in_group(r#""maxPayloadSize": 1, "maxMetadataSize": 16777216"#).unwrap();
    assert_eq!(config.metadata_size(), 16 << 20);
    // Compressed frames are smaller than raw ones.
    let compressed = format!(
        r#""connection": {{"st2110": {{{ADDRESS}, "transport": "st2110-22"}}}}, "payload": {{"video": {{}}}}, "maxPayloadSize": 4096"#
    );
    assert_eq!(read(&compressed).unwrap().payload_size(), 4096);
}

#[test]
fn rates_as_numbers_and_texts() {
    for fps in ["59.94", "59.9401", "\"59.94\"", "\"60000/1001\"", "59.94005994005994", "5.994e1"] {
        let config = in_group(&format!(r#""payload": {{"video": {{"fps": {fps}}}}}"#)).expect(fps);
        let Payload::Video(video) = config.payload else { panic!("{config:?}") };
        assert_eq!(video.rate, FrameRate { num: 60000, den: 1001 }, "{fps}");
    }
}

#[test]
fn unknown_keys_do_no_harm() {
    let config = in_group(
        r#""maxPayloadSize": 1, "colour": "red", "options": {"dilevery": "live"}, "payload": {"blob": {"x": 1}}"#,
    );
    assert_eq!(config.unwrap().options, Options::default());
}

#[test]
fn errors_say_what_is_allowed() {
    let error = in_group(r#""payload": {"video": {"pixelFormat": "yuv9"}}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid configuration: payload.video.pixelFormat: found \"yuv9\"; allowed: yuv422p10le, v210, \
         yuv422p10rfc4175, uyvy422, yuv420p, nv12, yuv422p, yuv444p10le, yuv420p10le, p010le, rgb24, bgr24, rgba, \
         bgra, gray8, gray10le, gray16le"
    );
    let error = in_group(r#""maxPayloadSize": 1073741825"#).unwrap_err();
    assert_eq!(error.allowed, "a whole number from 0 to 1073741824");
}

/// What comes over gRPC has not been through the reader of JSON.
#[test]
fn foreign_configurations_are_validated_too() {
    let good = in_group(r#""payload": {"video": {}}"#).unwrap();
    assert_eq!(good.validate(), Ok(()));
    let check = |change: &dyn Fn(&mut ConnectionConfig), path: &str| {
        let mut config = good.clone();
        change(&mut config);
        refused(config.validate().map(|()| config.clone()), ConfigErrorKind::Invalid, path);
    };
    check(&|c| c.queue_capacity = 0, "bufferQueueCapacity");
    check(&|c| c.max_payload_size = u32::MAX, "maxPayloadSize");
    check(&|c| c.max_metadata_size = u32::MAX, "maxMetadataSize");
    check(&|c| c.creation_delay = Duration::MAX, "connCreationDelayMilliseconds");
    check(&|c| c.options.stall_timeout = Duration::ZERO, "options.stallTimeoutMilliseconds");
    check(&|c| c.options.wait_for_receivers = u32::MAX, "options.waitForReceivers");
    check(&|c| c.options.rdma.num_endpoints = 0, "options.rdma.numEndpoints");
    let video = |rate| Payload::Video(Video { rate, ..Video::default() });
    check(&|c| c.payload = video(FrameRate { num: 0, den: 0 }), "payload.video.fps");
    check(&|c| c.payload = video(FrameRate { num: 120, den: 2 }), "payload.video.fps");
    check(
        &|c| c.payload = Payload::Video(Video { width: u32::MAX, ..Video::default() }),
        "payload.video.width",
    );
    check(
        &|c| c.payload = Payload::Audio(Audio { channels: 0, ..Audio::default() }),
        "payload.audio.channels",
    );
    check(&|c| c.payload = Payload::Blob, "maxPayloadSize");
    check(
        &|c| c.endpoint = Endpoint::MultipointGroup { urn: "\u{7}".into() },
        "connection.multipointGroup.urn",
    );
    check(
        &|c| c.endpoint = Endpoint::St2110(St2110::new([10, 0, 0, 1].into(), 0)),
        "connection.st2110.port",
    );
}
