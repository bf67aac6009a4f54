//! Processes that are stopped while the others carry on a whole stream: the stopped ones lose
//! nothing of it.

use mcm::{Source, Timeout};
use mcm_tests::content::{self, Stamp};
use mcm_tests::process::Process;
use mcm_tests::proxy::Proxy;
use mcm_tests::random::Random;
use mcm_tests::role::{Role, Spec};
use mcm_tests::run::Run;
use mcm_tests::wire::{Heard, Wire};
use mcm_tests::{config, wait};
use proto::Kind;
use proto::exchange::{Goodbye, Joined, from_client, from_proxy};
use serde_json::{Value, json};
use shm::{AtEnd, Deadline, SourceOptions};
use std::process::Command;
use std::time::{Duration, Instant};

const FRAMES: u64 = 25;
const PAYLOAD: usize = 200;
const CLOSED: i32 = 1011;
/// Start-ups that are interrupted.
const STOPS: u64 = 60;

/// A stream that ends for its receivers when its source does.
fn blob(group: &str, options: Value) -> Value {
    let options = config::with(json!({ "endOfStream": "close" }), options);
    config::with(config::blob(group, PAYLOAD), json!({ "options": options }))
}

/// All frames were received or are known to be missed, and then came the end.
fn check(receiver: Role, missed: bool, what: &str) {
    let report = receiver.finished();
    assert_eq!(report.error, CLOSED, "{what}: {report:?}");
    assert_eq!(report.frames + report.missed, FRAMES, "{what}: {report:?}");
    assert!(report.frames > 0 && (missed || report.missed == 0), "{what}: {report:?}");
}

fn send(source: &Source) {
    for index in 0..FRAMES {
        let mut buffer = source.frame(Timeout::Infinite).unwrap();
        content::fill(Stamp { source: 1, index }, buffer.payload_mut(), &mut []);
        buffer.publish_within(Timeout::Infinite).unwrap();
    }
}

/// A receiver is stopped somewhere between its first instruction and its first wait for a frame.
/// Meanwhile the source sends everything, ends and is gone. Its queue holds all frames, or so few
/// that the receiver misses some.
#[test]
fn a_receiver_stopped_while_it_starts_gets_the_stream_and_its_end() {
    let mut random = Random::of_test("standstill");
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let client = proxy.client();
    let mut control = proxy.control();
    let spec = |group: &str| {
        Spec::receiver(config::client(&run.socket()), blob(group, json!({}))).patience(60_000)
    };
    let begun = Instant::now();
    drop(Role::start(&spec("measured")).ready());
    let start_up = begun.elapsed().max(Duration::from_millis(1));
    let mut stopped_in_time = 0;
    for stop in 0..STOPS {
        let (source_first, roomy) = (stop % 2 == 1, stop % 4 < 2);
        let group = format!("stop {stop}");
        let capacity = if roomy { 2 * FRAMES } else { 4 };
        let more = json!({ "bufferQueueCapacity": capacity });
        let options = json!({ "stallTimeoutMilliseconds": if roomy { 60_000 } else { 1 } });
        let config = config::with(blob(&group, options), more).to_string();
        let connect = || client.source(&config).unwrap();
        let early = source_first.then(connect);

        let receiver = Role::start(&spec(&group));
        std::thread::sleep(start_up.mul_f64(random.below(1200) as f64 / 1000.0));
        receiver.process().stop();
        let mut listed = || control.group(&group).is_some_and(|it| it.receivers.len() == 1);
        if listed() {
            stopped_in_time += 1;
        } else {
            // It has not asked yet; a stream that ends before that is none of its business.
            receiver.process().go_on();
            wait::until("the receiver is listed", listed);
            receiver.process().stop();
        }
        let source = early.unwrap_or_else(connect);
        wait::until("the receiver has a seat", || source.stats().peers == 1);
        send(&source);
        drop(source);
        receiver.process().go_on();
        let what = format!("stop {stop}, source first: {source_first}, roomy: {roomy}");
        check(receiver, !roomy, &what);
    }
    assert!(stopped_in_time > 0, "no receiver was ever stopped between its wish and its start");
}

/// The proxy is stopped while a source answers it, sends, closes and dies. The source's messages
/// count.
#[test]
fn a_source_that_dies_before_the_proxy_has_read_its_words_is_heard() {
    const SOCKET: &str = "MCM_TEST_SOCKET";
    const NAME: &str = "a_source_that_dies_before_the_proxy_has_read_its_words_is_heard";
    if let Some(socket) = std::env::var_os(SOCKET) {
        return short_life(socket.as_ref());
    }
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let spec = Spec::receiver(config::client(&run.socket()), blob("brief", json!({})));
    let receivers: Vec<Role> = (0..2).map(|_| Role::start(&spec).ready()).collect();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", NAME, "--nocapture"]).env(SOCKET, run.socket());
    let mut source = Process::start("source", command, |_| false);
    wait::until("the source is asked to let the receivers in", || {
        assert!(!source.has_ended(), "{}", source.output());
        source.output().contains("asked")
    });
    proxy.process().stop();
    source.tell("go on");
    assert!(source.wait().success(), "{}", source.output());
    proxy.process().go_on();
    for receiver in receivers {
        check(receiver, false, "brief");
    }
}

/// The source: it waits for word from its parent before it answers the proxy.
fn short_life(socket: &std::path::Path) {
    let parsed =
        ::config::ConnectionConfig::from_json(&blob("brief", json!({})).to_string(), Kind::Source)
            .unwrap();
    let options = SourceOptions {
        payload_size: PAYLOAD,
        metadata_size: 64,
        capacity: usize::from(parsed.queue_capacity).max(2 * FRAMES as usize),
        live: false,
        stall_time: Duration::from_secs(60),
        wait_for_receivers: 0,
        at_end: AtEnd::Close,
        regions: 0,
        relay: false,
    };
    let source = shm::Source::new(options, [7; 16]).unwrap();
    let wire = Wire::welcomed(socket, "brief");
    let config = parsed.to_sdk_of(Kind::Source);
    let fds = [source.pool_fd(), source.board_fd()];
    wire.announce(1, config, &source.ring_id().0, &fds);
    let mut asked = Vec::new();
    loop {
        match wire.hear() {
            Heard::Message(from_proxy::Body::Join(join), mut fds) => {
                asked.push((join, fds.remove(0)))
            }
            Heard::Message(from_proxy::Body::Created(_), _) => break,
            other => panic!("{other:?}"),
        }
    }
    println!("asked");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    for (number, (join, seat)) in asked.into_iter().enumerate() {
        let start = source.join(number as u64, seat, false).unwrap();
        let joined = Joined { key: 1, seat: join.seat, start, error: String::new() };
        wire.say(from_client::Body::Joined(joined), &[]);
    }
    for index in 0..FRAMES {
        let slot = source.get(Deadline::Never).unwrap();
        // SAFETY: the slot is this source's until it is put, and its payload has so many bytes.
        let payload =
            unsafe { std::slice::from_raw_parts_mut(slot.payload_ptr(), slot.payload().len()) };
        content::fill(Stamp { source: 1, index }, payload, &mut []);
        source.put(slot, Deadline::Never, || 1).map_err(|(_, error)| error).unwrap();
    }
    source.close("the end of the test");
    wire.say(from_client::Body::Goodbye(Goodbye { key: 1 }), &[]);
}
