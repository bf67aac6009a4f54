//! ST 2110 streams between two proxies over networks that lose, delay, repeat and reorder packets:
//! the counters, and the recovery by two paths (ST 2022-7).

mod accounting;
mod detour;
mod garbage;
mod incomplete;
mod packets;
mod redundancy;
mod strangers;

use mcm::{Client, Receiver, Source, Timeout};
use mcm_tests::content::{self, Stamp};
use mcm_tests::drops::loss;
use mcm_tests::pair::Pair;
use mcm_tests::wait;
use serde_json::{Value, json};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 360;
/// Few a second: this machine may be busy with other things, and a frame that is late by two
/// periods is given up.
const RATE: u32 = 10;
const FORMAT: media::PixelFormat = media::PixelFormat::Yuv422p10Rfc4175;
const PORT: u16 = 5004;

fn config(stream: &Value, rate: u32) -> Value {
    json!({
        "connection": { "st2110": stream },
        "payload": { "video": {
            "width": WIDTH, "height": HEIGHT, "fps": rate, "pixelFormat": FORMAT.name(),
        }},
        "bufferQueueCapacity": 32,
    })
}

fn open_source(client: &Client, stream: &Value) -> Source {
    client.source(config(stream, RATE).to_string()).expect("a source")
}

fn open_receiver(client: &Client, stream: &Value) -> Receiver {
    client.receiver(config(stream, RATE).to_string()).expect("a receiver")
}

/// Receives on host 2 what [`packets::Packets`] sends from an address of host 1.
fn receive_slowly(pair: &Pair, stream: &Value) -> Receiver {
    let config = config(stream, packets::SLOW).to_string();
    pair.programs[1].receiver(&config).expect("a receiver")
}

fn put(source: &Source, index: u64) {
    let mut buffer = source.frame(wait::DEADLINE).expect("a buffer");
    content::fill(Stamp { source: 1, index }, buffer.payload_mut(), &mut []);
    buffer.publish_within(Timeout::Infinite).expect("put");
}

/// The next frame, which must be this one, and whole.
fn take(receiver: &Receiver, index: u64) {
    let buffer = receiver.recv(wait::DEADLINE);
    let buffer = buffer.unwrap_or_else(|error| loss(format!("frame {index}: {error}")));
    let buffer = buffer.expect("no end");
    if buffer.info().incomplete {
        let missing: Vec<_> = buffer.missing().collect();
        loss(format!("frame {index}: {missing:?}"));
    }
    let stamp = content::check(buffer.payload(), &[]).expect("an exact frame");
    assert_eq!(stamp, Stamp { source: 1, index });
}

/// Interfaces that cut bundles of packets before they send them: what comes after that sees single
/// packets.
fn single_packets(pair: &Pair, interfaces: &[&str]) {
    for interface in interfaces {
        pair.net.run(1, "ip", &["link", "set", interface, "gso_max_segs", "1"]);
    }
}

/// Lets host 2 drop what comes in by an interface, as these rules of nftables say, and count it.
fn drop_incoming(pair: &Pair, interface: &str, rules: &[&str]) {
    let mut script = format!(
        "add table netdev {interface}\nadd counter netdev {interface} dropped\n\
         add chain netdev {interface} in {{ type filter hook ingress device {interface} priority 0; }}\n"
    );
    for rule in rules {
        script += &format!("add rule netdev {interface} in {rule} counter name dropped drop\n");
    }
    pair.net.run(2, "nft", &[&script]);
}

fn drop_no_more(pair: &Pair, interface: &str) {
    pair.net.run(2, "nft", &[&format!("flush chain netdev {interface} in")]);
}

/// Packets that the rules of an interface have dropped.
fn dropped(pair: &Pair, interface: &str) -> u64 {
    counted(pair, interface, "dropped")
}

/// Packets that a counter of an interface's rules has seen.
fn counted(pair: &Pair, interface: &str, counter: &str) -> u64 {
    let answer = pair.net.run(2, "nft", &["-j", "list", "counter", "netdev", interface, counter]);
    let answer: Value = serde_json::from_str(&answer).expect("JSON of nft");
    let counters = answer["nftables"].as_array().expect("a list");
    counters.iter().find_map(|it| it["counter"]["packets"].as_u64()).expect("a counter")
}

/// Lets this thread run before those of other programs, as a network does not wait for them.
fn prefer_this_thread() {
    let priority = libc::sched_param { sched_priority: 60 };
    // SAFETY: the structure is whole, and 0 means this thread. Where it is refused, the thread runs
    // as before.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
}
