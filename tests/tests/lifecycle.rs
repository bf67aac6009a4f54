//! Ends of calls and connections: end of stream, replacement of sources, cancel, operators, the
//! readiness descriptor.

use mcm::{Client, Receiver, Source, Timeout, WaitError};
use mcm_tests::proxy::Proxy;
use mcm_tests::run::Run;
use mcm_tests::{config, wait};
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::{Value, json};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const NOW: Timeout = Timeout::After(Duration::ZERO);

struct World {
    _run: Run,
    proxy: Proxy,
    client: Client,
}

impl World {
    fn new() -> Self {
        let run = Run::new();
        let proxy = Proxy::start(&run);
        let client = proxy.client();
        Self { _run: run, proxy, client }
    }

    fn receiver(&self, options: Value) -> Arc<Receiver> {
        Arc::new(self.client.receiver(config(options)).unwrap())
    }

    fn source(&self, options: Value) -> Arc<Source> {
        Arc::new(self.client.source(config(options)).unwrap())
    }
}

fn config(options: Value) -> String {
    let more = json!({ "bufferQueueCapacity": 4, "options": options });
    config::with(config::blob("life", 100), more).to_string()
}

fn put(source: &Source, number: u8) {
    let mut buffer = source.frame(Timeout::Default).unwrap();
    buffer.set_payload_len(usize::from(number)).unwrap();
    buffer.publish().unwrap();
}

/// The length stands for the number of the frame.
fn take(receiver: &Receiver) -> (usize, u64) {
    let buffer = receiver.recv(Timeout::Default).unwrap().unwrap();
    (buffer.payload().len(), buffer.info().sequence)
}

/// A frame has come.
const FRAME: i32 = 0;
/// The stream has ended.
const END: i32 = -1;

/// What a call has come to: [`FRAME`], [`END`] or the number of its error.
fn outcome(receiver: &Receiver, timeout: Timeout) -> i32 {
    match receiver.recv(timeout) {
        Ok(Some(_)) => FRAME,
        Ok(None) => END,
        Err(error) => error.code(),
    }
}

#[test]
fn a_stream_that_closes_ends_after_its_last_frame() {
    let world = World::new();
    let obedient = world.receiver(json!({}));
    let steady = world.receiver(json!({ "endOfStream": "wait" }));
    let source = world.source(json!({ "endOfStream": "close" }));
    (1..=3).for_each(|number| put(&source, number));
    drop(source);
    for receiver in [&obedient, &steady] {
        assert_eq!([take(receiver), take(receiver), take(receiver)], [(1, 0), (2, 1), (3, 2)]);
    }
    assert_eq!(outcome(&obedient, Timeout::Infinite), END);
    assert_eq!(outcome(&obedient, NOW), END);
    assert_eq!(outcome(&steady, NOW), 1012);
    // A waiting receiver gets the next source's frames, from the first on.
    let next = world.source(json!({}));
    put(&next, 9);
    assert_eq!(take(&steady), (9, 0));
    assert_eq!(outcome(&obedient, NOW), END);
}

#[test]
fn a_stream_ends_for_a_receiver_that_wishes_so() {
    let world = World::new();
    let eager = world.receiver(json!({ "endOfStream": "close" }));
    let waiting = world.receiver(json!({ "endOfStream": "wait" }));
    let source = world.source(json!({}));
    put(&source, 1);
    drop(source);
    assert_eq!((take(&eager), take(&waiting)), ((1, 0), (1, 0)));
    assert_eq!(outcome(&eager, Timeout::Infinite), END);
    assert_eq!(outcome(&waiting, NOW), 1012);
    assert_eq!((eager.stats().ended, waiting.stats().ended), (true, false));
}

/// Programs of the original know no `endOfStream`. They get CONN_CLOSED soon after the source has
/// closed.
#[test]
fn a_stream_ends_where_nobody_says_what_to_do_then() {
    let world = World::new();
    let receiver = world.receiver(json!({}));
    let source = world.source(json!({}));
    put(&source, 1);
    drop(source);
    assert_eq!(take(&receiver), (1, 0));
    // Another source may still follow.
    assert_eq!(outcome(&receiver, NOW), 1012);
    assert_eq!(outcome(&receiver, Timeout::Infinite), END);
    assert!(receiver.stats().ended);
}

#[test]
fn sources_follow_each_other_and_nothing_is_missed() {
    let world = World::new();
    let receiver = world.receiver(json!({ "endOfStream": "wait" }));
    for round in 0..50 {
        let source = world.source(json!({}));
        (1..=3).for_each(|number| put(&source, number));
        // Sometimes before the receiver has read anything, sometimes after.
        if round % 2 == 0 {
            drop(source);
            assert_eq!(
                [take(&receiver), take(&receiver), take(&receiver)],
                [(1, 0), (2, 1), (3, 2)]
            );
        } else {
            assert_eq!(
                [take(&receiver), take(&receiver), take(&receiver)],
                [(1, 0), (2, 1), (3, 2)]
            );
            drop(source);
        }
    }
    let stats = receiver.stats();
    assert_eq!((stats.frames, stats.missed), (150, 0));
}

