//! Prometheus' view of a media proxy: correct numbers in the correct format, under any other load.

use mcm::{Receiver, Source};
use mcm_tests::proxy::Proxy;
use mcm_tests::run::Run;
use mcm_tests::scrape::Scrape;
use mcm_tests::{config, http, program, wait};
use proto::control::State;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A proxy with a port for Prometheus.
fn proxy(run: &Run, more: &[&str]) -> Proxy {
    let mut command = Command::new(program::media_proxy());
    command.args(["--metrics", "0"]).args(more);
    Proxy::start_by(command, run)
}

fn put(source: &Source, len: usize) {
    let mut buffer = source.frame(wait::DEADLINE).expect("a buffer");
    buffer.set_payload_len(len).expect("room");
    buffer.publish_within(wait::DEADLINE).expect("put");
}

fn take(receiver: &Receiver) -> u64 {
    receiver.recv(wait::DEADLINE).expect("a frame").expect("no end").info().sequence
}

/// Asks until the answer is as wished: an answer may be half a second old.
#[track_caller]
fn scraped(proxy: &Proxy, what: &str, wish: impl Fn(&Scrape) -> bool) -> Scrape {
    wait::some(what, || Some(proxy.scrape()).filter(|scrape| wish(scrape)))
}

/// `promtool`, Prometheus's own judge of pages, where it is installed (Debian package prometheus).
fn judge(page: &str) {
    let tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut tool) = tool else {
        eprintln!("promtool is not installed: the page was read by this test's own reader alone");
        return;
    };
    tool.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("a page");
    let output = tool.wait_with_output().expect("a verdict");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn numbers_are_those_of_the_programs() {
    let run = Run::new();
    let proxy = proxy(&run, &[]);
    let client = proxy.client();
    // A name that would like to break out of its label.
    let group = "cam \"1\"} 7 \\";
    let small = json!({ "bufferQueueCapacity": 4 });
    let shape = config::with(config::blob(group, 1000), small);
    let live = config::with(shape.clone(), json!({ "options": { "delivery": "live" } }));
    let reader = client.receiver(shape.to_string()).unwrap();
    let sleeper = client.receiver(live.to_string()).unwrap();
    let source = client.source(shape.to_string()).unwrap();
    for number in 0..50 {
        put(&source, 100 + number);
        assert_eq!(take(&reader), number as u64);
        // So that each frame is measured.
        let start = shm::monotonic_ns();
        while shm::monotonic_ns() < start + shm::APART_NS {
            std::hint::spin_loop();
        }
    }
    // Frames that it has missed do not count as waiting. There are two slots more than the queue
    // has, which were not needed yet.
    let listed = proxy.control().group(group).expect("the group");
    let asleep =
        listed.receivers.iter().find(|it| it.conn_id == sleeper.id()).expect("it is there");
    assert!((1..=6).contains(&asleep.queue_depth), "{asleep:?}");
    // An operator sees that it takes nothing, before it knows that it has missed frames.
    assert_eq!((asleep.state(), asleep.behind, asleep.missed), (State::Stalled, 50, 0));
    let awake = listed.receivers.iter().find(|it| it.conn_id == reader.id()).expect("it is there");
    assert_eq!((awake.state(), awake.behind), (State::Active, 0));
    let page = proxy.scrape();
    let stalled = |id: &str| page.value("mcm_connection_stalled", &[("connection", id)]);
    assert_eq!((stalled(&sleeper.id()), stalled(&reader.id())), (Some(1.0), Some(0.0)));
    assert_eq!(page.value("mcm_behind_frames", &[("connection", &sleeper.id())]), Some(50.0));
    // It slept, and finds the newest half of the queue.
    take(&sleeper);
    let missed = sleeper.stats().missed;
    assert!(missed >= 40, "{missed}");

    let (from, to, late) = (source.id(), reader.id(), sleeper.id());
    let sent =
        |scrape: &Scrape| scrape.value("mcm_frames_total", &[("connection", &late)]) == Some(1.0);
    let scrape = scraped(&proxy, "all frames are counted", sent);
    let value = |name: &str, connection: &str| scrape.value(name, &[("connection", connection)]);
    assert_eq!(value("mcm_frames_total", &from), Some(50.0));
    assert_eq!(value("mcm_frames_total", &to), Some(50.0));
    let bytes = (0..50).map(|number| 100 + number).sum::<usize>() as f64;
    assert_eq!(value("mcm_payload_bytes_total", &from), Some(bytes));
    let reasons = |connection: &str, reason: &str| {
        scrape.value("mcm_missed_frames_total", &[("connection", connection), ("reason", reason)])
    };
    assert_eq!(reasons(&to, "stalled"), Some(0.0));
    assert_eq!(reasons(&late, "live"), Some(missed as f64));
    let queued = value("mcm_queue_frames", &late).unwrap();
    assert_eq!(1.0 + missed as f64 + queued, 50.0, "taken, missed or waiting");
    assert_eq!(value("mcm_queue_capacity_frames", &to), Some(4.0));
    assert_eq!(value("mcm_connection_active", &to), Some(1.0));
    assert_eq!(value("mcm_held_frames", &to), Some(0.0));
    let slots = value("mcm_ring_slots_in_use", &from).unwrap();
    assert!(slots >= 2.0 && slots <= value("mcm_ring_slots", &from).unwrap());
    for name in ["mcm_handoff_seconds", "mcm_frame_age_seconds"] {
        assert_eq!(value(&format!("{name}_count"), &to), Some(50.0), "{name}");
        let sum = value(&format!("{name}_sum"), &to).unwrap();
        assert!(sum > 0.0 && sum < 50.0 * wait::DEADLINE.as_secs_f64(), "{name}: {sum}");
    }
    // One stream: that of the source, at all members.
    for connection in [&from, &to, &late] {
        let labels = [("connection", connection.as_str()), ("stream", &from), ("group", group)];
        assert_eq!(scrape.all("mcm_frames_total", &labels).len(), 1, "{connection}");
    }
    let info = scrape.all("mcm_connection_info", &[("connection", &from)]);
    assert_eq!(
        (&info[0].labels["kind"], &info[0].labels["direction"]),
        (&"program".into(), &"in".into())
    );
    assert_eq!(info[0].labels["pid"], std::process::id().to_string());
    assert_eq!(scrape.value("mcm_proxy_connections", &[]), Some(3.0));
    assert!(scrape.value("process_cpu_seconds_total", &[]).unwrap() > 0.0);
    assert!(scrape.value("process_resident_memory_bytes", &[]).unwrap() > 1e6);
    let threads = scrape.all("mcm_thread_cpu_seconds_total", &[]);
    assert!(threads.iter().any(|it| it.labels["thread"] == "exchange"), "{threads:?}");
    assert!(scrape.types.contains_key("mcm_reference_clock_info"));
    // The log names the stream as well.
    let output = proxy.process().output();
    assert!(output.contains(&format!("source {from} of")), "{output}");
    assert!(output.contains(&format!(", stream {from}")), "{output}");

    check_documented(&scrape);
    judge(&http::get(address(&proxy), "/metrics").unwrap().body);
    // Who has left is not shown any more.
    drop((source, reader, sleeper));
    let gone = |scrape: &Scrape| scrape.all("mcm_frames_total", &[]).is_empty();
    scraped(&proxy, "connections go", gone);
}

