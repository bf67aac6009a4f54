//! `mcm sdp`, `mcm analyze` and `mcm st2110` as programs, over loopback.

mod common;
#[path = "../../crates/st2110/src/jpegxs/sample.rs"]
mod sample;

use common::{Place, free_port, mcm, noise, run, text, wait_for_port};

/// Sends a file and receives it: the same bytes.
#[track_caller]
fn there_and_back(name: &str, transport: &str, payload: &str, content: &[u8], frames: usize) {
    let place = Place::new(name);
    let port = free_port();
    let config = format!(
        r#"{{"connection": {{"st2110": {{"transport": "{transport}", "ipAddr": "127.0.0.1", "port": {port},
            "payloadType": 96, "pacing": "wide"}}}}, "payload": {payload}}}"#
    );
    let config = place.file("connection.json", config.as_bytes());
    let input = place.file("in", content);
    let output = place.0.join("out");
    let count = frames.to_string();
    let receive = ["st2110", "recv", "-n", &count, "-t", "60", &config, output.to_str().unwrap()];
    let mut receiver = mcm(&receive).spawn().unwrap();
    wait_for_port(&mut receiver, port);
    let sent = run(&["st2110", "send", &config, &input]);
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    let received = receiver.wait_with_output().unwrap();
    assert!(received.status.success(), "{}", text(&received.stderr));
    assert!(std::fs::read(&output).unwrap() == content, "other bytes: {}", text(&received.stderr));
}

#[test]
fn video_there_and_back() {
    let payload = r#"{"video": {"width": 64, "height": 36, "fps": 25, "pixelFormat": "uyvy422"}}"#;
    there_and_back("video", "st2110-20", payload, &noise(64 * 36 * 2 * 5), 5);
}

#[test]
fn audio_there_and_back() {
    let payload = r#"{"audio": {"channels": 2, "format": "pcm_s24be", "packetTime": "4ms"}}"#;
    there_and_back("audio", "st2110-30", payload, &noise(192 * 6 * 20), 20);
}

#[test]
fn ancillary_data_there_and_back() {
    use st2110::ancillary::{Packet, write_block};
    let mut file = Vec::new();
    for n in 0..5 {
        let packets: Vec<_> = (0..n).map(|did| Packet::new(did + 1, n, &[n; 20])).collect();
        let mut block = vec![0; 1000];
        let len = write_block([&packets, &[]], &mut block).unwrap();
        file.extend((len as u32).to_be_bytes());
        file.extend(&block[..len]);
    }
    there_and_back("ancillary", "st2110-40", r#"{"ancillary": {"fps": 25}}"#, &file, 5);
}

#[test]
fn codestreams_there_and_back() {
    let mut file = Vec::new();
    for fill in 0..5 {
        let slices = vec![5000, 900 * usize::from(fill)];
        let sample = sample::Sample { slices, fill, ..Default::default() };
        let codestream = sample::codestream(&sample);
        file.extend((codestream.len() as u32).to_be_bytes());
        file.extend(codestream);
    }
    let video = r#"{"video": {"width": 640, "height": 360, "fps": 25}}, "maxPayloadSize": 100000"#;
    there_and_back("codestreams", "st2110-22", video, &file, 5);
}

const SDP: &str = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=audio 5004 RTP/AVP 97\nc=IN IP4 127.0.0.1\n\
    a=rtpmap:97 L24/48000/2\na=fmtp:97 channel-order=SMPTE2110.(ST)\na=ptime:1\n\
    a=ts-refclk:ptp=IEEE1588-2008:traceable\na=mediaclk:direct=0\n";

#[test]
fn a_description_is_checked() {
    let place = Place::new("sdp");
    let good = place.file("good.sdp", SDP.as_bytes());
    let output = run(&["sdp", &good]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "0 errors, 0 warnings, 0 notes\n");

    let bad = place.file("bad.sdp", SDP.replace("a=ptime:1\n", "").as_bytes());
    let output = run(&["sdp", &bad]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("line 5: error: a=ptime is missing (AES67 §8.1)"));
    // Once, and in proper English.
    assert!(text(&output.stdout).ends_with("\n1 error, 0 warnings, 0 notes\n"));
    assert_eq!(text(&output.stderr), "");
    let output = run(&["sdp", "--json", &bad]);
    assert!(text(&output.stdout).contains(r#""clause": "AES67 §8.1""#));

    let none = place.file("none.sdp", b"v=0\nhello\n");
    let output = run(&["sdp", &none]);
    assert!(text(&output.stderr).contains("SDP line 2"), "{}", text(&output.stderr));
}

#[test]
fn a_stream_is_judged() {
    let place = Place::new("analyze");
    let port = free_port();
    let sdp = place.file("x.sdp", SDP.replace("5004", &port.to_string()).as_bytes());
    let input = place.file("in", &noise(48 * 6));
    let arguments = ["analyze", "--json", "-t", "2", &sdp];
    let mut analyser = mcm(&arguments).spawn().unwrap();
    wait_for_port(&mut analyser, port);
    let mut sender = mcm(&["st2110", "send", "--loop", &sdp, &input]).spawn().unwrap();
    let output = analyser.wait_with_output();
    sender.kill().unwrap();
    sender.wait().unwrap();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["samples_a_packet"], 48, "{report}");
    assert!(report["packets"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn what_cannot_be_done_is_said() {
    let place = Place::new("errors");
    let group = place.file(
        "group.json",
        br#"{"connection": {"multipointGroup": {"urn": "x"}}, "payload": {"audio": {}}}"#,
    );
    let coded = place.file(
        "coded.json",
        br#"{"connection": {"st2110": {"transport": "st2110-22", "ipAddr": "127.0.0.1", "port": 5004}},
            "payload": {"video": {}}}"#,
    );
    let plain = place.file(
        "plain.json",
        br#"{"connection": {"st2110": {"ipAddr": "127.0.0.1", "port": 5004}}, "payload": {"video": {}}}"#,
    );
    for (arguments, status, word) in [
        (vec!["sdp"], 2, "<FILE|STREAM>"),
        (vec!["sdp", "-s", "127.0.0.1:1", "239.1.1.1:5004"], 1, "media proxy at 127.0.0.1:1"),
        (vec!["sdp", "/nonexistent"], 1, "/nonexistent"),
        (vec!["st2110", "send"], 2, "<FILE>"),
        (vec!["st2110", "send", &coded, "/dev/null"], 1, "does not encode"),
        (
            vec!["st2110", "recv", "--incomplete", "x", &plain, "/dev/null"],
            2,
            "deliver, repeat, drop",
        ),
        (vec!["st2110", "send", "--incomplete", "drop", &plain, "/dev/null"], 2, "received frames"),
        (
            vec!["st2110", "send", "--ancillary", "x", &plain, "/dev/null"],
            1,
            "STREAM has no connection.st2110.ancillary",
        ),
        (vec!["st2110", "recv", "--ancillary", "-", &plain, "-"], 2, "another file than FILE"),
        (vec!["st2110", "sideways", "a", "b"], 2, "send, recv"),
        (vec!["st2110", "send", &group, "/dev/null"], 1, "needs connection.st2110"),
        (vec!["analyze"], 2, "<STREAM>"),
        (vec!["analyze", "-t", "0", "127.0.0.1:1"], 2, "--seconds"),
        (vec!["analyze", &group], 1, "needs connection.st2110"),
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        assert!(text(&output.stderr).contains(word), "{arguments:?}: {}", text(&output.stderr));
    }
}
