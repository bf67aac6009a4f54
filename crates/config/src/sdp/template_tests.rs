//! Tests of descriptions that are templates.

use crate::{AncillaryStream, ConnectionConfig, Endpoint, SecondPath};
use media::Payload;
use proptest::prelude::*;
use st2110::pacing::SenderType;

use super::samples::{FFMPEG_AUDIO, VIDEO};
use super::{Sender, compose, describe};
use proto::Kind;
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

/// The configuration that a source has of a description.
fn configured(text: &str) -> ConnectionConfig {
    let description = describe(text, Kind::Source).unwrap();
    ConnectionConfig::new(Endpoint::St2110(description.stream()), description.payload)
}

fn composed(config: &ConnectionConfig) -> String {
    let text = compose(config, &sender()).unwrap().to_string();
    let findings = check(&text).unwrap();
    let bad: Vec<_> = findings.iter().filter(|it| it.severity == Severity::Error).collect();
    assert!(bad.is_empty(), "{bad:?}\n{text}");
    assert_eq!(describe(&text, Kind::Source).unwrap().check_agreement(config), Ok(()), "{text}");
    text
}

const HDR: &str = "v=0\r\n\
o=studio 123456 11 IN IP4 192.168.100.2\r\n\
s=Camera 7\r\n\
i=wide angle\r\n\
c=IN IP4 239.100.9.10/32\r\n\
t=0 0\r\n\
a=x-house:7\r\n\
a=ts-refclk:localmac=01-02-03-04-05-06\r\n\
m=video 50000 RTP/AVP 112\r\n\
i=picture\r\n\
b=TIAS:1200000\r\n\
a=source-filter: incl IN IP4 239.100.9.10 192.168.100.2\r\n\
a=x-before\r\n\
a=rtpmap:112 raw/90000\r\n\
a=fmtp:112 sampling=ICtCp-4:2:2; width=1280; height=720; exactframerate=50/1; depth=10; TCS=PQ; colorimetry=BT2100; \
RANGE=FULL; PM=2110GPM; SSN=ST2110-20:2022; TP=2110TPN; TROFF=37; CMAX=4; x-own=9; x-flag; TSMODE=SAMP\r\n\
a=mediaclk:direct=963214424\r\n\
a=ssrc:17 cname:old\r\n\
a=x-after:1\r\n";

#[test]
fn what_was_given_stays_but_for_what_the_mesh_decides() {
    let mut config = configured(HDR);
    let Endpoint::St2110(stream) = &mut config.endpoint else { panic!("{config:?}") };
    stream.ttl = 9;
    let expected = "v=0\r\n\
o=studio 123456 11 IN IP4 10.0.0.1\r\n\
s=Camera 7\r\n\
i=wide angle\r\n\
t=0 0\r\n\
a=x-house:7\r\n\
m=video 50000 RTP/AVP 112\r\n\
i=picture\r\n\
c=IN IP4 239.100.9.10/9\r\n\
b=TIAS:1200000\r\n\
a=source-filter: incl IN IP4 239.100.9.10 10.0.0.1\r\n\
a=x-before\r\n\
a=rtpmap:112 raw/90000\r\n\
a=fmtp:112 sampling=ICtCp-4:2:2; width=1280; height=720; exactframerate=50; depth=10; TCS=PQ; colorimetry=BT2100; \
RANGE=FULL; PM=2110GPM; SSN=ST2110-20:2022; TP=2110TPW; x-own=9; x-flag; TSMODE=SAMP\r\n\
a=mediaclk:direct=0\r\n\
a=x-after:1\r\n\
a=ts-refclk:ptp=IEEE1588-2008:traceable\r\n";
    assert_eq!(composed(&config), expected);
    // A version that has grown here is not set back.
    let later = compose(&config, &Sender { version: 12, ..sender() }).unwrap().to_string();
    assert!(later.contains("o=studio 123456 12 IN IP4 10.0.0.1"), "{later}");
}

#[test]
fn given_paths_keep_their_names() {
    let text = composed(&configured(&VIDEO.replace("primary", "blue").replace("secondary", "red")));
    for line in ["a=group:DUP blue red", "a=mid:blue", "a=mid:red", "c=IN IP4 239.101.9.10/32"] {
        assert!(text.contains(&format!("{line}\r\n")), "{line}: {text}");
    }
    assert!(text.contains("incl IN IP4 239.101.9.10 10.1.0.1\r\n"), "{text}");
    assert_eq!(text.matches("a=group:").count(), 1, "{text}");
}