fn address(proxy: &Proxy) -> SocketAddr {
    ([127, 0, 0, 1], proxy.metrics_port.expect("a port for Prometheus")).into()
}

/// Packets of a stream from the network, some of which never come.
#[test]
fn lost_packets_of_a_stream_are_counted() {
    let run = Run::new();
    let proxy = proxy(&run, &["-i", "127.0.0.1"]);
    let client = proxy.client();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port() & !1
    };
    let shape = json!({
        "connection": { "st2110": {
            "ipAddr": "127.0.0.1", "port": port, "transport": "st2110-30", "payloadType": 97,
        }},
        "payload": { "audio": {
            "channels": 2, "sampleRate": 48000, "format": "pcm_s24be", "packetTime": "1ms",
        }},
        "bufferQueueCapacity": 128,
    });
    let receiver = client.receiver(shape.to_string()).unwrap();
    let start = std::time::Instant::now();
    let lost = [40, 41, 90];
    for number in 0..200_u16 {
        while start.elapsed() < Duration::from_millis(number.into()) {
            std::thread::sleep(Duration::from_micros(200));
        }
        if lost.contains(&number) {
            continue;
        }
        let mut packet = vec![0x80, 97];
        packet.extend(number.to_be_bytes());
        packet.extend((u32::from(number) * 48).to_be_bytes());
        packet.extend(7_u32.to_be_bytes());
        packet.resize(12 + 48 * 2 * 3, 0);
        sender.send_to(&packet, ("127.0.0.1", port)).unwrap();
    }
    sender.send_to(b"this is no packet of RTP", ("127.0.0.1", port)).unwrap();
    let packets = 200.0 - lost.len() as f64;
    let kind = [("kind", "st2110-30"), ("direction", "in")];
    let received = |scrape: &Scrape| {
        let on_path = [&kind[..], &[("path", "1"), ("result", "received")]].concat();
        let used = scrape.value("mcm_bridge_packets_total", &kind).unwrap_or(0.0);
        let not_rtp = [&kind[..], &[("reason", "not_rtp")]].concat();
        let refused = scrape.value("mcm_st2110_refused_packets_total", &not_rtp);
        used == packets
            && scrape.value("mcm_st2110_path_packets_total", &on_path) == Some(packets)
            && refused == Some(1.0)
    };
    let scrape = scraped(&proxy, "all packets are counted", received);
    assert_eq!(scrape.value("mcm_st2110_lost_packets_total", &kind), Some(lost.len() as f64));
    // The stream is the bridge's, as no program sends it.
    let bridge = &scrape.all("mcm_bridge_info", &kind)[0].labels;
    let labels = [("connection", receiver.id()), ("stream", bridge["bridge"].clone())];
    let labels = labels.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(scrape.all("mcm_frames_total", &labels).len(), 1, "{bridge:?}");
    assert_eq!(scrape.value("mcm_bridge_active", &kind), Some(1.0));
    check_documented(&scrape);
    judge(&http::get(address(&proxy), "/metrics").unwrap().body);
}

