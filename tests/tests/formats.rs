//! Every receiver gets the frames that the source puts: all payloads, sizes, lengths, order and
//! timestamps, in any start order.

use mcm::{Client, Source, Timeout};
use mcm_tests::content::{self, Order, Stamp};
use mcm_tests::proxy::Proxy;
use mcm_tests::role::{Role, Spec};
use mcm_tests::run::Run;
use mcm_tests::{config, program, wait};
use serde_json::{Value, json};
use std::process::Command;

fn send(source: &Source, stamp: Stamp, tai_ns: u64) {
    let mut buffer = source.frame(Timeout::Default).unwrap();
    let len = buffer.payload().len();
    assert_eq!(len, source.payload_size());
    let meta = source.metadata_size().min(7);
    buffer.set_timestamp(media::Tai::from_nanos(tai_ns));
    let mut metadata = vec![0; meta];
    content::fill(stamp, buffer.payload_mut(), &mut metadata);
    buffer.set_metadata(&metadata).unwrap();
    buffer.publish().unwrap();
}

/// One source and three receivers in clients of their own; `source_at` says how many receivers come
/// before the source.
fn exchange(proxy: &Proxy, config: &Value, size: usize, source_at: usize) {
    let text = config.to_string();
    let mut clients: Vec<Client> = Vec::new();
    let mut source = None;
    let mut receivers = Vec::new();
    for place in 0..4 {
        let client = proxy.client();
        if place == source_at {
            source = Some(client.source(&text).unwrap());
        } else {
            let receiver = client.receiver(&text).unwrap();
            assert_eq!(receiver.payload_size(), size, "{text}");
            receivers.push(receiver);
        }
        clients.push(client);
    }
    let source = source.expect("one of the four is the source");
    assert_eq!(source.stats().peers, 3);
    let stamp = |index| Stamp { source: 0x51, index };
    let mut order = vec![Order::default(); 3];
    // More than the smallest queue has; checksums of large frames take their time.
    let frames = if size > 100_000 { 3 } else { 40 };
    for index in 0..frames {
        send(&source, stamp(index), 1_000_000 + index);
        for (receiver, order) in receivers.iter().zip(&mut order) {
            let buffer = receiver.recv(Timeout::Default).unwrap().unwrap();
            assert_eq!((buffer.payload().len(), buffer.payload_ptr() as usize % 64), (size, 0));
            let found = content::check(buffer.payload(), buffer.metadata());
            assert_eq!(found, Ok(stamp(index)), "{text}");
            let info = buffer.info();
            order.take(stamp(index), &info).unwrap();
            assert_eq!((info.missed, info.tai_ns), (0, 1_000_000 + index));
            assert!(info.published_ns > 0);
        }
    }
    for receiver in &receivers {
        let stats = receiver.stats();
        assert_eq!((stats.frames, stats.missed, stats.held), (frames, 0, 0));
        assert_eq!(stats.bytes, frames * size as u64);
        assert!(receiver.recv(std::time::Duration::ZERO).unwrap_err().is_timeout());
    }
    drop((source, receivers));
    clients.iter().for_each(|client| assert_eq!(client.connections(), 0));
}

#[test]
fn video_of_several_formats() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    for (n, (format, width, height, size)) in [
        ("yuv422p10le", 1920, 1080, 1920 * 1080 * 4),
        ("v210", 1920, 1080, 1920 * 1080 * 8 / 3),
        ("yuv422p10rfc4175", 1280, 720, 1280 * 720 * 5 / 2),
        ("uyvy422", 640, 360, 640 * 360 * 2),
        ("yuv420p", 33, 17, 33 * 17 + 2 * 17 * 9),
        ("nv12", 640, 360, 640 * 360 * 3 / 2),
        ("p010le", 640, 360, 640 * 360 * 3),
        ("yuv444p10le", 64, 64, 64 * 64 * 6),
        ("rgb24", 99, 7, 99 * 7 * 3),
        ("bgra", 640, 360, 640 * 360 * 4),
        ("gray8", 40, 1, 40),
        ("gray10le", 64, 64, 64 * 64 * 2),
    ]
    .into_iter()
    .enumerate()
    {
        let config = config::video(&format!("video-{format}"), width, height, format);
        exchange(&proxy, &config, size, n % 4);
    }
}

#[test]
fn audio_of_several_formats() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    for (n, (channels, rate, format, time, size)) in [
        (2, 48000, "pcm_s24be", "1ms", 2 * 48 * 3),
        (16, 96000, "pcm_s16be", "4ms", 16 * 384 * 2),
        (8, 48000, "pcm_s24be", "125us", 8 * 6 * 3),
        (2, 44100, "pcm_s16be", "1.09ms", 2 * 48 * 2),
        (1, 48000, "pcm_s8", "1ms", 48),
    ]
    .into_iter()
    .enumerate()
    {
        let config = config::audio(&format!("audio-{n}"), channels, rate, format, time);
        exchange(&proxy, &config, size, n % 4);
    }
}

#[test]
fn blobs_with_metadata_in_every_start_order() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    for source_at in 0..4 {
        exchange(&proxy, &config::blob(&format!("blob-{source_at}"), 1000), 1000, source_at);
    }
    // The same group again and again, and sizes that fit nothing in particular.
    for (n, size) in [40, 41, 4095, 4097, 8_294_400].into_iter().enumerate() {
        let config =
            config::with(config::blob("again", size), json!({ "bufferQueueCapacity": 2 + n }));
        exchange(&proxy, &config, size, n % 4);
    }
}