#[test]
fn a_second_path_may_stand_beside_the_description() {
    let mut config = configured(HDR);
    let Endpoint::St2110(stream) = &mut config.endpoint else { panic!("{config:?}") };
    stream.second_path = Some(SecondPath::new([239, 101, 9, 10].into(), 50_020));
    let text = composed(&config);
    assert_eq!(text.matches("a=group:DUP primary secondary\r\n").count(), 1, "{text}");
    assert_eq!(text.matches("m=video").count(), 2, "{text}");
}

#[test]
fn ancillary_data_are_described_if_they_are_sent() {
    let ancillary = "m=video 50010 RTP/AVP 100\r\nc=IN IP4 239.100.9.11/32\r\na=rtpmap:100 smpte291/90000\r\n\
a=fmtp:100 DID_SDID={0x61,0x02}; TM=LLTM\r\na=mid:captions\r\n";
    let given = VIDEO.replace("a=group:DUP", "a=group:LS primary captions\r\na=group:DUP");
    let given = format!("{given}{ancillary}");
    let mut config = configured(&given);
    let text = composed(&config);
    assert!(!text.contains("smpte291") && !text.contains("captions"), "{text}");
    config.max_metadata_size = 4096;
    let Endpoint::St2110(stream) = &mut config.endpoint else { panic!("{config:?}") };
    let (ip_addr, port) = ([239, 100, 9, 11].into(), 50_010);
    stream.ancillary = Some(AncillaryStream { ip_addr, port, payload_type: 113 });
    let text = composed(&config);
    assert_eq!(text.matches("smpte291/90000").count(), 2, "both paths: {text}");
    assert_eq!(text.matches("m=video 50010 RTP/AVP 113\r\n").count(), 2, "{text}");
    for part in [
        "a=group:LS primary captions\r\n",
        "a=group:DUP captions ancillary-secondary\r\n",
        "a=fmtp:113 DID_SDID={0x61,0x02}; exactframerate=60000/1001; SSN=ST2110-40:2018\r\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn audio_keeps_its_channels() {
    let given = FFMPEG_AUDIO
        .replace("a=rtpmap", "a=maxptime:20\r\na=fmtp:97 channel-order=SMPTE2110.(DM)\r\na=rtpmap");
    let text = composed(&configured(&given));
    assert!(text.contains("a=fmtp:97 channel-order=SMPTE2110.(DM)\r\n"), "{text}");
    assert!(text.contains("a=ptime:1\r\n") && !text.contains("maxptime"), "{text}");
    let Payload::Audio(_) = configured(FFMPEG_AUDIO).payload else { panic!("no audio") };
    assert!(!composed(&configured(FFMPEG_AUDIO)).contains("channel-order"));
}

#[test]
fn colours_may_be_configured() {
    let description = describe(VIDEO, Kind::Source).unwrap();
    let mut stream = description.stream();
    stream.sdp = None;
    stream.colour = st2110::video::Colour {
        colorimetry: Some(st2110::video::Colorimetry::Bt2100),
        transfer: Some(st2110::video::TransferCharacteristic::Hlg),
        range: Some(st2110::video::SampleRange::Full),
    };
    let config = ConnectionConfig::new(Endpoint::St2110(stream), description.payload);
    let text = compose(&config, &sender()).unwrap().to_string();
    assert!(text.contains("TCS=HLG; colorimetry=BT2100;") && text.contains("RANGE=FULL"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever was given: if a source takes it, its receivers can read what comes of it.
    #[test]
    fn any_template_gives_a_description_of_the_stream(
        hdr: bool, cut in proptest::collection::vec((0_usize..1500, "[a-z0-9=;: \\r\\n]{0,3}"), 0..4),
    ) {
        let mut text = if hdr { HDR.to_owned() } else { VIDEO.to_owned() };
        for (at, piece) in cut {
            if at + 2 < text.len() {
                text.replace_range(at..at + 2, &piece);
            }
        }
        if let Ok(description) = describe(&text, Kind::Source) {
            let config = ConnectionConfig::new(Endpoint::St2110(description.stream()), description.payload);
            prop_assume!(config.validate().is_ok());
            let composed = compose(&config, &sender()).unwrap().to_string();
            let read = describe(&composed, Kind::Source);
            prop_assert_eq!(read.map(|it| it.check_agreement(&config)), Ok(Ok(())), "{}", composed);
        }
    }
}