const DOCUMENTATION: &str = include_str!("../../docs/observability.md");

/// The names and types that the documentation lists.
fn documented() -> BTreeMap<&'static str, &'static str> {
    let rows = DOCUMENTATION.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|row| {
        let (name, rest) = row.split_once("` | ")?;
        let kind = rest.split(' ').next()?;
        ["counter", "gauge", "histogram"].contains(&kind).then_some((name, kind))
    });
    rows.collect()
}

#[track_caller]
fn check_documented(scrape: &Scrape) {
    let documented = documented();
    for (name, kind) in &scrape.types {
        assert_eq!(
            documented.get(name.as_str()),
            Some(&kind.as_str()),
            "{name} in docs/observability.md"
        );
    }
}

/// All words of a text that could be names of metrics.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("mcm_") || word.starts_with("process_")).collect()
}

/// The dashboard and the alerts use metrics that exist, and the alerts are those of the
/// documentation.
#[test]
fn dashboard_and_alerts_use_what_there_is() {
    let dashboard = include_str!("../../packaging/observability/grafana-dashboard.json");
    let alerts = include_str!("../../packaging/observability/alerts.yml");
    let dashboard: Value = serde_json::from_str(dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let mut used: Vec<_> =
        targets.map(|target| target["expr"].as_str().expect("a query")).collect();
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    used.extend(variables.iter().filter_map(|variable| variable["query"]["query"].as_str()));
    assert!(used.len() > 30, "{}", used.len());
    used.push(alerts);
    let documented = documented();
    for name in used.into_iter().flat_map(names) {
        let stem = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let known = |name: &str| documented.contains_key(name);
        let histogram = stem.is_some_and(|stem| documented.get(stem) == Some(&"histogram"));
        assert!(known(name) || histogram, "{name} is not in docs/observability.md");
    }
    let rules = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in rules {
        assert!(DOCUMENTATION.contains(alert), "{alert} is not in docs/observability.md");
    }
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/observability/alerts.yml");
    if let Ok(output) = Command::new("promtool").args(["check", "rules", rules]).output() {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// An answer's first line.
fn status(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(wait::DEADLINE)).unwrap();
    // It may be cut off before it has said all.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    // A connection that is cut off has said what it had to say.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn hostile_clients_harm_nobody() {
    let run = Run::new();
    let proxy = proxy(&run, &[]);
    let client = proxy.client();
    let shape = config::blob("camera", 100).to_string();
    let receiver = client.receiver(&shape).unwrap();
    let source = client.source(&shape).unwrap();
    let at = address(&proxy);
    let ask = |request: &str| {
        status(at, format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
    };
    assert_eq!(ask("GET /metrics HTTP/1.1"), "HTTP/1.1 200 OK");
    assert_eq!(ask("GET / HTTP/1.1"), "HTTP/1.1 200 OK");
    assert_eq!(ask("GET /../etc/passwd HTTP/1.1"), "HTTP/1.1 404 Not Found");
    assert_eq!(ask("POST /metrics HTTP/1.1"), "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(status(at, &[0xff; 100]), "", "closed without a word");
    assert!(status(at, b"GET /metrics HTTP/1.1\r\nno header\r\n\r\n").contains(" 400 "));
    let long = format!("GET /metrics HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    assert!(!status(at, long.as_bytes()).contains(" 200 "));

    // Many that say nothing, or never come to an end, or do not read; more than there may be.
    let mut crowd = Vec::new();
    for number in 0..600 {
        let Ok(mut stream) = TcpStream::connect(at) else { break };
        let beginning: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET /metrics HTTP/1.1\r\nHost: ",
            _ => b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        };
        // Some are cut off already.
        let _ = stream.write_all(beginning);
        crowd.push(stream);
    }
    assert!(crowd.len() > 300, "{}", crowd.len());
    let memory = || proxy.scrape().value("process_resident_memory_bytes", &[]).unwrap();
    for number in 0..50 {
        put(&source, 10);
        assert_eq!(take(&receiver), number);
        assert!(proxy.control().group("camera").is_some());
    }
    assert!(memory() < 500e6);
    let open = proxy.scrape().value("process_open_fds", &[]).unwrap();
    assert!(open < 900.0, "{open} descriptors are open");
    drop(crowd);
    scraped(&proxy, "they are forgotten", |scrape| {
        scrape.value("process_open_fds", &[]).is_some_and(|open| open < 100.0)
    });
    assert_eq!(take_one_more(&source, &receiver), 50);
}

fn take_one_more(source: &Source, receiver: &Receiver) -> u64 {
    put(source, 10);
    take(receiver)
}

#[test]
fn without_the_option_there_is_no_port() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    assert_eq!(proxy.metrics_port, None);
    assert!(!proxy.process().output().contains("Prometheus"));
}
