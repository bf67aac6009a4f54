//! Tests of the checker.

use super::super::samples::{FFMPEG_VIDEO, VIDEO};
use super::*;

fn findings(text: &str) -> Vec<Finding> {
    check(text).unwrap()
}

#[test]
fn the_example_of_the_standard_is_flawless() {
    assert_eq!(findings(VIDEO), []);
}

#[test]
fn what_ffmpeg_leaves_out_is_found() {
    let found = findings(FFMPEG_VIDEO);
    for word in ["exactframerate", "colorimetry", "PM", "SSN", "TP", "ts-refclk", "mediaclk"] {
        let named = |finding: &Finding| finding.text.contains(&format!("{word} is missing"));
        let finding = found.iter().find(|finding| named(finding)).expect(word);
        assert_eq!(finding.severity, Severity::Error);
    }
}

#[test]
fn each_flaw_is_found_at_its_line() {
    use Severity::{Error, Note, Warning};
    for (from, to, severity, line, clause) in [
        ("s=Example of a SMPTE ST2110-20 signal\r\n", "", Error, 0, "RFC 8866 §5.3"),
        ("o=- 123456", "o=- x", Error, 2, "RFC 8866 §5.2"),
        ("t=0 0\r\na=recvonly\r\n", "a=recvonly\r\nt=0 0\r\n", Error, 6, "RFC 8866 §5"),
        ("a=recvonly", "a=sendonly", Note, 6, "RFC 8866 §6.7"),
        ("a=group:DUP primary", "a=group:DUP first", Error, 7, "RFC 5888 §5"),
        ("c=IN IP4 239.100.9.10/32", "c=IN IP4 239.100.9.10", Error, 9, "RFC 8866 §5.7"),
        ("m=video 50000", "m=video 50001", Note, 8, "RFC 3550 §11"),
        (
            "a=source-filter: incl IN IP4 239.100.9.10 192.168.100.2\r\n",
            "",
            Warning,
            8,
            "ST 2110-10 §8.4, RFC 4570",
        ),
        ("60000/1001", "59.94", Error, 12, "ST 2110-20 §7.2"),
        ("60000/1001", "50/1", Error, 12, "ST 2110-20 §7.2"),
        ("colorimetry=BT709", "colorimetry=709", Error, 12, "ST 2110-20 §7.2"),
        ("TP=2110TPN", "TP=N", Error, 12, "ST 2110-21 §8.1"),
        ("TP=2110TPN; ", "", Error, 12, "ST 2110-21 §8.1"),
        ("TCS=SDR", "TCS=SDR; segmented", Error, 12, "ST 2110-20 §7.3"),
        ("width=1280; height=720", "width=720; height=576", Warning, 12, "ST 2110-20 §7.3"),
        ("width=1280", "width=1281", Error, 12, "ST 2110-20 §6.2"),
        ("TCS=SDR", "MAXUDP=9000", Error, 12, "ST 2110-10 §8.6"),
        (
            "a=ts-refclk:ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:37",
            "a=ts-refclk:gps",
            Error,
            13,
            "ST 2110-10 §8.2",
        ),
        ("a=mediaclk:direct=0\r\n", "", Error, 8, "ST 2110-10 §8.3"),
        ("a=mid:secondary", "a=mid:primary", Error, 23, "RFC 5888 §4"),
        ("width=1280", "width=x", Error, 12, "the stream cannot be read"),
    ] {
        let text = VIDEO.replacen(from, to, 1);
        assert_ne!(text, VIDEO, "{to}");
        let found = findings(&text);
        let hit = found.iter().any(|f| (f.severity, f.line, f.clause) == (severity, line, clause));
        assert!(hit, "{to}: {found:#?}");
    }
    let both = VIDEO.replace("width=1280", "width=1920").replacen("width=1920", "width=1280", 1);
    assert!(findings(&both).iter().any(|finding| finding.clause == "ST 2022-7 §6"));
}

#[test]
fn flaws_of_audio_and_ancillary_data() {
    let head = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=x\nt=0 0\n";
    let clocks = "a=ts-refclk:ptp=IEEE1588-2008:traceable\na=mediaclk:direct=0\n";
    let medium = |m: &str| format!("{head}{m}{clocks}");
    let clauses = |text: &str| findings(text).iter().map(|f| f.clause).collect::<Vec<_>>();
    let place = "c=IN IP4 10.0.0.2\n";
    let good = medium(&format!(
        "m=audio 5004 RTP/AVP 97\n{place}a=rtpmap:97 L24/48000/2\na=fmtp:97 channel-order=SMPTE2110.(ST)\na=ptime:1\n"
    ));
    assert_eq!(findings(&good), []);
    assert_eq!(clauses(&good.replace("a=ptime:1\n", "")), ["AES67 §8.1"]);
    assert_eq!(clauses(&good.replace("48000/2", "32000/2")), ["ST 2110-30 §6.1"]);
    assert_eq!(clauses(&good.replace("48000/2", "48000/11")), ["ST 2110-10 §6.3"]);
    assert_eq!(clauses(&good.replace("SMPTE2110.(ST)", "ST")), ["ST 2110-30 §6.2.2"]);
    assert_eq!(clauses(&good.replace("L24/48000/2", "AM824/48000/3")), ["ST 2110-31 §6.1"]);
    let good = medium(&format!(
        "m=video 5004 RTP/AVP 97\n{place}a=rtpmap:97 smpte291/90000\na=fmtp:97 exactframerate=25; SSN=ST2110-40:2018\n"
    ));
    assert_eq!(findings(&good), []);
    assert_eq!(clauses(&good.replace("exactframerate=25; ", "")), ["ST 2110-40 §7"]);
    assert_eq!(clauses(&good.replace("25;", "25; TM=fast;")), ["ST 2110-40 §7"]);
}
