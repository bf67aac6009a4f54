//! `mcm analyze` where something is missing: packets, a path, a port.

mod common;

use common::{Place, free_port, mcm, noise, run, text, wait_for_port};
use serde_json::Value;
use std::net::UdpSocket;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// A connection of audio with what is said of its stream.
fn config(stream: &str) -> String {
    format!(
        r#"{{"connection": {{"st2110": {{"transport": "st2110-30", "payloadType": 97, {stream}}}}},
            "payload": {{"audio": {{"channels": 2}}}}}}"#
    )
}

/// Analyses while somebody sends these datagrams again and again.
fn analyze_while(port: u16, arguments: &[&str], datagrams: &[Vec<u8>]) -> Output {
    let mut analyser = mcm(arguments).spawn().unwrap();
    wait_for_port(&mut analyser, port);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            while !done.load(Relaxed) {
                for datagram in datagrams {
                    // After the analyser has ended nobody listens.
                    let _ = socket.send_to(datagram, ("127.0.0.1", port));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let output = analyser.wait_with_output().unwrap();
        done.store(true, Relaxed);
        output
    })
}

fn rtp(payload_type: u8) -> Vec<u8> {
    let mut datagram = vec![0x80, payload_type];
    datagram.resize(300, 0);
    datagram
}

#[test]
fn silence_is_a_failure() {
    let place = Place::new("silence");
    let port = free_port();
    let audio =
        place.file("a", config(&format!(r#""ipAddr": "127.0.0.1", "port": {port}"#)).as_bytes());
    let output = run(&["analyze", "-t", "0.2", &audio]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains(&format!("127.0.0.1:{port}: no packet came (in 0.2 s)")), "{said}");
    let output = run(&["analyze", "-t", "0.2", &format!("127.0.0.1:{port}")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("nothing came"), "{}", text(&output.stdout));
}

#[test]
fn what_came_instead_is_told() {
    let place = Place::new("instead");
    let port = free_port();
    let audio = config(&format!(r#""ipAddr": "127.0.0.1", "port": {port}"#));
    let audio = place.file("a", audio.as_bytes());
    let sent = [rtp(96), rtp(100), b"hello".to_vec()];
    let output = analyze_while(port, &["analyze", "--json", "-t", "1", &audio], &sent);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no packet of the stream came, but "), "{said}");
    assert!(said.contains(" of payload type 96 or 100 and not 97, "), "{said}");
    assert!(said.contains(" that are not RTP"), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let count = |name: &str| report[name].as_u64().unwrap();
    assert!(count("other_payload_type") > 0 && count("not_rtp") > 0, "{report}");
    let all = count("other_payload_type") + count("not_rtp");
    assert_eq!((count("packets"), count("foreign")), (0, all), "{report}");

    let port = free_port();
    let from = config(&format!(r#""ipAddr": "127.0.0.9", "port": {port}"#));
    let from = place.file("b", from.as_bytes());
    let output = analyze_while(port, &["analyze", "-t", "1", &from], &[rtp(97)]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(" of other senders than 127.0.0.9"), "{said}");
}

#[test]
fn both_paths_are_judged() {
    let place = Place::new("paths");
    let (first, second) = (free_port(), free_port());
    let paths = |second: u16| {
        config(&format!(
            r#""ipAddr": "127.0.0.1", "port": {first}, "secondPath": {{"ipAddr": "127.0.0.1", "port": {second}}}"#
        ))
    };
    let both = place.file("both", paths(second).as_bytes());
    let input = place.file("in", &noise(48 * 6));
    let analyze = |arguments: &[&str], config: &str| {
        let mut analyser = mcm(&[arguments, &[&both]].concat()).spawn().unwrap();
        wait_for_port(&mut analyser, first);
        wait_for_port(&mut analyser, second);
        let mut sender = mcm(&["st2110", "send", "--loop", config, &input]).spawn().unwrap();
        let output = analyser.wait_with_output();
        sender.kill().unwrap();
        sender.wait().unwrap();
        output.unwrap()
    };
    let output = analyze(&["analyze", "--json", "-t", "2"], &both);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (index, port) in [first, second].into_iter().enumerate() {
        let path = &report["paths"][index];
        assert_eq!(path["path"], format!("127.0.0.1:{port}"), "{report}");
        assert_eq!(path["samples_a_packet"], 48, "{report}");
    }

    // The second path leads elsewhere.
    let astray = place.file("astray", paths(free_port()).as_bytes());
    let output = analyze(&["analyze", "-t", "2"], &astray);
    let (report, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(report.contains(&format!("path 127.0.0.1:{first}\n")), "{report}");
    assert!(said.contains(&format!("mcm: 127.0.0.1:{second}: no packet came")), "{said}");
}

#[test]
fn an_address_without_a_port_is_no_file() {
    let output = run(&["analyze", "239.9.9.1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("an address with a port"), "{}", text(&output.stderr));
}

/// A description of this medium at a port of this host.
fn description(port: u16, map: &str, parameters: &str) -> String {
    format!(
        "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=video {port} RTP/AVP 96\nc=IN IP4 127.0.0.1\n\
         a=rtpmap:96 {map}/90000\na=fmtp:96 {parameters}\n"
    )
}

/// Analyses while frames of so many packets come, 25 in a second.
fn analyze_frames(port: u16, arguments: &[&str], packets: u16) -> Output {
    let mut analyser = mcm(arguments).spawn().unwrap();
    wait_for_port(&mut analyser, port);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let (mut sequence, mut timestamp) = (0_u16, 0_u32);
            while !done.load(Relaxed) {
                for packet in 0..packets {
                    let mut datagram = rtp(96);
                    datagram[1] |= if packet + 1 == packets { 0x80 } else { 0 };
                    datagram[2..4].copy_from_slice(&sequence.to_be_bytes());
                    datagram[4..8].copy_from_slice(&timestamp.to_be_bytes());
                    sequence = sequence.wrapping_add(1);
                    let _ = socket.send_to(&datagram, ("127.0.0.1", port));
                }
                timestamp = timestamp.wrapping_add(3600);
                std::thread::sleep(Duration::from_millis(40));
            }
        });
        let output = analyser.wait_with_output().unwrap();
        done.store(true, Relaxed);
        output
    })
}

#[test]
fn a_rate_that_nobody_told_is_learnt_and_what_is_assumed_is_said() {
    let place = Place::new("rate");
    let port = free_port();
    // As FFmpeg writes it.
    let sdp = description(port, "raw", "sampling=YCbCr-4:2:2; width=640; height=360; depth=10");
    let sdp = place.file("ff.sdp", sdp.as_bytes());
    let output = analyze_frames(port, &["analyze", "-t", "2", &sdp], 40);
    let report = text(&output.stdout);
    assert!(report.contains("25 frames or fields a second"), "{report}");
    assert!(
        report.contains("assumed") && report.contains("learnt from the timestamps"),
        "{report}"
    );
    assert!(report.contains(" packets (of 4 narrow, 16 wide)"), "{report}");
    assert!(report.contains(" %)"), "{report}");
    let output = analyze_frames(port, &["analyze", "--fps", "25", "--json", "-t", "1", &sdp], 40);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["rate"], "25", "{report}");
    assert!(report.get("assumed").is_none(), "{report}");
    let address = format!("127.0.0.1:{port}");
    let output = analyze_frames(port, &["analyze", "-t", "1", &address], 40);
    assert!(text(&output.stdout).contains("progressive video"), "{}", text(&output.stdout));
}

#[test]
fn ancillary_data_are_not_judged() {
    let place = Place::new("anc");
    let port = free_port();
    let sdp = description(port, "smpte291", "exactframerate=25");
    let sdp = place.file("anc.sdp", sdp.as_bytes());
    let output = analyze_frames(port, &["analyze", "--json", "-t", "1", &sdp], 1);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{report}");
    assert_eq!(report["verdict"], "ancillary data are not judged", "{report}");
    assert!(report.get("vrx").is_none() && report.get("cinst_max").is_none(), "{report}");
    assert!(report["packets"].as_u64().unwrap() > 5, "{report}");
}

#[test]
fn what_this_host_drops_is_told_and_nothing_is_judged() {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let mut analyser = mcm(&["analyze", "-t", "4", &address]).spawn().unwrap();
    wait_for_port(&mut analyser, port);
    // It stands still while more comes than any buffer holds.
    let pid = rustix::process::Pid::from_child(&analyser);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut datagram = rtp(96);
    datagram.resize(1400, 0);
    for number in 0..80_000_u32 {
        datagram[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        let _ = socket.send_to(&datagram, ("127.0.0.1", port));
    }
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    let output = analyser.wait_with_output().unwrap();
    let (report, said) = (text(&output.stdout), text(&output.stderr));
    assert!(report.starts_with("dropped by this host"), "{report}");
    assert!(report.contains("not judged: packets were dropped here"), "{report}");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("this host dropped ") && said.contains("not judged"), "{said}");
}

#[test]
fn each_path_has_its_interface() {
    let place = Place::new("interfaces");
    let (first, second) = (free_port(), free_port());
    let stream = config(&format!(
        r#""ipAddr": "127.0.0.1", "port": {first}, "secondPath": {{"ipAddr": "127.0.0.1", "port": {second}}}"#
    ));
    let stream = place.file("two", stream.as_bytes());
    let interfaces = ["analyze", "-i", "127.0.0.1", "-i", "kernel:lo"];
    let arguments = [&interfaces[..], &["-t", "1", &stream]].concat();
    let mut analyser = mcm(&arguments).spawn().unwrap();
    wait_for_port(&mut analyser, first);
    let done = AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            while !done.load(Relaxed) {
                let _ = socket.send_to(&rtp(97), ("127.0.0.1", first));
                let _ = socket.send_to(&rtp(97), ("127.0.0.1", second));
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let output = analyser.wait_with_output().unwrap();
        done.store(true, Relaxed);
        output
    });
    assert!(output.status.success(), "{}", text(&output.stderr));
    // Neither replaces the other.
    for wrong in [["kernel:nosuch0", "127.0.0.1"], ["127.0.0.1", "kernel:nosuch0"]] {
        let output = run(&["analyze", "-i", wrong[0], "-i", wrong[1], "-t", "0.2", &stream]);
        assert!(
            text(&output.stderr).contains("kernel:nosuch0: not on this host"),
            "{}",
            text(&output.stderr)
        );
    }
    let too_many = run(&[&interfaces[..], &["-i", "127.0.0.3", &stream]].concat());
    assert_eq!(too_many.status.code(), Some(2));
    let single =
        place.file("one", config(&format!(r#""ipAddr": "127.0.0.1", "port": {first}"#)).as_bytes());
    let output = run(&[&interfaces[..], &["-t", "0.2", &single]].concat());
    assert!(text(&output.stderr).contains("one: STREAM has one path"), "{}", text(&output.stderr));
}

#[test]
fn it_says_what_it_waits_for() {
    let address = format!("127.0.0.1:{}", free_port());
    let output = run(&["analyze", "-t", "2.5", &address]);
    let said = text(&output.stderr);
    assert_eq!(
        said.matches(&format!("mcm: waiting for packets of {address}\n")).count(),
        1,
        "{said}"
    );
}
