//! Tests of descriptions in the terms of a configuration, both ways.

use crate::{AncillaryStream, Codec, St2110};
use media::{AudioFormat, FrameRate, PacketTime, PixelFormat, Scan};
use proptest::prelude::*;
use st2110::jpegxs::PacketMode;
use st2110::pacing::SenderType;

use super::super::{Sender, compose, compose_expected};
use super::*;
use crate::sdp::samples::{FFMPEG_AUDIO, FFMPEG_STATIC, FFMPEG_VIDEO, GSTREAMER, VIDEO};
use st2110::reference::ReferenceClock;
use st2110::sdp::{Severity, check};

fn sender() -> Sender {
    Sender {
        session_id: 5,
        version: 7,
        name: "cam 1".into(),
        address: [10, 0, 0, 1].into(),
        second_address: Some([10, 1, 0, 1].into()),
        clock: ReferenceClock::traceable(),
        pacing: SenderType::Wide,
    }
}

#[test]
fn two_paths() {
    let description = describe(VIDEO, Kind::Receiver).unwrap();
    assert_eq!(description.transport, Transport::St2110_20);
    assert_eq!(description.ip_addr.to_string(), "239.100.9.10");
    assert_eq!(description.mcast_sip_addr.unwrap().to_string(), "192.168.100.2");
    let second = description.second_path.unwrap();
    assert_eq!((second.ip_addr.to_string(), second.port), ("239.101.9.10".into(), 50020));
    assert_eq!(description.rate, Some(FrameRate { num: 60000, den: 1001 }));
    let Payload::Video(video) = description.payload else { panic!("{description:?}") };
    assert_eq!((video.width, video.pixel_format), (1280, PixelFormat::Yuv422p10le));
    assert_eq!(describe(VIDEO, Kind::Source).unwrap().mcast_sip_addr, None);
    let apart = VIDEO.replace("a=group:DUP primary secondary\r\n", "");
    let error = describe(&apart, Kind::Receiver).unwrap_err().to_string();
    assert!(error.contains("2 streams, at lines 7, 15"), "{error}");
    let other = VIDEO.replacen("width=1280", "width=1920", 1);
    assert!(describe(&other, Kind::Receiver).is_err());
}

#[test]
fn what_a_receiver_learns_of_the_senders_timing() {
    let text = VIDEO
        .replace("TP=2110TPN; ", "TP=2110TPN; TROFF=500; MAXUDP=8960")
        .replace("TCS=SDR; colorimetry=BT709", "TCS=PQ; colorimetry=BT2100; RANGE=FULL")
        .replace("direct=0", "direct=963214424");
    let description = describe(&text, Kind::Receiver).unwrap();
    let expected = SenderTiming {
        troff: Some(500),
        max_udp: Some(8960),
        media_clock_offset: Some(963_214_424),
    };
    assert_eq!((description.timing, description.stream().timing), (expected, expected));
    let colour = Colour {
        colorimetry: Some(Colorimetry::Bt2100),
        transfer: Some(TransferCharacteristic::Pq),
        range: Some(SampleRange::Full),
    };
    assert_eq!((description.colour, description.stream().colour), (colour, colour));
    // A sender has a timing of its own.
    assert_eq!(describe(&text, Kind::Source).unwrap().timing, SenderTiming::default());
    let sound = format!("{FFMPEG_AUDIO}a=mediaclk:direct=5\r\n");
    let timing = describe(&sound, Kind::Receiver).unwrap().timing;
    assert_eq!(timing, SenderTiming { media_clock_offset: Some(5), ..SenderTiming::default() });
}

#[test]
fn what_others_write() {
    let video = describe(FFMPEG_VIDEO, Kind::Receiver).unwrap();
    assert_eq!((video.rate, video.port, video.payload_type), (None, 25004, 96));
    assert_eq!(video.interface_ip_addr.unwrap().to_string(), "127.0.0.1");
    assert_eq!(video.ip_addr.to_string(), "127.0.0.1");
    let Payload::Video(picture) = video.payload else { panic!("{video:?}") };
    assert_eq!(picture.scan, Scan::Interlaced);
    // Its o= is 127.0.0.1 always.
    let elsewhere = FFMPEG_VIDEO.replace("c=IN IP4 127.0.0.1", "c=IN IP4 10.0.0.2");
    let elsewhere = describe(&elsewhere, Kind::Receiver).unwrap();
    assert_eq!(elsewhere.interface_ip_addr.unwrap().to_string(), "10.0.0.2");
    assert!(elsewhere.ip_addr.is_unspecified());
    let audio = describe(FFMPEG_AUDIO, Kind::Receiver).unwrap();
    assert_eq!((audio.transport, audio.ttl), (Transport::St2110_30, Some(3)));
    let fixed = describe(FFMPEG_STATIC, Kind::Receiver).unwrap();
    let Payload::Audio(sound) = fixed.payload else { panic!("{fixed:?}") };
    assert_eq!((sound.format, sound.packet_time), (AudioFormat::PcmS16be, PacketTime::Ms1_09));

    let gst = GSTREAMER.replace("(string)", "");
    let gst = describe(&gst, Kind::Receiver).unwrap();
    assert_eq!((gst.rate, gst.ip_addr), (FrameRate::new(25, 1).ok(), [10, 0, 0, 1].into()));
    assert_eq!(gst.wire_format.unwrap().to_string(), "YCbCr-4:2:2 8 bit");
    let error = describe(GSTREAMER, Kind::Receiver).unwrap_err().to_string();
    assert!(error.contains("SDP line 9: depth is \"(string)8\""), "{error}");
}

