//! Descriptions as devices and programs write them: what is received, and what a check says.

use crate::sdp::{Description, describe};
use media::Scan;
use proto::Kind;
use st2110::sdp::{Severity, check, remarks};

use super::*;

/// A description without a flaw.
const GOOD: &str = "v=0
o=- 100 1 IN IP4 192.0.2.10
s=a stream
t=0 0
m=video 20000 RTP/AVP 98
c=IN IP4 239.1.1.9/64
a=rtpmap:98 raw/90000
a=fmtp:98 sampling=YCbCr-4:2:2; width=1920; height=1080; exactframerate=50; depth=10; TCS=SDR; colorimetry=BT709; PM=2110GPM; SSN=ST2110-20:2017; TP=2110TPN
a=ts-refclk:ptp=IEEE1588-2008:00-00-5E-FF-FE-00-53-01:127
a=mediaclk:direct=0
a=source-filter: incl IN IP4 239.1.1.9 192.0.2.10
";

/// The same description with something else in it.
fn with(from: &str, to: &str) -> String {
    let text = GOOD.replace(from, to);
    assert_ne!(text, GOOD, "{from}");
    text
}

/// Line, severity and text of all findings.
fn found(text: &str) -> Vec<(usize, Severity, String)> {
    let all = check(text).unwrap().into_iter();
    all.map(|finding| (finding.line, finding.severity, finding.text)).collect()
}

/// There is this one finding, whose text has these words.
fn finds(text: &str, line: usize, severity: Severity, words: &[&str]) {
    let found = found(text);
    let [(at, kind, told)] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!((*at, *kind), (line, severity), "{told}");
    for word in words {
        assert!(told.contains(word), "{word}: {told}");
    }
}

