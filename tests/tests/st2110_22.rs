//! Compressed video (ST 2110-22) between programs on two hosts: codestreams of the program, and raw
//! frames that the proxies encode and decode.

use mcm::{Client, Receiver, Source, Timeout};
use mcm_tests::codestreams::{codestream, stand_in};
use mcm_tests::content::{self, Stamp};
use mcm_tests::net::Net;
use mcm_tests::proxy::Proxy;
use mcm_tests::refusal::refusal;
use mcm_tests::run::Run;
use mcm_tests::wait;
use proto::Kind;
use serde_json::{Value, json};
use std::path::Path;

const GROUP: &str = "239.77.0.1:5004";

/// Two hosts with a proxy each.
struct Pair {
    a: Proxy,
    b: Proxy,
    net: Net,
    _runs: [Run; 2],
}

impl Pair {
    /// `None` where there can be no hosts. `library` is where the proxies look for the codec.
    fn new(library: Option<&Path>) -> Option<Self> {
        let net = Net::new(2)?;
        let runs = [Run::new(), Run::new()];
        let start = |host: usize, run: &Run| {
            let mut command = net.command(host, mcm_tests::program::media_proxy());
            if let Some(library) = library {
                command.env("LD_LIBRARY_PATH", library);
            }
            command.args(["-d", "kernel:eth0"]);
            Proxy::start_by(command, run)
        };
        let (a, b) = (start(1, &runs[0]), start(2, &runs[1]));
        Some(Self { a, b, net, _runs: runs })
    }

    fn counter(&self, host: usize, name: &str) -> u64 {
        let proxy = if host == 1 { &self.a } else { &self.b };
        let bridges = self.net.on(host, || proxy.control().bridges());
        bridges.first().and_then(|bridge| bridge.counters.get(name).copied()).unwrap_or(0)
    }

    fn wait_no_bridges(&self) {
        for (host, proxy) in [(1, &self.a), (2, &self.b)] {
            let bridges = || self.net.on(host, || proxy.control().bridges());
            wait::until("no bridges", || bridges().is_empty());
        }
    }
}

/// Few frames a second: a machine that is busy with other things is late by many milliseconds.
fn stream(codec: &str, scan: &str, more: &Value) -> Value {
    let config = json!({
        "connection": { "st2110": {
            "ipAddr": "239.77.0.1", "port": 5004, "transport": "st2110-22", "codec": codec,
        }},
        "payload": { "video": {
            "width": 320, "height": 192, "fps": 10, "pixelFormat": "yuv422p10le", "scan": scan,
        }},
        "bufferQueueCapacity": 32,
    });
    mcm_tests::config::with(config, more.clone())
}

fn application(scan: &str, mode: &str) -> Value {
    let more = json!({
        "connection": { "st2110": { "packetMode": mode } },
        "maxPayloadSize": 200_000,
    });
    stream("application", scan, &more)
}

fn open_source(client: &Client, config: &Value) -> Source {
    client.source(config.to_string()).expect("a source")
}

fn open_receiver(client: &Client, config: &Value) -> Receiver {
    client.receiver(config.to_string()).expect("a receiver")
}

/// The codestreams of a frame.
fn frame(scan: &str, number: u8) -> Vec<u8> {
    match scan {
        "progressive" => codestream(number, number.is_multiple_of(2)),
        _ => [codestream(number, true), codestream(number + 100, true)].concat(),
    }
}

fn put(source: &Source, bytes: &[u8]) {
    let mut buffer = source.frame(Timeout::Infinite).expect("a buffer");
    buffer.payload_mut()[..bytes.len()].copy_from_slice(bytes);
    buffer.set_payload_len(bytes.len()).unwrap();
    buffer.publish_within(Timeout::Infinite).expect("put");
}

#[test]
fn codestreams_of_programs_arrive_as_they_were_put() {
    let Some(pair) = Pair::new(None) else { return };
    let (a, b) = (pair.a.client(), pair.b.client());
    for (scan, mode) in [
        ("progressive", "codestream"),
        ("progressive", "slice"),
        ("interlaced", "codestream"),
        ("psf", "slice"),
    ] {
        let source = open_source(&a, &application(scan, mode));
        let sdp = pair.net.on(1, || pair.a.control().sdp(GROUP)).unwrap();
        let packetmode = if mode == "slice" { "packetmode=1" } else { "packetmode=0" };
        for part in ["jxsv/90000", packetmode, "transmode=1", "SSN=ST2110-22:2019", "b=AS:"] {
            assert!(sdp.contains(part), "{part}: {sdp}");
        }
        // The receiver has nothing but the description.
        let by_sdp = json!({
            "connection": { "st2110": { "sdp": sdp, "codec": "application" } },
            "maxPayloadSize": 200_000,
        });
        let receiver = open_receiver(&b, &by_sdp);
        // What is no codestream is not sent, and hurts no other frame.
        put(&source, b"no codestream");
        for number in 0..6 {
            put(&source, &frame(scan, number));
        }
        for number in 0..6 {
            let buffer = receiver.recv(wait::DEADLINE).expect("a frame").expect("no end");
            assert!(!buffer.info().incomplete);
            assert!(buffer.payload() == frame(scan, number), "{scan} {mode} {number}");
        }
        assert_eq!(pair.counter(1, "wrong_sizes"), 1);
        drop((source, receiver));
        pair.wait_no_bridges();
    }
}

