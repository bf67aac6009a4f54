//! Receivers that sleep, hold frames or are stopped: they cost the source one wait, and the other
//! receivers nothing.

use mcm::{Client, Frame, Receiver, Source, Timeout};
use mcm_tests::config;
use mcm_tests::content::{self, Stamp};
use mcm_tests::proxy::Proxy;
use mcm_tests::role::{Order, Role, Spec};
use mcm_tests::run::Run;
use serde_json::{Value, json};
use std::time::Duration;

const CAPACITY: u64 = 4;
const SIZE: usize = 200;

/// A source and receivers, all driven by the test, so that nothing depends on time but the stall
/// time itself.
struct Group {
    _run: Run,
    _proxy: Proxy,
    _client: Client,
    source: Source,
    receivers: Vec<Receiver>,
    put: u64,
}

impl Group {
    fn new(options: Value, receivers: &[Value]) -> Self {
        let run = Run::new();
        let proxy = Proxy::start(&run);
        let client = proxy.client();
        let config = |options: &Value| {
            let more = json!({ "bufferQueueCapacity": CAPACITY, "options": options });
            config::with(config::blob("slow", SIZE), more).to_string()
        };
        let receivers =
            receivers.iter().map(|options| client.receiver(config(options)).unwrap()).collect();
        let source = client.source(config(&options)).unwrap();
        Self { _run: run, _proxy: proxy, _client: client, source, receivers, put: 0 }
    }

    fn put(&mut self) {
        let mut buffer = self.source.frame(Timeout::Default).unwrap();
        content::fill(Stamp { source: 1, index: self.put }, buffer.payload_mut(), &mut []);
        buffer.publish().unwrap();
        self.put += 1;
    }

    /// Puts so many frames, each of which these receivers take at once.
    fn put_for(&mut self, frames: u64, awake: &[usize]) {
        for _ in 0..frames {
            self.put();
            for &receiver in awake {
                let buffer = self.receivers[receiver].recv(Timeout::Default).unwrap().unwrap();
                assert_eq!(index(&buffer), self.put - 1);
                assert_eq!(buffer.info().missed, 0);
            }
        }
    }

    /// Takes what there is; every frame is either taken or counted as missed.
    fn catch_up(&self, receiver: usize) -> Vec<u64> {
        let receiver = &self.receivers[receiver];
        let mut next = receiver.stats().frames + receiver.stats().missed;
        let mut taken = Vec::new();
        // Its first frame may still be on the way; the newest one is always there.
        while next < self.put {
            let buffer = receiver.recv(Timeout::Default).unwrap().unwrap();
            next += buffer.info().missed;
            assert_eq!(index(&buffer), next);
            next += 1;
            taken.push(index(&buffer));
        }
        let stats = receiver.stats();
        assert_eq!(stats.frames + stats.missed, self.put);
        taken
    }

    fn waits(&self) -> u64 {
        self.source.stats().waits
    }
}

fn index(frame: &Frame) -> u64 {
    content::check(frame.payload(), &[]).unwrap().index
}

const STALL: u64 = 50;

fn reliable() -> Value {
    json!({ "stallTimeoutMilliseconds": STALL })
}

#[test]
fn one_that_sleeps_is_waited_for_once() {
    let mut group = Group::new(reliable(), &[json!({}), json!({})]);
    group.put_for(10 * CAPACITY, &[0]);
    // On a busy machine the stall time may have passed before there was anything to wait for.
    let waits = group.waits();
    assert!(waits <= 1, "one stall, and no more: {waits} waits");
    group.catch_up(1);
    // It keeps up again, so it counts again: it misses nothing, and the source does not wait.
    let missed = group.receivers[1].stats().missed;
    group.put_for(3 * CAPACITY, &[0, 1]);
    assert_eq!(group.receivers[1].stats().missed, missed);
    assert_eq!(group.waits(), waits);
    // And if it sleeps again, that costs one wait again.
    group.put_for(5 * CAPACITY, &[0]);
    assert!(group.waits() <= waits + 1, "{} waits", group.waits());
    group.catch_up(1);
    assert_eq!(group.receivers[0].stats().missed, 0);
}

#[test]
fn the_source_does_wait_for_the_stall_time() {
    let options = json!({ "stallTimeoutMilliseconds": 60_000 });
    let mut group = Group::new(options, &[json!({}), json!({})]);
    group.put_for(CAPACITY, &[0]);
    let buffer = group.source.frame(Timeout::Default).unwrap();
    let error = buffer.publish_within(Duration::from_millis(300)).unwrap_err();
    assert!(error.reason.is_timeout(), "{error}");
    drop(error);
    // One frame taken is room for one.
    drop(group.receivers[1].recv(Timeout::Default).unwrap().unwrap());
    group.put_for(1, &[0]);
    assert_eq!(group.catch_up(1).len() as u64, CAPACITY);
    assert_eq!(group.receivers[1].stats().missed, 0);
}