#[test]
fn cancel_ends_blocked_calls_and_one_that_is_to_come() {
    let world = World::new();
    let receiver = world.receiver(json!({}));
    let source = world.source(json!({ "stallTimeoutMilliseconds": 60_000 }));
    for _ in 0..20 {
        let blocked = {
            let receiver = Arc::clone(&receiver);
            thread::spawn(move || outcome(&receiver, Timeout::Infinite))
        };
        // Whether it blocks already or not makes no difference.
        receiver.cancel();
        assert_eq!(blocked.join().unwrap(), 1014);
    }
    (1..=4).for_each(|number| put(&source, number));
    let full = {
        let source = Arc::clone(&source);
        thread::spawn(move || {
            let buffer = source.frame(Timeout::Infinite).unwrap();
            buffer.publish_within(Timeout::Infinite).map_err(|error| error.reason)
        })
    };
    wait::until("put waits", || source.stats().waits > 0);
    source.cancel();
    assert_eq!(full.join().unwrap(), Err(WaitError::Cancelled));
    // Neither side is any worse for it.
    assert_eq!(take(&receiver), (1, 0));
    put(&source, 5);
    assert_eq!((0..4).map(|_| take(&receiver).0).collect::<Vec<_>>(), [2, 3, 4, 5]);
}

#[test]
fn shutdown_ends_blocked_calls_and_keeps_what_was_put() {
    let world = World::new();
    let receiver = world.receiver(json!({}));
    let source = world.source(json!({}));
    (1..=4).for_each(|number| put(&source, number));
    source.shutdown();
    assert_eq!(source.frame(Timeout::Infinite).unwrap_err().code(), 1011);
    assert_eq!((0..4).map(|_| take(&receiver).0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let blocked = {
        let receiver = Arc::clone(&receiver);
        thread::spawn(move || outcome(&receiver, Timeout::Infinite))
    };
    wait::until("get sleeps or is about to", || !blocked.is_finished());
    receiver.shutdown();
    assert_eq!(blocked.join().unwrap(), 1011);
}

#[test]
fn an_operator_ends_connections() {
    let world = World::new();
    let receiver = world.receiver(json!({}));
    let source = world.source(json!({}));
    let mut control = world.proxy.control();
    let group = control.group("life").unwrap();
    let ids = [group.receivers[0].conn_id.clone(), group.source.unwrap().conn_id];
    let closed: [&dyn Fn() -> bool; 2] =
        [&|| matches!(receiver.recv(NOW), Err(WaitError::Closed(_))), &|| {
            matches!(source.frame(NOW), Err(WaitError::Closed(_)))
        }];
    for (closed, id) in closed.into_iter().zip(ids) {
        control.delete(&id).unwrap();
        wait::until("the connection is closed", closed);
        assert_eq!(control.delete(&id).unwrap_err().code(), tonic::Code::NotFound);
    }
    assert!(control.group("life").is_none());
    drop((receiver, source));
    assert_eq!(world.client.connections(), 0);
}

#[test]
fn what_tools_see_is_what_happened() {
    let world = World::new();
    let receiver = world.receiver(json!({}));
    let late = world.receiver(json!({ "delivery": "live" }));
    let source = world.source(json!({}));
    for number in 0..40 {
        put(&source, number);
        assert_eq!(take(&receiver), (usize::from(number), u64::from(number)));
    }
    let held = late.recv(Timeout::Default).unwrap().unwrap();
    let missed = held.info().missed;
    let mut control = world.proxy.control();
    let group = control.group("life").unwrap();
    let shown = group.source.unwrap();
    assert_eq!((shown.frames, shown.capacity, shown.pid), (40, 4, std::process::id()));
    assert_eq!(shown.bytes, (0..40).sum::<u64>());
    let counts: Vec<_> =
        group.receivers.iter().map(|r| (r.frames, r.missed, r.held, r.live)).collect();
    assert_eq!(counts, [(40, 0, 0, false), (1, missed, 1, true)]);
    assert!(missed > 0);
}

/// Whether the descriptor polls readable within a time that only a failure exhausts, or at once.
fn readable(fd: BorrowedFd<'_>, patient: bool) -> bool {
    let time = if patient { wait::DEADLINE } else { Duration::ZERO };
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    poll(&mut fds, Some(&time.try_into().unwrap())).unwrap() > 0
}

#[test]
fn the_readiness_descriptor_tells_when_a_get_succeeds() {
    let world = World::new();
    let receiver = world.receiver(json!({}));
    let source = world.source(json!({ "stallTimeoutMilliseconds": 60_000 }));
    let (rx, tx) = (receiver.event_fd().unwrap(), source.event_fd().unwrap());
    assert!(readable(tx, true));
    for round in 0..100_u8 {
        put(&source, round % 100);
        assert!(readable(rx, true));
        assert_eq!(take(&receiver).0, usize::from(round % 100));
        assert_eq!(outcome(&receiver, NOW), 1012);
        assert!(!readable(rx, false), "nothing is there, and the last get has said so");
    }
    (1..=4).for_each(|number| put(&source, number));
    // A full queue: a buffer can be had, but not put.
    let buffer = source.frame(NOW).ok();
    assert!(buffer.is_none_or(|buffer| buffer.publish_within(NOW).is_err()));
    assert!(readable(rx, true));
    (1..=4).for_each(|number| assert_eq!(take(&receiver).0, number));
    assert!(readable(tx, true));
    drop(source);
    receiver.shutdown();
    assert!(readable(rx, true), "the end is to be seen as well");
}
