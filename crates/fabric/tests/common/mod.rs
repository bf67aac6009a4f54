//! Common parts of the endpoint tests.
#![allow(dead_code, unreachable_pub)] // Each test file uses a part of it.

pub mod group;
pub mod hosts;
pub mod way;

use fabric::{
    Address, EndpointOptions, EndpointSet, Event, HeapBuffer, Provider, Registration,
    library_version,
};
use std::sync::Arc;
use std::time::Instant;
use testkit::random::Random;
use testkit::wait;

pub type Set = EndpointSet<Arc<[u8]>, HeapBuffer>;
pub type SetEvent = Event<Arc<[u8]>, HeapBuffer>;

/// False, after saying why, where libfabric is not installed.
pub fn ready() -> bool {
    match library_version() {
        Ok(_) => true,
        Err(error) => {
            testkit::skip(&error.to_string());
            false
        }
    }
}

pub fn inet(text: &str) -> Address {
    Address::Inet(text.parse().expect("an address"))
}

pub fn options(provider: Provider, local: Address) -> EndpointOptions {
    EndpointOptions {
        provider,
        local,
        endpoints: 1,
        sends: 8,
        receives: 8,
        control: true,
        registration: Registration::AsNeeded,
    }
}

/// Bytes that tell where they belong.
pub fn content(len: usize, seed: u64) -> Arc<[u8]> {
    Random::new(seed).bytes(len).into()
}

/// Polls sets in turns until the events seen satisfy the caller.
pub fn pump(
    sets: &mut [&mut Set],
    what: &str,
    mut done: impl FnMut(usize, Option<SetEvent>) -> bool,
) {
    let deadline = Instant::now() + wait::DEADLINE;
    loop {
        for (index, set) in sets.iter_mut().enumerate() {
            let event = set.poll().expect("poll");
            if done(index, event) {
                return;
            }
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
    }
}

/// Sends as soon as there is a connection.
pub fn send(sets: &mut [&mut Set], from: usize, to: &Address, data: &Arc<[u8]>, trailer: &[u8]) {
    let peer = sets[from].insert(to).expect("peer");
    let deadline = Instant::now() + wait::DEADLINE;
    loop {
        match sets[from].send(0, peer, Arc::clone(data), data.len(), trailer) {
            Ok(()) => return,
            Err((_, Some(error))) => panic!("{error}"),
            Err((_, None)) => assert!(Instant::now() < deadline, "no connection"),
        }
        for set in sets.iter_mut() {
            assert!(set.poll().expect("poll").is_none(), "an event before anything was sent");
        }
    }
}