fn received(text: &str) -> Description {
    describe(text, Kind::Receiver).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_good_one_has_no_flaw() {
    assert_eq!(found(GOOD), []);
    assert_eq!(received(GOOD).ttl, Some(64));
}

#[test]
fn a_count_of_one_address_is_one_address() {
    let one = with("239.1.1.9/64", "239.1.1.9/64/1");
    assert_eq!(found(&one), []);
    assert_eq!((received(&one).ip_addr, received(&one).ttl), (received(GOOD).ip_addr, Some(64)));
    finds(
        &with("239.1.1.9/64", "239.1.1.9/64/3"),
        6,
        Severity::Error,
        &["239.1.1.9/64/3", "/TTL/1"],
    );
    let six = GOOD.replace("IP4 239.1.1.9", "IP6 ff3e::9").replace("192.0.2.10", "2001:db8::1");
    let six = six.replace("o=- 100 1 IN IP4", "o=- 100 1 IN IP6");
    for (end, readable) in [("", true), ("/1", true), ("/2", false), ("/64/1", false)] {
        let text = six.replace("ff3e::9/64", &format!("ff3e::9{end}"));
        let errors: Vec<_> = found(&text);
        assert_eq!(errors.is_empty(), readable, "{end}: {errors:?}");
    }
}

#[test]
fn clocks_with_an_offset_and_a_rate() {
    let text = with("direct=0", "direct=0 rate=90000");
    finds(&text, 10, Severity::Note, &["rate=90000"]);
    assert_eq!(received(&text).timing.media_clock_offset, Some(0));
    let text = with("direct=0", "direct=1876655126 rate=90000");
    let all = found(&text);
    assert!(all.iter().all(|(line, severity, _)| (*line, *severity) == (10, Severity::Note)));
    assert!(all.iter().any(|(_, _, text)| text.contains("1876655126") && text.contains("wants 0")));
    assert_eq!(received(&text).timing.media_clock_offset, Some(1_876_655_126));
    finds(&with("direct=0", "direct=0 rate=48000"), 10, Severity::Error, &["48000", "90000"]);
    // What cannot be read is as if it were not there.
    let broken = with("direct=0", "direct=x");
    finds(&broken, 10, Severity::Error, &["direct=x"]);
    assert_eq!(received(&broken).timing.media_clock_offset, None);
}

#[test]
fn a_clock_that_cannot_be_read_keeps_nobody_from_receiving() {
    let text = with("00-00-5E-FF-FE-00-53-01:127", "00 00 5E FF FE 00 53 01:42");
    finds(&text, 9, Severity::Error, &["ts-refclk", "00 00 5E FF FE 00 53 01:42", "GMID"]);
    received(&text);
    let text = with(":00-00-5E-FF-FE-00-53-01:127", "");
    finds(&text, 9, Severity::Error, &["ptp=IEEE1588-2008", "names no PTP clock"]);
}

#[test]
fn two_copies_to_one_place_are_one_path() {
    let medium = GOOD.split_once("m=").unwrap().1;
    let text = format!(
        "{}a=mid:B\n",
        GOOD.replace("t=0 0\n", "t=0 0\na=group:DUP A B\n") + "a=mid:A\nm=" + medium
    );
    finds(&text, 14, Severity::Error, &["same source, destination and port", "one path"]);
    assert_eq!(received(&text).second_path, None);
    let warnings = remarks(&text);
    assert!(warnings.len() == 1 && warnings[0].text.contains("one path"), "{warnings:?}");
    // With two interfaces they are two.
    let both = text;
    let json = |interfaces: &str| {
        let text = format!(r#"{{"connection": {{"st2110": {{"sdp": {both:?}{interfaces}}}}}}}"#);
        crate::ConnectionConfig::from_json(&text, Kind::Receiver).unwrap()
    };
    let config = json(
        r#", "interfaceIpAddr": "192.0.2.1", "secondPath": {"interfaceIpAddr": "192.0.2.129"}"#,
    );
    let crate::Endpoint::St2110(stream) = &config.endpoint else { panic!("{config:?}") };
    let second = stream.second_path.unwrap();
    assert_eq!((second.ip_addr, second.port), (stream.ip_addr, stream.port));
    assert_eq!(second.mcast_sip_addr, stream.mcast_sip_addr);
}

#[test]
fn parameters_that_are_nearly_right() {
    let text = with("TP=2110TPN", "TP=2110TPN; interlaced");
    finds(&text, 8, Severity::Warning, &["interlaced", "interlace may be meant"]);
    assert_eq!(remarks(&text).len(), 1);
    let media::Payload::Video(video) = received(&text).payload else { panic!() };
    assert_eq!(video.scan, Scan::Progressive);
    let text = with("SSN=ST2110-20:2017", "SSN=\"ST2110-20:2017\"");
    finds(&text, 8, Severity::Note, &["SSN", "quotes", "ST2110-20:2017"]);
    let text = with("exactframerate=50", "exactframerate=\"60000/1001\"");
    finds(&text, 8, Severity::Note, &["exactframerate", "quotes"]);
    assert_eq!(received(&text).rate, Some(media::FrameRate { num: 60_000, den: 1001 }));
}

#[test]
fn one_fault_does_not_hide_the_others() {
    let text = with("PM=2110GPM", "PM=foo").replace("2110TPN", "2110TPX").replace("BT709", "BT708");
    let all = found(&text);
    for word in ["PM is \"foo\"", "TP is \"2110TPX\"", "colorimetry is \"BT708\""] {
        assert_eq!(all.iter().filter(|(_, _, text)| text.contains(word)).count(), 1, "{all:#?}");
    }
    assert_eq!(all.len(), 3, "{all:#?}");
    received(&text);
    // Not even one without which nothing can be received.
    let text = with("width=1920", "width=x").replace("2110TPN", "2110TPX");
    let text = text.replace("239.1.1.9/64", "239.1.1.9/64/2");
    let lines: Vec<_> = found(&text).into_iter().map(|(line, _, _)| line).collect();
    assert_eq!(lines, [6, 8, 8]);
    assert!(describe(&text, Kind::Receiver).is_err());
    // Nor is it told twice.
    let text = with("m=video 20000", "a=group:DUP A B\nm=video 20000") + "a=mid:A\n";
    let text = text.replace("239.1.1.9/64", "239.1.1.9/64/3") + "m=audio 5004 RTP/AVP 11\n";
    let text = text
        + "c=IN IP4 192.0.2.1\na=ptime:1\na=ts-refclk:ptp=IEEE1588-2008:traceable\n"
        + "a=mediaclk:direct=0\na=mid:B\n";
    let errors = found(&text).into_iter().filter(|finding| finding.1 == Severity::Error);
    let errors: Vec<_> = errors.map(|(line, _, _)| line).collect();
    assert_eq!(errors, [7], "{text}");
}

#[test]
fn of_several_the_first_is_received_and_it_is_said() {
    let text = with("c=IN IP4 239.1.1.9/64\n", "c=IN IP4 239.1.1.9/64\nc=IN IP4 239.1.1.10/64\n");
    finds(&text, 7, Severity::Warning, &["239.1.1.9 alone", "239.1.1.10/64"]);
    assert_eq!((received(&text).ip_addr, remarks(&text).len()), (received(GOOD).ip_addr, 1));
    for types in ["98 99", "99 98"] {
        let text = with("RTP/AVP 98", &format!("RTP/AVP {types}"));
        finds(&text, 5, Severity::Warning, &["98 alone is received"]);
        assert_eq!(received(&text).payload_type, 98);
    }
    // One that is known goes before one that is not.
    let text = with("RTP/AVP 98", "RTP/AVP 99 98") + "a=rtpmap:99 rtx/90000\n";
    assert_eq!(received(&text).payload_type, 98);
}

#[test]
fn senders_may_be_excluded() {
    let filter = "a=source-filter: incl IN IP4 239.1.1.9 192.0.2.10";
    let text = with(filter, "a=source-filter: excl IN IP4 239.1.1.9 192.0.2.51 192.0.2.52");
    assert_eq!(found(&text), []);
    assert_eq!(received(&text).mcast_sip_addr, None);
    let senders = [51, 52].map(|host| std::net::IpAddr::from([192, 0, 2, host]));
    assert_eq!(excluded(&text), [senders.to_vec(), senders.to_vec()]);
    let elsewhere = with(filter, "a=source-filter: excl IN IP4 239.1.1.10 192.0.2.51");
    assert_eq!(excluded(&elsewhere), <[Vec<std::net::IpAddr>; 2]>::default());
    let everywhere = with(filter, "a=source-filter: excl IN * * 192.0.2.51");
    assert_eq!(excluded(&everywhere)[0], [senders[0]]);
    assert_eq!(excluded(GOOD), <[Vec<std::net::IpAddr>; 2]>::default());
}

#[test]
fn ancillary_data_and_audio() {
    let text = with("m=video", "m=ancillary").replace("raw/", "smpte291/");
    let start = text.find("a=fmtp").unwrap();
    let end = start + text[start..].find('\n').unwrap();
    let line = "a=fmtp:98 DID_SDID={0x61,0x02}; exactframerate=25; SSN=ST2110-40:2018";
    let text = format!("{}{line}{}", &text[..start], &text[end..]);
    finds(&text, 5, Severity::Error, &["m=ancillary", "video/smpte291"]);
    received(&text);
    let audio = "v=0\no=- 100 1 IN IP4 192.0.2.10\ns=x\nt=0 0\nm=audio 5004 RTP/AVP 96\nc=IN IP4 192.0.2.11\n\
        a=rtpmap:96 L24/48000/2\na=fmtp:96 channel-order=SMPTE2110.(ST)\na=ptime:1000\n\
        a=ts-refclk:ptp=IEEE1588-2008:traceable\na=mediaclk:direct=0\n";
    finds(audio, 9, Severity::Error, &["ptime is \"1000 ms\"", "0.125"]);
    let media::Payload::Audio(told) = received(audio).payload else { panic!() };
    assert_eq!(told.packet_time, media::PacketTime::Ms1);
    let text = audio.replace("ptime:1000", "ptime:x");
    finds(&text, 9, Severity::Error, &["ptime is \"x\""]);
}
