//! Tests of streams of session descriptions.

use crate::video::Packing;
use media::{FrameRate, Scan};
use proptest::prelude::*;

use super::super::samples::{FFMPEG_AUDIO, FFMPEG_STATIC, FFMPEG_VIDEO, VIDEO};
use super::super::{AncillaryEssence, AudioEssence, CompressedEssence, Picture, VideoEssence};
use super::*;
use crate::audio::Coding;
use crate::reference::{Domain, PtpServer};

fn read(text: &str) -> Result<Vec<Stream>, SdpError> {
    Stream::read_all(&Document::parse(text)?)
}

#[test]
fn the_example_of_the_standard() {
    let streams = read(VIDEO).unwrap();
    let [first, second] = streams.as_slice() else { panic!("{streams:?}") };
    assert_eq!((first.line, first.payload_type, first.mid.as_deref()), (8, 112, Some("primary")));
    let expected = Leg {
        destination: [239, 100, 9, 10].into(),
        ttl: Some(32),
        port: 50000,
        source: Some([192, 168, 100, 2].into()),
    };
    assert_eq!(first.leg, expected);
    assert_eq!(second.leg.port, 50020);
    assert_eq!(first.media_clock, Some(MediaClockSource::direct(0)));
    let identity = [0x39, 0xa7, 0x94, 0xff, 0xfe, 0x07, 0xcb, 0xd0];
    assert_eq!(first.reference_clocks, [ReferenceClock::grandmaster(identity, 37)]);
    let Essence::Video(video) = &first.essence else { panic!("{first:?}") };
    assert_eq!((video.picture.width, video.picture.height), (1280, 720));
    assert_eq!(video.picture.rate, Some(FrameRate { num: 60000, den: 1001 }));
    assert_eq!((video.packing, video.others.len()), (Some(Packing::General), 0));
    assert_eq!(video.picture.tp.as_deref(), Some("2110TPN"));
}

#[test]
fn what_ffmpeg_writes() {
    let streams = read(FFMPEG_VIDEO).unwrap();
    let picture = streams[0].essence.picture().unwrap();
    assert_eq!((picture.width, picture.rate, picture.scan), (640, None, Scan::Interlaced));
    assert_eq!(streams[0].bandwidth, Some(115_200));
    for (text, coding, rate) in
        [(FFMPEG_AUDIO, Coding::L24, 48_000), (FFMPEG_STATIC, Coding::L16, 44_100)]
    {
        let streams = read(text).unwrap();
        let Essence::Audio(audio) = &streams[0].essence else { panic!("{streams:?}") };
        assert_eq!((audio.coding, audio.rate, audio.channels), (coding, rate, 2));
    }
}

#[test]
fn errors_have_lines() {
    let good = VIDEO;
    assert!(read(good).is_ok());
    for (from, to, line) in [
        ("m=video 50000", "m=video x", 8),
        ("m=video 50000", "m=video 0", 8),
        ("m=video 50000 RTP/AVP 112", "m=video 50000 RTP/AVP 112 200", 8),
        ("m=video 50000 RTP/AVP 112", "m=video 50000 RTP/SAVP 112", 8),
        ("m=video 50000 RTP/AVP 112", "m=video 50000 RTP/AVP 113", 8),
        ("c=IN IP4 239.100.9.10/32", "c=IN IP4 239.100.9.10/256", 9),
        ("c=IN IP4 239.100.9.10/32", "c=IN IP6 239.100.9.10", 9),
        ("c=IN IP4 239.100.9.10/32", "c=IN IP4 239.100.9.10/32/3", 9),
        ("c=IN IP4 239.100.9.10/32\r\n", "i=x\r\n", 8),
        ("incl IN IP4 239.100.9.10", "only IN IP4 239.100.9.10", 10),
        ("a=rtpmap:112 raw/90000", "a=rtpmap:112 raw", 11),
        ("a=rtpmap:112 raw/90000", "a=rtpmap:112 raw/48000", 11),
        ("a=rtpmap:112 raw/90000", "a=rtpmap:112 H264/90000", 11),
        ("width=1280", "width=0", 12),
        ("width=1280", "w=1280", 12),
        ("exactframerate=60000/1001", "exactframerate=fast", 12),
    ] {
        let text = good.replacen(from, to, 1);
        let error = read(&text).expect_err(to);
        assert_eq!(error.line, line, "{to}: {error}");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    "[A-Za-z0-9:._()-]{1,12}"
}

fn any_rate() -> impl Strategy<Value = FrameRate> {
    prop_oneof![(1_u32..121).prop_map(|n| (n, 1)), (24_u32..121).prop_map(|n| (n * 1000, 1001))]
        .prop_map(|(num, den)| FrameRate::new(num, den).unwrap())
}

fn any_others() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
    proptest::collection::vec(("x-[a-z]{1,8}", proptest::option::of(any_text())), 0..3)
}