#[test]
fn lengths_are_those_of_each_frame() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let client = proxy.client();
    let config = config::blob("lengths", 300).to_string();
    let source = client.source(&config).unwrap();
    let receiver = client.receiver(&config).unwrap();
    for (payload_len, metadata_len) in [(300, 64), (0, 0), (1, 64), (299, 1), (0, 64), (300, 0)] {
        let mut buffer = source.frame(Timeout::Default).unwrap();
        assert_eq!((buffer.payload().len(), buffer.metadata().len()), (300, 0));
        buffer.set_payload_len(payload_len).unwrap();
        buffer.set_metadata_len(metadata_len).unwrap();
        assert_eq!(buffer.set_payload_len(301).unwrap_err().max, 300);
        assert_eq!(buffer.set_metadata_len(65).unwrap_err().max, 64);
        buffer.publish().unwrap();
        let buffer = receiver.recv(Timeout::Default).unwrap().unwrap();
        assert_eq!((buffer.payload().len(), buffer.metadata().len()), (payload_len, metadata_len));
    }
}

#[test]
fn frames_without_a_time_of_their_own_get_that_of_put() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let client = proxy.client();
    let config = config::blob("time", 100).to_string();
    let source = client.source(&config).unwrap();
    let receiver = client.receiver(&config).unwrap();
    let before = media::tai::now().as_nanos();
    let buffer = source.frame(Timeout::Default).unwrap();
    buffer.publish().unwrap();
    let after = media::tai::now().as_nanos();
    let time = receiver.recv(Timeout::Default).unwrap().unwrap().info().tai_ns;
    assert!((before..=after).contains(&time), "{before} <= {time} <= {after}");
}

#[test]
fn several_groups_and_connections_in_one_client() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let (left, right) = (proxy.client(), proxy.client());
    let groups: Vec<_> = (0..12).map(|n| config::blob(&format!("group {n}"), 200 + n)).collect();
    // Every client sends to every other group, and both receive from all.
    let mut sources = Vec::new();
    let mut receivers = Vec::new();
    for (n, config) in groups.iter().enumerate() {
        let text = config.to_string();
        let owner = if n % 2 == 0 { &left } else { &right };
        receivers.push((n, left.receiver(&text).unwrap()));
        sources.push(owner.source(&text).unwrap());
        receivers.push((n, right.receiver(&text).unwrap()));
    }
    assert_eq!((left.connections(), right.connections()), (18, 18));
    for index in 0..20 {
        for (n, source) in sources.iter().enumerate() {
            send(source, Stamp { source: n as u64, index }, 1);
        }
        for (n, receiver) in &receivers {
            let buffer = receiver.recv(Timeout::Default).unwrap().unwrap();
            let expected = Stamp { source: *n as u64, index };
            assert_eq!(content::check(buffer.payload(), buffer.metadata()), Ok(expected));
        }
    }
}

#[test]
fn as_many_receivers_as_a_group_can_have() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let client = proxy.client();
    let config = config::blob("crowd", 100).to_string();
    let receive = || client.receiver(&config);
    let mut receivers: Vec<_> = (0..64).map(|_| receive().unwrap()).collect();
    let source = client.source(&config).unwrap();
    receivers.extend((64..128).map(|_| receive().unwrap()));
    assert_eq!(source.stats().peers, 128);
    let error = receive().unwrap_err();
    assert!(error.to_string().contains("128"), "{error}");
    for index in 0..20 {
        let stamp = Stamp { source: 1, index };
        send(&source, stamp, 1);
        for receiver in &receivers {
            let buffer = receiver.recv(Timeout::Default).unwrap().unwrap();
            assert_eq!(content::check(buffer.payload(), buffer.metadata()), Ok(stamp));
        }
    }
    // A place that becomes free can be taken.
    receivers.pop();
    wait::until("a place is free", || receive().map(|receiver| receivers.push(receiver)).is_ok());
}

#[test]
fn the_proxy_is_found_by_path_by_port_and_by_run_directory() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let blob = config::blob("ways", 500);
    let source = Spec::source(config::tcp_client(proxy.sdk_port), blob.clone(), 1).pause(1000);
    let source = Role::start(&source).ready();
    let by_path = Role::start(&Spec::receiver(config::client(&run.socket()), blob.clone()));
    let nothing = json!({ "apiDefaultTimeoutMicroseconds": 30_000_000 });
    let with = |name: &str, value: &str| {
        let mut command = Command::new(program::role());
        for other in ["MCM_RUN_DIR", "MCM_MEDIA_PROXY_IP", "MCM_MEDIA_PROXY_PORT"] {
            command.env_remove(other);
        }
        command.env(name, value);
        Role::start_by(command, &Spec::receiver(nothing.clone(), blob.clone()))
    };
    let by_run_dir = with("MCM_RUN_DIR", run.path().to_str().unwrap());
    let by_port = with("MCM_MEDIA_PROXY_PORT", &proxy.sdk_port.to_string());
    for role in [by_path, by_run_dir, by_port] {
        let mut role = role.ready();
        role.progress(50);
        let report = role.end();
        assert_eq!((report.error, report.missed), (0, 0), "{}", report.reason);
    }
    assert_eq!(source.end().error, 0);
}
