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