prop_compose! {
    fn any_picture()(
        texts in proptest::collection::vec(proptest::option::of(any_text()), 8),
        numbers in proptest::collection::vec(proptest::option::of(any::<u32>()), 4),
        width in 1_u32..32_768, height in 1_u32..32_768, rate in proptest::option::of(any_rate()),
        scan in proptest::sample::select(Scan::ALL),
        par in proptest::option::of((1_u32..100, 1_u32..100)),
    ) -> Picture {
        let text = |n: usize| texts[n].clone();
        Picture {
            sampling: text(0),
            depth: text(1),
            width,
            height,
            rate,
            scan,
            colorimetry: text(2),
            tcs: text(3),
            range: text(4),
            par,
            ssn: text(5),
            tp: text(6),
            troff: numbers[0],
            cmax: numbers[1],
            max_udp: numbers[2],
            ts_mode: text(7),
            ts_delay: numbers[3],
        }
    }
}

fn any_essence() -> impl Strategy<Value = Essence> {
    let video =
        (any_picture(), proptest::option::of(proptest::sample::select(Packing::ALL)), any_others());
    let modes = proptest::option::of(0_u8..2);
    let compressed = (any_picture(), modes.clone(), modes, any_others());
    let times = proptest::option::of((1_u32..5000).prop_map(|n| f64::from(n) / 1000.0));
    let audio = (
        proptest::sample::select(&Coding::ALL[..]),
        1_u32..200_000,
        1_u16..65,
        (times.clone(), times, proptest::option::of(1_u32..400)),
        proptest::option::of(any_text()),
        any_others(),
    );
    let ancillary = (
        proptest::option::of(any_rate()),
        proptest::collection::vec(any::<(u8, u8)>(), 0..4),
        proptest::option::of(any::<u8>()),
        proptest::collection::vec(proptest::option::of(any_text()), 3),
        proptest::option::of(any::<u32>()),
        any_others(),
    );
    prop_oneof![
        video.prop_map(|(picture, packing, others)| {
            Essence::Video(VideoEssence { picture, packing, others })
        }),
        compressed.prop_map(|(picture, packet_mode, trans_mode, others)| {
            Essence::Compressed(CompressedEssence { picture, packet_mode, trans_mode, others })
        }),
        audio.prop_map(|(coding, rate, channels, times, channel_order, others)| {
            let (ptime, max_ptime, frame_count) = times;
            Essence::Audio(AudioEssence {
                coding,
                rate,
                channels,
                ptime,
                max_ptime,
                frame_count,
                channel_order,
                others,
            })
        }),
        ancillary.prop_map(|(rate, kinds, vpid_code, texts, troff, others)| {
            let [ssn, tm, ts_mode] = [0, 1, 2].map(|n: usize| texts[n].clone());
            let rest = AncillaryEssence { rate, kinds, vpid_code, ssn, tm, troff, ts_mode, others };
            Essence::Ancillary(rest)
        }),
    ]
}

prop_compose! {
    fn any_stream()(
        essence in any_essence(),
        six: bool, destination: [u8; 16], source in proptest::option::of(any::<[u8; 16]>()),
        ttl in proptest::option::of(any::<u8>()), port in 1_u16.., payload_type in 0_u8..128,
        mid in proptest::option::of("[a-z]{1,8}"),
        bandwidth in proptest::option::of(any::<u64>()),
        clocks in (proptest::option::of(any::<([u8; 8], Option<u8>)>()), proptest::option::of(any::<[u8; 6]>())),
        media_clock in proptest::option::of(any::<u32>()),
        excluded in proptest::collection::vec(any::<[u8; 16]>(), 0..3),
    ) -> Stream {
        let host = |bytes: [u8; 16]| -> IpAddr {
            if six { bytes.into() } else { [bytes[0], bytes[1], bytes[2], bytes[3]].into() }
        };
        let version = "IEEE1588-2008".to_owned();
        let ptp = clocks.0.map(|(identity, domain)| {
            let domain = domain.map(Domain::Number);
            let server = Some(PtpServer::Grandmaster { id: identity, domain });
            ReferenceClock::Ptp { version, server }
        });
        let own = clocks.1.map(ReferenceClock::LocalMac);
        Stream {
            line: 0,
            mid,
            leg: Leg { destination: host(destination), ttl: ttl.filter(|_| !six), port, source: source.map(host) },
            excluded: if source.is_none() { excluded.into_iter().map(host).collect() } else { Vec::new() },
            payload_type,
            essence,
            bandwidth,
            reference_clocks: ptp.into_iter().chain(own).collect(),
            media_clock: media_clock.map(MediaClockSource::direct),
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(streams in proptest::collection::vec(any_stream(), 1..4)) {
        let mut document = Document::default();
        document.session.push('v', 0);
        document.media = streams.iter().map(Stream::section).collect();
        let text = document.to_string();
        let again = Document::parse(&text).unwrap();
        prop_assert_eq!(&again, &document);
        let mut read = Stream::read_all(&again).unwrap();
        for stream in &mut read {
            stream.line = 0;
        }
        prop_assert_eq!(read, streams);
    }

    #[test]
    fn no_damage_makes_the_reader_panic(
        cut in proptest::collection::vec((0_usize..1500, "[^\\pC]{0,3}"), 1..6),
    ) {
        let mut text = VIDEO.to_owned();
        for (at, piece) in cut {
            if at + 2 < text.len() && text.is_char_boundary(at) && text.is_char_boundary(at + 2) {
                text.replace_range(at..at + 2, &piece);
            }
        }
        let _ = read(&text);
        let _ = super::super::check(&text);
    }
}
