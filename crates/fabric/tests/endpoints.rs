//! Endpoints of one process that send to each other.

mod common;

use common::{Set, content, inet, options, pump, ready, send};
use fabric::{Address, EndpointSet, Event, FabricError, HeapBuffer, Provider, Registration};
use std::os::fd::AsRawFd;
use std::sync::Arc;

fn pair(provider: Provider, registration: Registration) -> [Set; 2] {
    let local = |number: u16| match provider {
        Provider::Shm => Address::Shm(format!("mcm-test-{}", std::process::id()), number),
        _ => inet("127.0.0.1:0"),
    };
    [0, 1].map(|index| {
        let mut options = options(provider, local(index));
        options.registration = registration;
        EndpointSet::open(options).unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Messages of several sizes from one to the other, with and without a trailer.
fn exchange(provider: Provider, registration: Registration) {
    if !ready() {
        return;
    }
    let [mut left, mut right] = pair(provider, registration);
    let to = right.name(0).expect("a name").clone();
    for (seed, len) in [1usize, 100, 20_000, 200_000, 8_294_400].into_iter().enumerate() {
        let data = content(len, seed as u64);
        let trailer = &content(8 * (seed % 3), 99)[..];
        right.receive(0, HeapBuffer::new(len + 64)).expect("a receive");
        send(&mut [&mut left, &mut right], 0, &to, &data, trailer);
        let (mut sent, mut received) = (false, false);
        pump(&mut [&mut left, &mut right], "a message", |set, event| {
            match (set, event) {
                (0, Some(Event::Sent { endpoint: 0, buffer })) => {
                    assert!(Arc::ptr_eq(&buffer, &data));
                    sent = true;
                }
                (1, Some(Event::Received { endpoint: 0, buffer, len: found })) => {
                    assert_eq!(found, len + trailer.len());
                    assert!(buffer.bytes()[..len] == data[..]);
                    assert_eq!(&buffer.bytes()[len..found], trailer);
                    received = true;
                }
                (_, None) => {}
                (set, Some(event)) => panic!("{set}: {event:?}"),
            }
            sent && received
        });
    }
    assert_eq!((left.under_way(), right.under_way()), ((0, 0), (0, 0)));
}

#[test]
fn messages_go_over_tcp() {
    exchange(Provider::Tcp, Registration::AsNeeded);
}

#[test]
fn messages_go_over_tcp_from_registered_memory() {
    exchange(Provider::Tcp, Registration::Always);
}

#[test]
fn messages_go_through_shared_memory() {
    exchange(Provider::Shm, Registration::AsNeeded);
}

#[test]
fn control_messages_need_no_buffers_and_go_both_ways() {
    if !ready() {
        return;
    }
    let [mut left, mut right] = pair(Provider::Tcp, Registration::AsNeeded);
    let names = [left.name(0).unwrap().clone(), right.name(0).unwrap().clone()];
    let peers = [left.insert(&names[1]).unwrap(), right.insert(&names[0]).unwrap()];
    let mut said = [0u8; 2];
    let mut heard = [0u8; 2];
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while heard != [40, 40] {
        assert!(std::time::Instant::now() < deadline, "{said:?} {heard:?}");
        for (index, set) in [&mut left, &mut right].into_iter().enumerate() {
            if said[index] < 40 && set.send_control(0, peers[index], &[said[index]; 100]).unwrap() {
                said[index] += 1;
            }
            match set.poll().unwrap() {
                Some(Event::Control { endpoint: 0, message }) => {
                    assert_eq!(message.bytes(), [heard[index]; 100]);
                    heard[index] += 1;
                }
                Some(event) => panic!("{event:?}"),
                None => {}
            }
        }
    }
    let long = left.send_control(0, peers[0], &[0; 129]).unwrap_err();
    assert!(matches!(long, FabricError::Length { len: 129, max: 128 }), "{long}");
}

#[test]
fn a_message_that_is_too_long_fails_and_those_of_others_arrive() {
    if !ready() {
        return;
    }
    for len in [10_000usize, 100_000, 1_000_000] {
        let [mut left, mut right] = pair(Provider::Tcp, Registration::AsNeeded);
        let mut other = Set::open(options(Provider::Tcp, inet("127.0.0.1:0"))).unwrap();
        let to = right.name(0).unwrap().clone();
        for _ in 0..2 {
            right.receive(0, HeapBuffer::new(len)).expect("a receive");
        }
        send(&mut [&mut left, &mut right], 0, &to, &content(len + 1, 1), &[]);
        pump(&mut [&mut left, &mut right], "a refusal", |set, event| match (set, event) {
            (1, Some(Event::ReceiveFailed { error, buffer, .. })) => {
                assert!(error.is_truncation(), "{error}");
                assert_eq!(buffer.bytes().len(), len);
                true
            }
            (0, Some(Event::Sent { .. } | Event::SendFailed { .. })) | (_, None) => false,
            (set, Some(event)) => panic!("{set}: {event:?}"),
        });
        send(&mut [&mut other, &mut right], 0, &to, &content(len, 2), &[]);
        pump(&mut [&mut other, &mut right], "another's message", |set, event| match (set, event) {
            (1, Some(Event::Received { buffer, len: found, .. })) => {
                assert!(found == len && buffer.bytes() == &content(len, 2)[..]);
                true
            }
            (0, Some(Event::Sent { .. })) | (_, None) => false,
            (set, Some(event)) => panic!("{set}: {event:?}"),
        });
    }
}

#[test]
fn closing_gives_every_buffer_up() {
    if !ready() {
        return;
    }
    let [mut left, mut right] = pair(Provider::Tcp, Registration::AsNeeded);
    let to = right.name(0).unwrap().clone();
    // Unsolicited small messages, and large ones that wait for their receiver.
    let [small, large] = [content(100, 1), content(5_000_000, 2)];
    send(&mut [&mut left, &mut right], 0, &to, &small, &[]);
    for _ in 0..3 {
        send(&mut [&mut left, &mut right], 0, &to, &large, &[]);
    }
    assert!(left.under_way().0 >= 3);
    drop(left);
    assert_eq!((Arc::strong_count(&small), Arc::strong_count(&large)), (1, 1));
    right.receive(0, HeapBuffer::new(100)).expect("a receive");
    assert_eq!(right.under_way(), (0, 1));
}

#[test]
fn the_descriptor_tells_when_to_poll() {
    if !ready() {
        return;
    }
    let [mut left, mut right] = pair(Provider::Tcp, Registration::AsNeeded);
    let to = right.name(0).unwrap().clone();
    const LEN: usize = 3_000_000;
    const MESSAGES: u64 = 20;
    let sender = std::thread::spawn(move || {
        let peer = left.insert(&to).unwrap();
        for seed in 0..MESSAGES {
            let mut data = Some(content(LEN, seed));
            loop {
                if let Some(buffer) = data.take()
                    && let Err((buffer, error)) = left.send(0, peer, buffer, LEN, &[])
                {
                    assert!(error.is_none(), "{error:?}");
                    data = Some(buffer);
                }
                match left.poll().unwrap() {
                    Some(Event::Sent { .. }) => break,
                    Some(event) => panic!("{event:?}"),
                    // No descriptor tells that a connection is there.
                    None if data.is_some() => wait(&mut left, 1),
                    None => wait(&mut left, 10_000),
                }
            }
        }
        left
    });
    for seed in 0..MESSAGES {
        right.receive(0, HeapBuffer::new(LEN)).expect("a receive");
        loop {
            match right.poll().unwrap() {
                Some(Event::Received { buffer, len, .. }) => {
                    assert!(len == LEN && buffer.bytes() == &content(LEN, seed)[..]);
                    break;
                }
                Some(event) => panic!("{event:?}"),
                None => wait(&mut right, 10_000),
            }
        }
    }
    // The sender learns that its message has arrived only while the receiver's side goes on.
    while !sender.is_finished() {
        assert!(right.poll().unwrap().is_none());
    }
    sender.join().unwrap();
}

/// Waits for a set's descriptor. Ten seconds without an event are a failure.
fn wait(set: &mut Set, milliseconds: i32) {
    if set.may_wait().unwrap() {
        let mut fd = libc::pollfd {
            fd: set.fd().expect("a descriptor").as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one entry.
        let count = unsafe { libc::poll(&mut fd, 1, milliseconds) };
        assert!(count == 1 || milliseconds < 10_000, "nothing in ten seconds");
    }
}

#[test]
fn several_endpoints_share_a_queue() {
    if !ready() {
        return;
    }
    let open = || {
        let mut options = options(Provider::Tcp, inet("127.0.0.1:0"));
        options.endpoints = 3;
        Set::open(options).expect("three endpoints")
    };
    let (mut left, mut right) = (open(), open());
    let names: Vec<Address> = (0..3).map(|i| right.name(i).unwrap().clone()).collect();
    let peers: Vec<_> = names.iter().map(|name| left.insert(name).unwrap()).collect();
    for endpoint in 0..3 {
        right.receive(endpoint, HeapBuffer::new(50_000)).expect("a receive");
    }
    let mut waiting: Vec<usize> = vec![0, 1, 2];
    let mut received = [false; 3];
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while received != [true; 3] {
        assert!(std::time::Instant::now() < deadline);
        waiting.retain(|index| {
            let data = content(40_000, *index as u64);
            left.send(*index, peers[*index], data, 40_000, &[]).is_err()
        });
        assert!(!matches!(left.poll().unwrap(), Some(Event::SendFailed { .. })));
        if let Some(Event::Received { endpoint, buffer, len }) = right.poll().unwrap() {
            assert!(buffer.bytes()[..len] == content(40_000, endpoint as u64)[..]);
            received[endpoint] = true;
        }
    }
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    if !ready() {
        return;
    }
    let open = |change: fn(&mut fabric::EndpointOptions)| {
        let mut options = options(Provider::Tcp, inet("127.0.0.1:0"));
        change(&mut options);
        Set::open(options).map(|_| ()).unwrap_err().to_string()
    };
    let text = open(|options| options.endpoints = 9);
    assert_eq!(text, "number of endpoints is 9, accepted are 1 to 8");
    let text = open(|options| options.local = inet("198.51.100.1:9"));
    assert!(text.starts_with("198.51.100.1:9 is not an address"), "{text}");
    let text = open(|options| options.local = Address::Shm("a".into(), 1));
    assert_eq!(text, "provider tcp wants an IPv4 address with a port as address, not a:1");
    let text = open(|options| options.provider = Provider::Shm);
    assert!(text.starts_with("provider shm wants a name"), "{text}");

    let mut taken = options(Provider::Tcp, inet("127.0.0.1:0"));
    let first = Set::open(taken.clone()).unwrap();
    taken.local = first.name(0).unwrap().clone();
    let error = Set::open(taken).map(|_| ()).unwrap_err();
    assert!(error.is_address_in_use(), "{error}");
}
