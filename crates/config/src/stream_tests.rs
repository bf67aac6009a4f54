//! Tests of the configuration of ST 2110 streams.

use proptest::prelude::*;

use std::time::Duration;

use media::{Payload, PixelFormat, Scan};
use st2110::pacing::SenderType;
use st2110::video::{
    Colorimetry, Colour, Depth, Packing, SampleRange, Sampling, TransferCharacteristic, WireFormat,
};

use crate::*;

const ADDRESS: &str = r#""ipAddr": "239.0.0.1", "port": 5004"#;

fn read(stream: &str, rest: &str) -> Result<ConnectionConfig, ConfigError> {
    let text = format!(r#"{{"connection": {{"st2110": {{{ADDRESS}, {stream}}}}}, {rest}}}"#);
    ConnectionConfig::from_json(&text, Kind::Receiver)
}

fn endpoint(config: &ConnectionConfig) -> &St2110 {
    let Endpoint::St2110(stream) = &config.endpoint else { panic!("{config:?}") };
    stream
}

#[track_caller]
fn refused(result: Result<ConnectionConfig, ConfigError>, kind: ConfigErrorKind, path: &str) {
    let error = result.expect_err(path);
    assert_eq!((error.kind, error.path.as_str()), (kind, path), "{error}");
}

#[test]
fn a_source_waits_for_the_network() {
    let time = |fps: &str, options: &str| {
        let rest = format!(r#""payload": {{"video": {{"fps": {fps}}}}}, "options": {{{options}}}"#);
        read(r#""ttl": 1"#, &rest).unwrap().stall_time().as_millis()
    };
    assert_eq!(time("60", ""), 100);
    assert_eq!(time("25", ""), 160);
    assert_eq!(time("2", ""), 2000);
    assert_eq!(time("25", r#""stallTimeoutMilliseconds": 500"#), 500);
    assert_eq!(time("25", r#""stallTimeoutMilliseconds": 1"#), 160);
}

#[test]
fn every_field() {
    let config = read(
        r#""interfaceIpAddr": "10.0.0.2", "pacing": "wide", "packing": "bpm", "ttl": 1, "dscp": 46,
           "incompleteFrames": "repeat", "sampling": "YCbCr-4:4:4", "depth": 12,
           "secondPath": {"ipAddr": "239.1.0.1", "multicastSourceIpAddr": "10.1.0.1", "interfaceIpAddr": "10.1.0.2",
                          "skewMilliseconds": 50},
           "ancillary": {"port": 5006}, "colorimetry": "BT2100", "tcs": "PQ", "range": "FULL",
           "troffMicroseconds": 0, "maxUdp": 8960, "mediaClockOffset": 4294967295"#,
        r#""maxMetadataSize": 4096, "payload": {"video": {"scan": "interlaced", "fps": 25, "pixelFormat": "yuv444p10le"}}"#,
    )
    .unwrap();
    let mut expected = St2110::new("239.0.0.1".parse().unwrap(), 5004);
    expected.interface_ip_addr = Some([10, 0, 0, 2].into());
    expected.pacing = SenderType::Wide;
    expected.packing = Packing::Block;
    (expected.ttl, expected.dscp) = (1, 46);
    expected.incomplete_frames = IncompleteFrames::Repeat;
    expected.wire_format = Some(WireFormat { sampling: Sampling::YCbCr444, depth: Depth::Twelve });
    expected.second_path = Some(SecondPath {
        ip_addr: [239, 1, 0, 1].into(),
        port: 5004,
        mcast_sip_addr: Some([10, 1, 0, 1].into()),
        interface_ip_addr: Some([10, 1, 0, 2].into()),
        skew: Duration::from_millis(50),
    });
    expected.colour = Colour {
        colorimetry: Some(Colorimetry::Bt2100),
        transfer: Some(TransferCharacteristic::Pq),
        range: Some(SampleRange::Full),
    };
    expected.timing =
        SenderTiming { troff: Some(0), max_udp: Some(8960), media_clock_offset: Some(u32::MAX) };
    expected.ancillary =
        Some(AncillaryStream { ip_addr: [239, 0, 0, 1].into(), port: 5006, payload_type: 113 });
    assert_eq!(endpoint(&config), &expected);
    let Payload::Video(video) = config.payload else { panic!("{config:?}") };
    assert_eq!(video.scan, Scan::Interlaced);
}

#[test]
fn defaults() {
    let config = read(r#""payloadType": 96"#, r#""payload": {"video": {}}"#).unwrap();
    let stream = endpoint(&config);
    assert_eq!((stream.ttl, stream.dscp), (64, 34));
    assert_eq!((stream.packing, stream.second_path), (Packing::General, None));
    assert_eq!(stream.incomplete_frames, IncompleteFrames::Deliver);
    assert_eq!(config.wire_format(), Some(WireFormat::YCBCR_422_10));
    assert_eq!(config.codec(), None);
    let config =
        read(r#""transport": "st2110-40""#, r#""payload": {"ancillary": {"fps": 25}}"#).unwrap();
    assert_eq!(config.payload_size(), 65_536);
    assert_eq!(config.group_id(), "239.0.0.1:5004");
}

#[test]
fn the_codec_follows_from_the_size_where_nobody_says_it() {
    let raw = 640 * 640 * 4;
    let codec = |stream: &str, size: usize| {
        let rest = format!(r#""maxPayloadSize": {size}, "payload": {{"video": {{}}}}"#);
        read(&format!(r#""transport": "st2110-22" {stream}"#), &rest).map(|c| c.codec().unwrap())
    };
    assert_eq!(codec("", 0), Ok(Codec::JpegXs));
    assert_eq!(codec("", raw), Ok(Codec::JpegXs));
    assert_eq!(codec("", raw - 1), Ok(Codec::Application));
    let application = r#", "codec": "application""#;
    assert_eq!(codec(application, raw), Ok(Codec::Application));
    assert_eq!(codec(application, 0).unwrap_err().path, "maxPayloadSize");
    let mesh = r#", "codec": "jpegxs", "bitsPerPixel": 2.5, "quality": "quality""#;
    assert_eq!(codec(mesh, 0), Ok(Codec::JpegXs));
    assert_eq!(codec(mesh, raw - 1).unwrap_err().path, "maxPayloadSize");
}

#[test]
fn the_wire_follows_the_pixels_unless_told() {
    let wire = |stream: &str, format: &str| {
        let rest = format!(r#""payload": {{"video": {{"pixelFormat": "{format}"}}}}"#);
        read(&format!(r#""ttl": 9 {stream}"#), &rest).map(|c| c.wire_format().unwrap().to_string())
    };
    assert_eq!(wire("", "uyvy422").unwrap(), "YCbCr-4:2:2 8 bit");
    assert_eq!(wire("", "rgb24").unwrap(), "RGB 8 bit");
    let old = r#", "transportPixelFormat": "yuv422p10rfc4175""#;
    assert_eq!(wire(old, "yuv422p10rfc4175").unwrap(), "YCbCr-4:2:2 10 bit");
    assert_eq!(wire(old, "uyvy422").unwrap_err().path, "payload.video.pixelFormat");
    // Whoever has codestreams may have them of any format.
    let codestreams = r#", "transport": "st2110-22", "codec": "application""#;
    let codestreams = |stream: &str| {
        let rest = r#""maxPayloadSize": 9000, "payload": {"video": {"pixelFormat": "rgb24"}}"#;
        read(&format!(r#""ttl": 9 {codestreams} {stream}"#), rest).unwrap().wire_format().unwrap()
    };
    assert_eq!(codestreams(old).to_string(), "YCbCr-4:2:2 10 bit");
    assert_eq!(codestreams(r#", "sampling": "RGB", "depth": 10"#).to_string(), "RGB 10 bit");
    let both = format!(r#"{old}, "sampling": "RGB", "depth": 8"#);
    assert_eq!(wire(&both, "rgb24").unwrap_err().path, "connection.st2110.transportPixelFormat");
}

#[test]
fn wrong_values_are_invalid_at_their_path() {
    for (members, path) in [
        (r#""packing": "tight""#, "packing"),
        (r#""packetMode": 1"#, "packetMode"),
        (r#""ttl": 0"#, "ttl"),
        (r#""ttl": 256"#, "ttl"),
        (r#""dscp": 64"#, "dscp"),
        (r#""interfaceIpAddr": "239.0.0.1""#, "interfaceIpAddr"),
        (r#""interfaceIpAddr": "eth0""#, "interfaceIpAddr"),
        (r#""incompleteFrames": "hide""#, "incompleteFrames"),
        (r#""sampling": "RGB""#, "depth"),
        (r#""depth": 10"#, "sampling"),
        (r#""sampling": "RGBA", "depth": 8"#, "sampling"),
        (r#""sampling": "RGB", "depth": 9"#, "depth"),
        (r#""secondPath": {}"#, "secondPath.ipAddr"),
        (r#""secondPath": {"ipAddr": "0.0.0.0"}"#, "secondPath.ipAddr"),
        (r#""secondPath": {"ipAddr": "239.0.0.2", "port": 0}"#, "secondPath.port"),
        (
            r#""secondPath": {"ipAddr": "239.0.0.2", "skewMilliseconds": 451}"#,
            "secondPath.skewMilliseconds",
        ),
        (
            r#""secondPath": {"ipAddr": "239.0.0.2", "skewMilliseconds": -1}"#,
            "secondPath.skewMilliseconds",
        ),
        (r#""ancillary": {}"#, "ancillary.port"),
        (r#""ancillary": {"port": 5006, "payloadType": 128}"#, "ancillary.payloadType"),
        (r#""colorimetry": "BT.709""#, "colorimetry"),
        (r#""tcs": "HDR""#, "tcs"),
        (r#""range": "full""#, "range"),
        (r#""troffMicroseconds": 1000001"#, "troffMicroseconds"),
        (r#""maxUdp": 0"#, "maxUdp"),
        (r#""mediaClockOffset": 4294967296"#, "mediaClockOffset"),
        (r#""codec": "h264""#, "codec"),
        (r#""bitsPerPixel": 0"#, "bitsPerPixel"),
        (r#""bitsPerPixel": "3""#, "bitsPerPixel"),
        (r#""quality": "best""#, "quality"),
        (r#""sdp": "x", "sdpFile": "y""#, "sdpFile"),
    ] {
        let path = format!("connection.st2110.{path}");
        refused(read(members, r#""payload": {"video": {}}"#), ConfigErrorKind::Invalid, &path);
    }
    let video = r#""payload": {"video": {"scan": "zigzag"}}"#;
    refused(read(r#""ttl": 9"#, video), ConfigErrorKind::Invalid, "payload.video.scan");
    let ancillary = r#""payload": {"ancillary": {"fps": 0}}"#;
    let transport = r#""transport": "st2110-40""#;
    refused(read(transport, ancillary), ConfigErrorKind::Invalid, "payload.ancillary.fps");
}

#[test]
fn values_that_do_not_fit_together_are_incompatible() {
    let video = r#""maxMetadataSize": 512, "payload": {"video": {}}"#;
    let audio = |members: &str| format!(r#""payload": {{"audio": {{{members}}}}}"#);
    let sound = |transport: &str| format!(r#""transport": "{transport}""#);
    for (stream, rest, path) in [
        (r#""interfaceIpAddr": "::1""#.into(), video.into(), "connection.st2110.interfaceIpAddr"),
        (
            r#""secondPath": {"ipAddr": "ff15::1"}"#.into(),
            video.into(),
            "connection.st2110.secondPath.ipAddr",
        ),
        (
            r#""secondPath": {"ipAddr": "239.0.0.1"}"#.into(),
            video.into(),
            "connection.st2110.secondPath",
        ),
        (
            r#""secondPath": {"ipAddr": "239.0.0.1", "multicastSourceIpAddr": "10.0.0.1"}"#.into(),
            video.into(),
            "connection.st2110.secondPath",
        ),
        (
            r#""sampling": "RGB", "depth": 10"#.into(),
            r#""payload": {"video": {"pixelFormat": "rgb24"}}"#.into(),
            "connection.st2110.sampling",
        ),
        (
            r#""sampling": "YCbCr-4:2:2", "depth": 8"#.into(),
            video.into(),
            "payload.video.pixelFormat",
        ),
        (r#""ancillary": {"port": 5004}"#.into(), video.into(), "connection.st2110.ancillary"),
        (
            r#""ancillary": {"port": 5006}"#.into(),
            r#""payload": {"video": {}}"#.into(),
            "maxMetadataSize",
        ),
        (r#""codec": "jpegxs""#.into(), video.into(), "connection.st2110.transport"),
        (sound("st2110-40"), video.into(), "payload"),
        (sound("st2110-31"), video.into(), "payload"),
        (r#""ttl": 1"#.into(), r#""payload": {"ancillary": {}}"#.into(), "payload"),
        (
            sound("st2110-40"),
            r#""maxPayloadSize": 511, "payload": {"ancillary": {}}"#.into(),
            "maxPayloadSize",
        ),
        (sound("st2110-30"), audio(r#""format": "am824""#), "payload.audio.format"),
        (sound("st2110-31"), audio(r#""format": "pcm_s16be""#), "payload.audio.format"),
        (sound("st2110-31"), audio(r#""channels": 3"#), "payload.audio.channels"),
        (
            format!(r#"{}, "sampling": "RGB", "depth": 8"#, sound("st2110-30")),
            audio(""),
            "connection.st2110.sampling",
        ),
        // 48 samples of 11 channels with 3 bytes, and of 8 with 4 bytes: 1584 and 1536 bytes.
        (sound("st2110-30"), audio(r#""channels": 11"#), "payload.audio"),
        (sound("st2110-31"), audio(r#""channels": 8"#), "payload.audio"),
    ] {
        refused(read(&stream, &rest), ConfigErrorKind::Incompatible, path);
    }
    assert!(read(&sound("st2110-30"), &audio(r#""channels": 10"#)).is_ok());
    let many = audio(r#""channels": 64, "packetTime": "125us""#);
    assert!(read(&sound("st2110-30"), &many).is_ok());
}

/// A description in one line of JSON, with all that a configuration may have beside it.
const SDP: &str = "v=0\\no=- 1 1 IN IP4 10.0.0.1\\ns=x\\nt=0 0\\nm=video 7000 RTP/AVP 96\\n\
    c=IN IP4 239.9.9.9/5\\na=source-filter: incl IN IP4 239.9.9.9 10.0.0.1\\n\
    a=rtpmap:96 raw/90000\\na=fmtp:96 sampling=YCbCr-4:2:2; width=1920; height=1080; \
    exactframerate=50; depth=8; TCS=HLG; PM=2110BPM; TROFF=500; MAXUDP=8960\\n\
    a=mediaclk:direct=0\\n";

fn with_sdp(stream: &str, rest: &str) -> Result<ConnectionConfig, ConfigError> {
    let text = format!(r#"{{"connection": {{"st2110": {{"sdp": "{SDP}" {stream}}}}} {rest}}}"#);
    ConnectionConfig::from_json(&text, Kind::Receiver)
}

#[test]
fn a_description_takes_the_place_of_single_fields() {
    let config = with_sdp("", "").unwrap();
    let described = sdp::describe(&SDP.replace("\\n", "\n"), Kind::Receiver).unwrap();
    assert_eq!(config.payload, described.payload);
    assert_eq!(endpoint(&config), &described.stream());
    let own = with_sdp(
        r#", "port": 7000, "ttl": 9, "pacing": "wide", "interfaceIpAddr": "10.0.0.9",
           "colorimetry": "BT2100", "tcs": "HLG", "maxUdp": 8960"#,
        r#", "payload": {"video": {"pixelFormat": "yuv422p", "width": 1920}}"#,
    )
    .unwrap();
    assert_eq!(endpoint(&own).colour.colorimetry, Some(Colorimetry::Bt2100));
    assert_eq!((endpoint(&own).ttl, endpoint(&own).pacing), (9, SenderType::Wide));
    let Payload::Video(video) = own.payload else { panic!("{own:?}") };
    assert_eq!((video.pixel_format, video.height), (PixelFormat::Yuv422p, 1080));
}

#[test]
fn fields_beside_a_description_must_agree() {
    for (stream, rest, path) in [
        (r#", "ipAddr": "239.9.9.8""#, "", "connection.st2110.ipAddr"),
        (r#", "port": 7002"#, "", "connection.st2110.port"),
        (r#", "transport": "st2110-22""#, "", "connection.st2110.transport"),
        (r#", "payloadType": 112"#, "", "connection.st2110.payloadType"),
        (r#", "packing": "gpm""#, "", "connection.st2110.packing"),
        (r#", "tcs": "SDR""#, "", "connection.st2110.tcs"),
        (r#", "troffMicroseconds": 501"#, "", "connection.st2110.troffMicroseconds"),
        (r#", "maxUdp": 1460"#, "", "connection.st2110.maxUdp"),
        (r#", "mediaClockOffset": 1"#, "", "connection.st2110.mediaClockOffset"),
        (r#", "multicastSourceIpAddr": "10.0.0.2""#, "", "connection.st2110.multicastSourceIpAddr"),
        (r#", "sampling": "YCbCr-4:2:2", "depth": 10"#, "", "connection.st2110.sampling and depth"),
        ("", r#", "payload": {"video": {"width": 1280}}"#, "payload.video.width"),
        ("", r#", "payload": {"video": {"fps": 25}}"#, "payload.video.fps"),
        ("", r#", "payload": {"video": {"scan": "interlaced"}}"#, "payload.video.scan"),
        ("", r#", "payload": {"audio": {}}"#, "payload"),
    ] {
        refused(with_sdp(stream, rest), ConfigErrorKind::Incompatible, path);
    }
    let bad = read(r#""sdp": "bad""#, r#""payload": {"video": {}}"#);
    refused(bad, ConfigErrorKind::Invalid, "connection.st2110.sdp");
}

#[test]
fn what_a_group_must_share() {
    let base = |stream: &str, scan: &str| {
        let rest = format!(r#""payload": {{"video": {{"scan": "{scan}"}}}}"#);
        read(&format!(r#""ttl": 3 {stream}"#), &rest).unwrap()
    };
    let group = base("", "progressive");
    let error = base("", "psf").check_compatible(&group).unwrap_err();
    assert_eq!(error.path, "payload.video.scan");
    let deep = base(r#", "sampling": "YCbCr-4:2:2", "depth": 12"#, "progressive");
    assert_eq!(deep.check_compatible(&group).unwrap_err().path, "connection.st2110.sampling");
    let own = base(r#", "packing": "bpm", "dscp": 0, "incompleteFrames": "drop""#, "progressive");
    assert_eq!(own.check_compatible(&group), Ok(()));
}

proptest! {
    #[test]
    fn no_stream_makes_the_reader_panic(
        key in proptest::sample::select(vec![
            "packing", "ttl", "dscp", "secondPath", "ancillary", "bitsPerPixel", "sampling", "depth", "codec", "sdp", "sdpFile",
        ]),
        value in prop_oneof![
            any::<f64>().prop_map(|x| format!("{x:e}")),
            any::<i128>().prop_map(|x| x.to_string()),
            "\\PC{0,8}",
            Just("{}".to_owned()),
            Just("null".to_owned()),
        ],
    ) {
        if let Err(error) = read(&format!(r#""{key}": {value}"#), r#""payload": {"video": {}}"#) {
            prop_assert!(!error.to_string().chars().any(char::is_control), "{error}");
        }
    }
}