#[test]
fn a_configuration_is_read_with_its_description() {
    let read = |members: &str| {
        let text = format!(r#"{{"connection": {{"st2110": {{"sdp": {VIDEO:?}{members}}}}}}}"#);
        ConnectionConfig::from_json(&text, Kind::Receiver)
    };
    let config = read("").unwrap();
    assert_eq!(config.group_id(), "192.168.100.2@239.100.9.10:50000");
    assert_eq!(check_agreement(&config, Kind::Receiver), Ok(()));
    assert_eq!(read(r#", "port": 1"#).unwrap_err().path, "connection.st2110.port");
    let mut wrong = config.clone();
    let Endpoint::St2110(stream) = &mut wrong.endpoint else { panic!("{wrong:?}") };
    stream.payload_type = 9;
    let error = check_agreement(&wrong, Kind::Receiver).unwrap_err();
    assert_eq!(error.path, "connection.st2110.payloadType");
}

/// Every kind of stream that can be sent, but for pictures, which are below.
fn configurations() -> Vec<ConnectionConfig> {
    let stream = |transport| {
        let mut stream = St2110::new([239, 1, 2, 3].into(), 5004);
        stream.transport = transport;
        stream.payload_type = 100;
        stream
    };
    let config = |stream, payload| ConnectionConfig::new(Endpoint::St2110(stream), payload);
    let mut all = Vec::new();
    for channels in [1, 2, 8] {
        let audio = Audio { channels, packet_time: PacketTime::Us125, ..Audio::default() };
        all.push(config(stream(Transport::St2110_30), Payload::Audio(audio)));
    }
    let format = AudioFormat::Am824;
    let aes3 = Audio { channels: 4, format, ..Audio::default() };
    all.push(config(stream(Transport::St2110_31), Payload::Audio(aes3)));
    let rate = FrameRate::new(50, 1).unwrap();
    let ancillary = Ancillary { rate, ..Ancillary::default() };
    all.push(config(stream(Transport::St2110_40), Payload::Ancillary(ancillary)));
    let mut compressed = stream(Transport::St2110_22);
    compressed.codec = Some(Codec::JpegXs);
    let video = Video { width: 1920, height: 1080, ..Video::default() };
    all.push(config(compressed.clone(), Payload::Video(video)));
    compressed.packet_mode = PacketMode::Slice;
    all.push(config(compressed, Payload::Video(video)));
    let mut both = stream(Transport::St2110_20);
    both.second_path = Some(SecondPath::new([239, 2, 2, 3].into(), 5004));
    both.ancillary =
        Some(AncillaryStream { ip_addr: [239, 1, 2, 4].into(), port: 5006, payload_type: 101 });
    let mut both = config(both, Payload::Video(video));
    both.max_metadata_size = 4096;
    all.push(both);
    all
}

#[test]
fn what_is_composed_is_flawless_and_agrees() {
    for config in configurations() {
        config.validate().unwrap();
        let text = compose(&config, &sender()).unwrap().to_string();
        let findings = check(&text).unwrap();
        let bad: Vec<_> = findings.iter().filter(|f| f.severity != Severity::Note).collect();
        assert!(bad.is_empty(), "{bad:?}\n{text}");
        let description = describe(&text, Kind::Source).unwrap();
        assert_eq!(description.check_agreement(&config), Ok(()), "{text}");
    }
}

#[test]
fn ancillary_data_beside_two_paths_have_two_as_well() {
    let both = configurations().pop().unwrap();
    let text = compose(&both, &sender()).unwrap().to_string();
    assert!(text.contains("a=group:DUP ancillary-primary ancillary-secondary\r\n"), "{text}");
    let document = Document::parse(&text).unwrap();
    let streams = Stream::read_all(&document).unwrap();
    let legs: Vec<_> = streams
        .iter()
        .filter(|stream| matches!(stream.essence, Essence::Ancillary(_)))
        .map(|stream| (stream.leg.destination.to_string(), stream.leg.port, stream.leg.source))
        .collect();
    let from = |address: [u8; 4]| Some(IpAddr::from(address));
    // On the second path the data go where the video goes, to the port of their own.
    let expected = [
        ("239.1.2.4".to_owned(), 5006, from([10, 0, 0, 1])),
        ("239.2.2.3".to_owned(), 5006, from([10, 1, 0, 1])),
    ];
    assert_eq!(legs, expected);
}

#[test]
fn what_a_receiver_expects_is_described() {
    let own = [[10, 0, 0, 2].into(), [10, 1, 0, 2].into()];
    for mut config in configurations() {
        let Endpoint::St2110(stream) = &mut config.endpoint else { panic!("{config:?}") };
        let is_ancillary = stream.transport == Transport::St2110_40;
        // Ways to cut and to pack are the sender's.
        stream.packet_mode = PacketMode::default();
        stream.mcast_sip_addr = Some([10, 0, 0, 1].into());
        stream.timing.media_clock_offset = Some(7);
        let text = compose_expected(&config, own).unwrap().to_string();
        let description = describe(&text, Kind::Receiver).unwrap();
        assert_eq!(description.check_agreement(&config), Ok(()), "{text}");
        assert_eq!(description.timing.media_clock_offset, Some(7));
        for unknown in ["TP=", "PM=", "ts-refclk", "colorimetry", "channel-order", "packetmode"] {
            assert!(!text.contains(unknown), "{unknown}: {text}");
        }
        let Endpoint::St2110(stream) = &mut config.endpoint else { panic!("{config:?}") };
        (stream.ip_addr, stream.mcast_sip_addr) = ([10, 0, 0, 1].into(), None);
        assert_eq!(text.contains("smpte291"), text.contains("m=video 5006") || is_ancillary);
        let text = compose_expected(&config, own).unwrap().to_string();
        assert!(text.contains("c=IN IP4 10.0.0.2\r\n"), "{text}");
        let description = describe(&text, Kind::Receiver).unwrap();
        assert_eq!(description.ip_addr, IpAddr::from([10, 0, 0, 1]), "{text}");
    }
}

#[test]
fn two_senders_of_one_group() {
    let text = "v=0\no=ali 1122334455 1122334466 IN IP4 198.51.100.9\ns=DUP\nt=0 0\nm=audio 30000 RTP/AVP 97\n\
        c=IN IP4 233.252.0.1/127\na=source-filter:incl IN IP4 233.252.0.1 198.51.100.1 198.51.100.2\n\
        a=rtpmap:97 L24/48000/2\na=ptime:1\na=ssrc:1000 cname:a\na=ssrc:1010 cname:a\na=ssrc-group:DUP 1000 1010\n";
    let description = describe(text, Kind::Receiver).unwrap();
    let second = description.second_path.unwrap();
    assert_eq!((second.ip_addr, second.port), (description.ip_addr, 30_000));
    assert_eq!(description.mcast_sip_addr, Some([198, 51, 100, 1].into()));
    assert_eq!(second.mcast_sip_addr, Some([198, 51, 100, 2].into()));
    let config = ConnectionConfig::new(Endpoint::St2110(description.stream()), description.payload);
    assert_eq!(config.validate(), Ok(()), "the senders tell the paths apart");
    assert!(!check(text).unwrap().iter().any(|it| it.text.contains("source-filter")), "{text}");
    // Without the group they may be any two senders, of one stream or of two.
    for (from, to) in [
        ("a=ssrc-group:DUP 1000 1010\n", ""),
        ("ssrc-group:DUP 1000 1010", "ssrc-group:FID 1000 1010"),
        ("198.51.100.1 198.51.100.2", "198.51.100.1 198.51.100.2 198.51.100.3"),
        ("198.51.100.1 198.51.100.2", "198.51.100.1 198.51.100.1"),
    ] {
        let error = describe(&text.replace(from, to), Kind::Receiver).expect_err(to).to_string();
        assert!(error.contains("SDP line 7: source-filter"), "{error}");
    }
}

#[test]
fn only_streams_are_composed() {
    let endpoint = Endpoint::MultipointGroup { urn: "x".into() };
    let config = ConnectionConfig::new(endpoint, Payload::Video(Video::default()));
    assert!(compose(&config, &sender()).is_none());
}

proptest! {
    #[test]
    fn pictures_survive(
        width in 1_u32..4000, height in 1_u32..2200, num in 1_u32..121,
        format in proptest::sample::select(PixelFormat::ALL),
        scan in proptest::sample::select(Scan::ALL), packing in proptest::sample::select(Packing::ALL),
    ) {
        let rate = FrameRate::new(num, 1).unwrap();
        let video = Video { width: width * 2, height: height * 6, rate, pixel_format: format, scan };
        let mut stream = St2110::new("ff15::1".parse().unwrap(), 5004);
        stream.packing = packing;
        let config = ConnectionConfig::new(Endpoint::St2110(stream), Payload::Video(video));
        prop_assume!(config.validate().is_ok());
        let text = compose(&config, &sender()).unwrap().to_string();
        let description = describe(&text, Kind::Receiver).unwrap();
        prop_assert_eq!(description.check_agreement(&config), Ok(()));
        prop_assert_eq!(description.wire_format, config.wire_format());
    }
}
