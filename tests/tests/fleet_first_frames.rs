//! A receiver that joined before the source gets the first frame, on every host.

use mcm::{Client, Receiver};
use mcm_tests::fleet::Fleet;
use mcm_tests::{config, wait};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Frames of each set-up.
const FRAMES: u64 = 60;

/// A stream, and how often its source puts.
fn stream(number: usize) -> (Value, Duration) {
    // What this is about is the beginning; a busy machine may hold up a receiver later.
    let patience = json!({ "options": { "stallTimeoutMilliseconds": 20_000 } });
    let name = format!("studio {number}");
    let (connection, period) = if number % 4 == 3 {
        (config::video(&name, 320, 180, "yuv422p10le"), Duration::from_millis(5))
    } else {
        (config::blob(&name, 1000), Duration::from_millis(1))
    };
    (config::with(connection, patience), period)
}

/// A receiver that takes all frames: returns how many came, how many it missed, and the number of
/// the first.
fn receive(receiver: &Receiver) -> (u64, u64, Option<u64>) {
    let mut first = None;
    let mut count = 0;
    while count < FRAMES {
        match receiver.recv(wait::DEADLINE) {
            Ok(Some(buffer)) => {
                first.get_or_insert(buffer.info().sequence);
                count += 1;
                // Of the last frame it is known that there will be no other.
                if buffer.info().sequence + 1 == FRAMES {
                    break;
                }
            }
            Ok(None) => panic!("the stream ended after {count} frames"),
            Err(error) => panic!("after {count} frames: {error}"),
        }
    }
    (count, receiver.stats().missed, first)
}

fn set_up(clients: &[Client; 3], number: usize) {
    let (connection, period) = stream(number);
    let connection = connection.to_string();
    let hosts: &[usize] = if number.is_multiple_of(2) { &[2] } else { &[1, 2, 3] };
    let receivers: Vec<_> = hosts
        .iter()
        .map(|host| clients[host - 1].receiver(&connection).expect("a receiver"))
        .collect();
    let got: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            receivers.iter().map(|receiver| scope.spawn(|| receive(receiver))).collect();
        let source = clients[0].source(&connection).expect("a source");
        let begun = Instant::now();
        for frame in 0..FRAMES {
            let buffer = source.frame(wait::DEADLINE).expect("a buffer");
            buffer.publish_within(wait::DEADLINE).unwrap();
            let next = begun + period * u32::try_from(frame + 1).unwrap();
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (host, (count, missed, first)) in hosts.iter().zip(got) {
        assert_eq!(
            (count, missed, first),
            (FRAMES, 0, Some(0)),
            "set-up {number}, host {host}: frames, missed, the first"
        );
    }
}

fn set_ups(count: usize) {
    let Some(fleet) = Fleet::started() else { return };
    let clients = [1, 2, 3].map(|host| fleet.client(host));
    (0..count).for_each(|number| set_up(&clients, number));
}

#[test]
fn every_receiver_that_was_there_gets_the_first_frame() {
    set_ups(12);
}

#[test]
#[ignore = "slow: scripts/ci-slow.sh"]
fn two_hundred_times_every_receiver_that_was_there_gets_the_first_frame() {
    set_ups(200);
}

/// The same with a store, where ports are decided by transactions.
#[test]
fn the_first_frame_waits_for_the_store_too() {
    let Some(fleet) = Fleet::started_on_etcd(1) else { return };
    let clients = [1, 2, 3].map(|host| fleet.client(host));
    (0..4).for_each(|number| set_up(&clients, number));
}
