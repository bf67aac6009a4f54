//! ST 2110 streams between programs on two hosts: two proxies in network namespaces of their own.

mod addresses;
mod descriptions;
mod figures;
mod members;
mod reasons;
mod streams;
mod warnings;

use mcm::{Client, Receiver, Source, Timeout};
use mcm_tests::content::{self, Stamp};
use mcm_tests::drops::{loss, on_hosts, whole};
use mcm_tests::pair::Pair;
use mcm_tests::repeating::Repeating;
use mcm_tests::wait;
use serde_json::{Value, json};

/// Runs a test on two hosts with a proxy each, whose interfaces are chosen by address and by name.
fn hosts(test: impl Fn(&mut Pair)) {
    let options: [&[&str]; 2] = [&["-i", "10.77.0.1"], &["-d", "kernel:eth0"]];
    on_hosts(|| Pair::with_options(2, 1, options), test);
}

fn stream(ip: &str, port: u16, payload: &Value) -> Value {
    json!({
        "connection": { "st2110": { "ipAddr": ip, "port": port, "transport": "st2110-20" } },
        "payload": payload,
        "bufferQueueCapacity": 32,
    })
}

/// Small pictures whose bytes are on the wire as they are in memory. Few a second: on a machine
/// that is busy with other things a sender is late by many milliseconds, and a receiver gives an
/// unfinished frame up after two periods.
fn video(ip: &str, port: u16) -> Value {
    stream(
        ip,
        port,
        &json!({ "video": {
            "width": 320, "height": 180, "fps": 10, "pixelFormat": "yuv422p10rfc4175",
        }}),
    )
}

fn open_source(client: &Client, config: &Value) -> Source {
    client.source(config.to_string()).expect("a source")
}

fn open_receiver(client: &Client, config: &Value) -> Receiver {
    client.receiver(config.to_string()).expect("a receiver")
}

/// Sends frames until what this returns is dropped.
fn send(connection: Source, source: u64) -> Repeating {
    Repeating::start(move |index| put(&connection, Stamp { source, index }))
}

fn put(source: &Source, stamp: Stamp) {
    let mut buffer = source.frame(Timeout::Infinite).expect("a buffer");
    content::fill(stamp, buffer.payload_mut(), &mut []);
    buffer.publish_within(Timeout::Infinite).expect("put");
}

/// The next frame, which must be whole.
fn take(receiver: &Receiver) -> Stamp {
    let buffer = whole(receiver.recv(wait::DEADLINE)).expect("no end");
    if buffer.info().incomplete {
        loss(format!("{:?}", buffer.missing().collect::<Vec<_>>()));
    }
    content::check(buffer.payload(), buffer.metadata()).expect("the frame is as it was made")
}

/// Waits for so many whole frames in a row. Those before them may be missing in part or whole, as
/// the stream was joined or interrupted; but none is ever wrong.
fn take_row(receiver: &Receiver, source: u64, count: u64) {
    let mut row = 0;
    let mut last = None;
    wait::until("frames in a row", || {
        let buffer = whole(receiver.recv(wait::DEADLINE)).expect("no end");
        if buffer.info().incomplete {
            row = 0;
            return false;
        }
        let stamp = content::check(buffer.payload(), buffer.metadata()).expect("an exact frame");
        let follows = last.is_some_and(|last| stamp == Stamp { index: last + 1, ..stamp });
        row = if follows && stamp.source == source { row + 1 } else { 1 };
        last = Some(stamp.index);
        row >= count
    });
}