#[test]
fn one_that_holds_what_it_has_is_waited_for_once_and_its_frames_stay_whole() {
    let mut group = Group::new(reliable(), &[json!({}), json!({})]);
    let mut held = Vec::new();
    for expected in 0..CAPACITY {
        group.put_for(1, &[0]);
        let buffer = group.receivers[1].recv(Timeout::Default).unwrap().unwrap();
        assert_eq!(index(&buffer), expected);
        held.push(buffer);
    }
    group.put_for(1, &[0]);
    let more = group.receivers[1].recv(Duration::ZERO).map(drop);
    assert_eq!(more.unwrap_err().code(), 1012, "it holds as many as it may");
    group.put_for(20 * CAPACITY, &[0]);
    assert!(group.waits() <= 1, "one stall, and no more: {} waits", group.waits());
    for (buffer, expected) in held.iter().zip(0..) {
        assert_eq!(index(buffer), expected);
    }
    assert_eq!(group.receivers[1].stats().held as u64, CAPACITY);
    // Given back in another order than taken.
    while !held.is_empty() {
        held.swap_remove(held.len() / 2);
    }
    group.catch_up(1);
    assert_eq!(group.receivers[0].stats().missed, 0);
}

#[test]
fn several_that_hold_different_frames_do_not_stop_the_source() {
    // As many as a pool has room for when each holds all that it may.
    let holders = 4;
    let mut group = Group::new(reliable(), &vec![json!({}); holders + 1]);
    let mut held = Vec::new();
    for holder in 1..=holders {
        for _ in 0..CAPACITY {
            group.put_for(1, &[0]);
            held.push(group.receivers[holder].recv(Timeout::Default).unwrap().unwrap());
        }
    }
    let indices: Vec<_> = held.iter().map(index).collect();
    group.put_for(10 * CAPACITY, &[0]);
    assert_eq!(held.iter().map(index).collect::<Vec<_>>(), indices, "held frames do not change");
    drop(held);
    (1..=holders).for_each(|holder| drop(group.catch_up(holder)));
    assert_eq!(group.receivers[0].stats().missed, 0);
}

#[test]
fn in_live_mode_nobody_is_waited_for() {
    let mut group = Group::new(json!({ "delivery": "live" }), &[json!({}), json!({})]);
    group.put_for(20 * CAPACITY, &[0]);
    assert_eq!(group.waits(), 0);
    group.catch_up(1);
    assert_eq!(group.receivers[0].stats().missed, 0);
}

#[test]
fn a_live_receiver_of_a_reliable_source_is_not_waited_for() {
    let options = json!({ "stallTimeoutMilliseconds": 60_000 });
    let mut group = Group::new(options, &[json!({}), json!({ "delivery": "live" })]);
    group.put_for(20 * CAPACITY, &[0]);
    assert_eq!(group.waits(), 0);
    group.catch_up(1);
}

#[test]
fn the_first_buffer_waits_for_as_many_receivers_as_wished() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let client = proxy.client();
    let config = config::blob("audience", 100);
    let patient = config::with(config.clone(), json!({ "options": { "waitForReceivers": 2 } }));
    let source = client.source(patient.to_string()).unwrap();
    let none = || source.frame(Duration::from_millis(30)).unwrap_err().code();
    assert_eq!(none(), 1012);
    let _first = client.receiver(config.to_string()).unwrap();
    assert_eq!(none(), 1012);
    let second = client.receiver(config.to_string()).unwrap();
    drop(source.frame(Timeout::Default).unwrap());
    drop(second);
    drop(source.frame(Timeout::Default).unwrap());
}

/// Processes: one receiver is stopped by a signal, one sleeps, one holds, and two keep up.
#[test]
fn processes_that_stand_still() {
    const FRAMES: u64 = 1500;
    let run = Run::new();
    let _proxy = Proxy::start(&run);
    let client = config::client(&run.socket());
    let blob = config::blob("slow", 3000);
    let mut good: Vec<_> = (0..2)
        .map(|_| Role::start(&Spec::receiver(client.clone(), blob.clone())).ready())
        .collect();
    let mut late: Vec<_> = (0..3)
        .map(|_| Role::start(&Spec::receiver(client.clone(), blob.clone())).ready())
        .collect();
    // The good ones are waited for however busy the machine is: a stall time of theirs would have
    // to pass without one frame.
    let options = json!({ "options": { "stallTimeoutMilliseconds": 1000 } });
    let spec = Spec::source(client, config::with(blob, options), 7).frames(FRAMES).pause(500);
    let mut source = Role::start(&spec).ready();
    late.iter_mut().for_each(|role| drop(role.until("frames", |report| report.frames > 20)));
    late[0].process().stop();
    late[1].order(Order::Sleep);
    late[2].order(Order::Hold);
    source.until("all frames are put", |report| report.ended);
    let report = source.finished();
    assert_eq!((report.frames, report.error), (FRAMES, 0), "{report:?}");
    for role in &mut good {
        role.until("all frames", |report| report.frames == FRAMES);
    }
    late[0].process().go_on();
    late[1].order(Order::Wake);
    late[2].order(Order::Release);
    for mut role in late {
        role.until("the last frame", |report| report.index == FRAMES - 1);
        let report = role.end();
        assert_eq!(report.frames + report.missed, FRAMES, "{report:?}");
        assert_eq!(report.missed, report.told_missed, "{report:?}");
        assert!(report.missed > 0, "it was late: {report:?}");
    }
    for role in good {
        let report = role.end();
        assert_eq!((report.missed, report.error), (0, 0), "{report:?}");
    }
}