#[test]
fn raw_frames_are_encoded_and_decoded() {
    let Some((_directory, library)) = stand_in() else { return };
    let Some(pair) = Pair::new(Some(&library)) else { return };
    let (a, b) = (pair.a.client(), pair.b.client());
    // The stand-in does not compress: 20 bits are what it needs at most.
    let more = json!({
        "connection": { "st2110": { "bitsPerPixel": 36, "quality": "quality" } },
        "maxMetadataSize": 64,
    });
    for scan in ["progressive", "interlaced"] {
        let config = stream("jpegxs", scan, &more);
        let receiver = open_receiver(&b, &config);
        let source = open_source(&a, &config);
        for index in 0..6 {
            let mut buffer = source.frame(Timeout::Infinite).expect("a buffer");
            content::fill(Stamp { source: 1, index }, buffer.payload_mut(), &mut []);
            buffer.publish_within(Timeout::Infinite).expect("put");
        }
        for index in 0..6 {
            let buffer = receiver.recv(wait::DEADLINE).expect("a frame").expect("no end");
            assert!(!buffer.info().incomplete);
            let stamp = content::check(buffer.payload(), &[]).expect("an exact frame");
            assert_eq!(stamp, Stamp { source: 1, index }, "{scan}");
        }
        assert_eq!((pair.counter(1, "codec_frames"), pair.counter(2, "codec_frames")), (6, 6));
        drop((source, receiver));
        pair.wait_no_bridges();
    }

    // Frames that the codec fails on are counted, and the next ones come. Here it has too few bits
    // for any.
    let few = json!({ "connection": { "st2110": { "bitsPerPixel": 1 } } });
    let source = open_source(&a, &stream("jpegxs", "progressive", &few));
    for _ in 0..3 {
        let buffer = source.frame(Timeout::Infinite).expect("a buffer");
        buffer.publish_within(Timeout::Infinite).expect("put");
    }
    wait::until("failures are counted", || pair.counter(1, "codec_failures") == 3);
}

#[test]
fn what_cannot_be_coded_is_refused_with_the_reason() {
    let Some((_directory, library)) = stand_in() else { return };
    let reason = |pair: &Pair, end, config: &Value| {
        let error = refusal(&pair.a.client(), end, config);
        assert_eq!(error.code(), 1008, "{error}");
        error.to_string()
    };
    let raw = stream("jpegxs", "progressive", &json!({}));
    if jpegxs_is_installed() {
        eprintln!("SKIPPED in part: libSvtJpegxs is installed here, so it cannot be missed");
    } else {
        let Some(pair) = Pair::new(None) else { return };
        for end in [Kind::Source, Kind::Receiver] {
            let text = reason(&pair, end, &raw);
            assert!(text.contains("connection.st2110.codec"), "{text}");
            assert!(text.contains("libSvtJpegxs.so.0") && text.contains("install"), "{text}");
        }
        pair.wait_no_bridges();
    }
    let Some(pair) = Pair::new(Some(&library)) else { return };
    let packed = json!({ "payload": { "video": { "pixelFormat": "v210" } } });
    let text = reason(&pair, Kind::Source, &stream("jpegxs", "progressive", &packed));
    assert!(text.contains("v210") && text.contains("yuv422p10le"), "{text}");
    let eight = json!({ "connection": { "st2110": { "sampling": "YCbCr-4:2:2", "depth": 8 } } });
    let text = reason(&pair, Kind::Source, &stream("jpegxs", "progressive", &eight));
    assert!(text.contains("sampling and depth"), "{text}");
}

/// Whether the dynamic linker finds the library without help.
fn jpegxs_is_installed() -> bool {
    let list = std::process::Command::new("/sbin/ldconfig").arg("-p").output();
    list.is_ok_and(|list| String::from_utf8_lossy(&list.stdout).contains("libSvtJpegxs.so.0"))
}
