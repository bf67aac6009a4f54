//! Clients that break the protocol get a clear error, and a stream beside them does not notice.

mod common;

use common::Stream;
use mcm_tests::config;
use mcm_tests::random::Random;
use mcm_tests::wire::{Heard, Wire};
use proto::Kind;
use proto::datagram::{MAX_LEN, VERSION, encode_from_client};
use proto::exchange::{Goodbye, Hello, Joined, Standby, from_client, from_proxy};
use proto::sdk::ConnectionConfig;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use serde_json::json;
use shm::layout::{BOARD_MAGIC, BOARD_SIZE, BoardHeader, LAYOUT_VERSION, SEAT_MAGIC, SEAT_SIZE};
use shm::{AtEnd, Seat, Source, SourceOptions};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::Duration;

const PAYLOAD: usize = 1000;
const RING: [u8; 16] = [7; 16];

/// The configuration of a connection to the group that the stream uses, or to another.
fn wire_config(group: &str, kind: Kind) -> ConnectionConfig {
    let text = config::blob(group, PAYLOAD).to_string();
    ::config::ConnectionConfig::from_json(&text, kind).unwrap().to_sdk_of(kind)
}

/// The descriptors of a real ring that is gone.
fn real_source(payload_size: usize, ring_id: [u8; 16]) -> Source {
    let options = SourceOptions {
        payload_size,
        metadata_size: 64,
        capacity: 16,
        live: false,
        stall_time: Duration::from_millis(100),
        wait_for_receivers: 0,
        at_end: AtEnd::Wait,
        regions: 0,
        relay: false,
    };
    Source::new(options, ring_id).unwrap()
}

fn dev_null() -> OwnedFd {
    File::open("/dev/null").unwrap().into()
}

/// A memfd with this content at its start, sealed or not.
fn memory(size: u64, content: &[u8], seals: SealFlags) -> OwnedFd {
    let fd = memfd_create("hostile", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&fd, size).unwrap();
    let file = File::from(fd);
    file.write_all_at(content, 0).unwrap();
    let fd = OwnedFd::from(file);
    fcntl_add_seals(&fd, seals).unwrap();
    fd
}

fn sealed() -> SealFlags {
    SealFlags::FUTURE_WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL
}

/// Bytes of a board's header, with something changed.
fn board_header(change: impl Fn(&mut BoardHeader)) -> Vec<u8> {
    let mut header = BoardHeader {
        magic: BOARD_MAGIC,
        version: LAYOUT_VERSION,
        capacity: 16,
        payload_size: PAYLOAD as u64,
        metadata_size: 64,
        ring_id: RING,
        regions: 0,
    };
    change(&mut header);
    let words = [header.magic, u64::from(header.version) | (u64::from(header.capacity) << 32)];
    let words = words.into_iter().chain([header.payload_size, header.metadata_size]);
    let words = words.flat_map(u64::to_le_bytes).chain(header.ring_id);
    words.chain(header.regions.to_le_bytes()).collect()
}

/// After whatever has happened, a proper client is served at once.
fn served(stream: &Stream) {
    let client = stream.proxy.client();
    let config = config::blob("served", 10).to_string();
    let receiver = client.receiver(&config).unwrap();
    drop(client.source(&config).unwrap());
    drop(receiver);
}

#[test]
fn garbage_on_the_socket() {
    let stream = Stream::new();
    let mut random = Random::of_test("garbage");
    for _ in 0..200 {
        let wire = Wire::connect(&stream.run.socket()).unwrap();
        let len = 1 + random.below(2000) as usize;
        proto::socket::send(&wire.0, &random.bytes(len), &[]).unwrap();
        // Random bytes are no Hello with a pidfd; without one even a valid message ends here.
        assert!(!wire.end().is_empty(), "the reason is told");
    }
    // After a proper start too.
    for _ in 0..100 {
        let wire = Wire::welcomed(&stream.run.socket(), "garbage");
        let mut message = random.bytes(300);
        message[0] = 0xff;
        proto::socket::send(&wire.0, &message, &[]).unwrap();
        assert!(!wire.end().is_empty());
    }
    served(&stream);
    stream.unharmed();
}

#[test]
fn messages_out_of_turn() {
    let stream = Stream::new();
    let socket = stream.run.socket();
    let hello = |version, client_id: &str| {
        let hello = Hello { version, client_id: client_id.into(), program: "x".into(), pid: 1 };
        from_client::Body::Hello(hello)
    };
    let process = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let seat = Seat::new().unwrap();

    let wire = Wire::connect(&socket).unwrap();
    wire.announce(1, wire_config("g", Kind::Receiver), &[], &[seat.fd()]);
    assert!(wire.end().contains("Hello"));

    for (version, id, reason) in [
        (VERSION + 1, "a", "version"),
        (VERSION, "", "client_id"),
        (VERSION, &"x".repeat(1000), "client_id"),
        (VERSION, "a\nb", "client_id"),
    ] {
        let wire = Wire::connect(&socket).unwrap();
        wire.say(hello(version, id), &[process.as_fd()]);
        let told = wire.end();
        assert!(told.contains(reason), "{told}");
    }

    let wire = Wire::connect(&socket).unwrap();
    wire.say(hello(VERSION, "none"), &[]);
    assert!(wire.end().contains("descriptor"));

    let wire = Wire::welcomed(&socket, "twice");
    wire.say(hello(VERSION, "twice"), &[process.as_fd()]);
    assert!(wire.end().contains("Hello"));

    let wire = Wire::welcomed(&socket, "key");
    wire.announce(1, wire_config("g", Kind::Receiver), &[], &[seat.fd()]);
    assert!(matches!(wire.hear(), Heard::Message(from_proxy::Body::Created(_), _)));
    wire.announce(1, wire_config("g", Kind::Receiver), &[], &[seat.fd()]);
    assert!(wire.end().contains("key 1"));

    // About connections that do not exist: perhaps they have just ended, so these do no harm.
    let wire = Wire::welcomed(&socket, "ghost");
    wire.say(from_client::Body::Goodbye(Goodbye { key: 99 }), &[]);
    let joined = Joined { key: 99, seat: u64::MAX, start: u64::MAX, error: String::new() };
    wire.say(from_client::Body::Joined(joined), &[]);
    wire.say(from_client::Body::Standby(Standby { key: 99 }), &[seat.fd()]);
    wire.announce(1, wire_config("g", Kind::Receiver), &[], &[seat.fd()]);
    assert!(matches!(wire.hear(), Heard::Message(from_proxy::Body::Created(_), _)));

    drop(wire);
    served(&stream);
    stream.unharmed();
}

#[test]
fn oversized_messages_and_fields() {
    let stream = Stream::new();
    let socket = stream.run.socket();
    let seat = Seat::new().unwrap();

    let wire = Wire::welcomed(&socket, "long");
    // The library refuses to send so much, so this goes past it.
    let long = vec![0_u8; MAX_LEN + 1];
    rustix::net::send(&wire.0, &long, rustix::net::SendFlags::NOSIGNAL).unwrap();
    assert!(wire.end().contains(&MAX_LEN.to_string()));

    let wire = Wire::welcomed(&socket, "fds");
    let many = [seat.fd(); 3];
    wire.say(from_client::Body::Standby(Standby { key: 1 }), &many);
    assert!(wire.end().contains("descriptor"));

    let wire = Wire::welcomed(&socket, "fields");
    let base = wire_config("g", Kind::Receiver);
    let group = |urn: String| {
        let group = proto::sdk::ConfigMultipointGroup { urn };
        Some(proto::sdk::connection_config::Conn::MultipointGroup(group))
    };
    for config in [
        ConnectionConfig { conn: group("x".repeat(60_000)), ..base.clone() },
        ConnectionConfig { conn: group("a\u{1b}[2Jb".into()), ..base.clone() },
        ConnectionConfig { conn: group(String::new()), ..base.clone() },
        ConnectionConfig { conn: None, ..base.clone() },
        ConnectionConfig { max_payload_size: u32::MAX, ..base.clone() },
        ConnectionConfig { max_metadata_size: u32::MAX, ..base.clone() },
        ConnectionConfig { buf_queue_capacity: u32::MAX, ..base.clone() },
        ConnectionConfig { buf_queue_capacity: 1, ..base.clone() },
    ] {
        wire.announce(5, config.clone(), &[], &[seat.fd()]);
        let (code, reason) = wire.refusal();
        assert!(code == 1009 || code == 1010, "{code} {reason} for {config:?}");
        assert!(!reason.is_empty() && reason.len() < 2000, "{reason}");
    }
    // The connection itself is still good.
    wire.announce(6, base, &[], &[seat.fd()]);
    assert!(matches!(wire.hear(), Heard::Message(from_proxy::Body::Created(_), _)));

    drop(wire);

    // A program's name is for display, and cut to a readable length.
    let wire = Wire::connect(&socket).unwrap();
    let process = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let hello = Hello {
        version: VERSION,
        client_id: "name".into(),
        program: "n".repeat(50_000),
        pid: u32::MAX,
    };
    wire.say(from_client::Body::Hello(hello), &[process.as_fd()]);
    assert!(matches!(wire.hear(), Heard::Message(from_proxy::Body::Welcome(_), _)));

    drop(wire);
    served(&stream);
    stream.unharmed();
}

#[test]
fn wrong_descriptors_for_pool_and_board() {
    let stream = Stream::new();
    let wire = Wire::welcomed(&stream.run.socket(), "source");
    let good = real_source(PAYLOAD, RING);
    let other = real_source(PAYLOAD * 2, RING);
    let other_name = real_source(PAYLOAD, [8; 16]);
    let copy = |fd: std::os::fd::BorrowedFd<'_>| fd.try_clone_to_owned().unwrap();
    let pool = || copy(good.pool_fd());
    let board_of = |content: &[u8], seals| memory(BOARD_SIZE as u64, content, seals);
    let header = board_header(|_| {});
    let bad_header = |change: fn(&mut BoardHeader)| board_of(&board_header(change), sealed());
    let pool_size = good.geometry().pool_size() as u64;
    let cases = [
        ("no memory", dev_null(), dev_null()),
        ("pool is no memory", dev_null(), copy(good.board_fd())),
        ("exchanged", copy(good.board_fd()), pool()),
        ("twice the pool", pool(), pool()),
        ("unsealed board", pool(), board_of(&header, SealFlags::empty())),
        ("board that may shrink", pool(), board_of(&header, sealed() - SealFlags::SHRINK)),
        (
            "board that others may write",
            pool(),
            board_of(&header, sealed() - SealFlags::FUTURE_WRITE),
        ),
        ("unsealed pool", memory(pool_size, &[], SealFlags::empty()), copy(good.board_fd())),
        ("small pool", memory(4096, &[], sealed()), copy(good.board_fd())),
        ("empty pool", memory(0, &[], sealed()), copy(good.board_fd())),
        ("small board", pool(), memory(64, &header, sealed())),
        ("large board", pool(), memory(1 << 40, &header, sealed())),
        ("no magic", pool(), bad_header(|header| header.magic = 0)),
        ("other layout", pool(), bad_header(|header| header.version += 1)),
        ("no capacity", pool(), bad_header(|header| header.capacity = 0)),
        ("vast capacity", pool(), bad_header(|header| header.capacity = u32::MAX)),
        ("no payload", pool(), bad_header(|header| header.payload_size = 0)),
        ("vast payload", pool(), bad_header(|header| header.payload_size = u64::MAX)),
        ("payload that wraps", pool(), bad_header(|header| header.payload_size = 1 << 63)),
        ("vast metadata", pool(), bad_header(|header| header.metadata_size = u64::MAX - 7)),
        ("other ring", copy(other_name.pool_fd()), copy(other_name.board_fd())),
        ("other payload", copy(other.pool_fd()), copy(other.board_fd())),
    ];
    for (what, pool, board) in cases {
        let config = wire_config("hostile", Kind::Source);
        wire.announce(3, config, &RING, &[pool.as_fd(), board.as_fd()]);
        let (code, reason) = wire.refusal();
        assert_eq!(code, 1008, "{what}: {reason}");
        assert!(!reason.is_empty(), "{what}");
    }
    for ring_id in [&[][..], &[7; 15], &[7; 17], &[7; 4000]] {
        let config = wire_config("hostile", Kind::Source);
        wire.announce(3, config, ring_id, &[good.pool_fd(), good.board_fd()]);
        assert!(wire.refusal().1.contains("ring"));
    }
    // What was refused has left no trace: the same key and group are free.
    let fds = [good.pool_fd(), good.board_fd()];
    wire.announce(3, wire_config("hostile", Kind::Source), &RING, &fds);
    assert!(matches!(wire.hear(), Heard::Message(from_proxy::Body::Created(_), _)));
    drop(wire);
    served(&stream);
    stream.unharmed();
}

#[test]
fn wrong_descriptors_for_seats() {
    let stream = Stream::new();
    let wire = Wire::welcomed(&stream.run.socket(), "receiver");
    let magic = SEAT_MAGIC.to_le_bytes();
    let size = SEAT_SIZE as u64;
    let cases = [
        ("no memory", dev_null()),
        ("unsealed", memory(size, &magic, SealFlags::empty())),
        ("may shrink", memory(size, &magic, sealed() - SealFlags::SHRINK)),
        ("others may write", memory(size, &magic, sealed() - SealFlags::FUTURE_WRITE)),
        ("no magic", memory(size, &[], sealed())),
        ("small", memory(64, &magic, sealed())),
        ("large", memory(1 << 40, &magic, sealed())),
    ];
    for (what, seat) in cases {
        // In the group of the stream, so that its source would be asked to take such a seat.
        wire.announce(3, stream.config(Kind::Receiver), &[], &[seat.as_fd()]);
        let (code, reason) = wire.refusal();
        assert_eq!(code, 1008, "{what}: {reason}");
        assert!(reason.contains("seat"), "{what}: {reason}");
    }
    drop(wire);
    served(&stream);
    stream.unharmed();
}

/// Everything about the seat is in order but what stands in it.
#[test]
fn a_seat_full_of_nonsense_harms_only_its_owner() {
    let mut stream = Stream::new();
    let mut random = Random::of_test("seats");
    for round in 0..20 {
        let mut content = vec![0; SEAT_SIZE];
        let genuine = Seat::new().unwrap();
        File::from(genuine.fd().try_clone_to_owned().unwrap()).read_at(&mut content, 0).unwrap();
        let start = shm::layout::SEAT_LINE_OFFSET;
        if round % 2 == 0 {
            content[start..].fill(0xff);
        } else {
            content[start..].copy_from_slice(&random.bytes(SEAT_SIZE - start));
        }
        let seat = memory(SEAT_SIZE as u64, &content, sealed());
        let wire = Wire::welcomed(&stream.run.socket(), &format!("nonsense-{round}"));
        wire.announce(1, stream.config(Kind::Receiver), &[], &[seat.as_fd()]);
        // It gets the ring as every receiver does, and never reads from it.
        assert!(
            matches!(wire.hear(), Heard::Message(from_proxy::Body::Ring(_), fds) if fds.len() == 3)
        );
        stream.flows();
    }
    served(&stream);
    stream.unharmed();
}

/// A source whose board says anything at all: its receivers live on, and read the next source's
/// frames.
#[test]
fn a_board_full_of_nonsense_harms_nobody_for_good() {
    let stream = Stream::new();
    let mut random = Random::of_test("boards");
    let client = stream.proxy.client();
    // A source may end the stream of receivers that do not mind; this one does.
    let wait = json!({ "options": { "endOfStream": "wait" } });
    let text = config::with(config::blob("board", PAYLOAD), wait).to_string();
    let receiver = client.receiver(&text).unwrap();
    for round in 0..20_u8 {
        let mut content = board_header(|header| header.ring_id = [round; 16]);
        let body = shm::layout::HEAD_OFFSET;
        content.resize(body, 0);
        content.extend(match round % 2 {
            0 => vec![0xff; BOARD_SIZE - body],
            _ => random.bytes(BOARD_SIZE - body),
        });
        let board = memory(BOARD_SIZE as u64, &content, sealed());
        let real = real_source(PAYLOAD, [round; 16]);
        let wire = Wire::welcomed(&stream.run.socket(), &format!("board-{round}"));
        let config = wire_config("board", Kind::Source);
        wire.announce(1, config, &[round; 16], &[real.pool_fd(), board.as_fd()]);
        // It is asked to take the receiver's seat, and says where that shall begin: anywhere.
        let seat = loop {
            match wire.hear() {
                Heard::Message(from_proxy::Body::Join(join), _) => break join.seat,
                Heard::Message(..) => {}
                Heard::End => panic!("the source was cut off"),
            }
        };
        let joined = Joined { key: 1, seat, start: random.number() >> 8, error: String::new() };
        wire.say(from_client::Body::Joined(joined), &[]);
        for _ in 0..20 {
            // Whatever comes lies within the partitions.
            if let Ok(Some(buffer)) = receiver.recv(Duration::ZERO) {
                assert!(buffer.payload().len() <= PAYLOAD && buffer.metadata().len() <= 64);
            }
        }
        wire.say(from_client::Body::Goodbye(Goodbye { key: 1 }), &[]);
    }
    let source = mcm_tests::wait::some("the group is free", || client.source(&text).ok());
    let mut buffer = source.frame(mcm::Timeout::Default).unwrap();
    buffer.set_payload_len(123).unwrap();
    buffer.set_timestamp(media::Tai::from_nanos(456));
    buffer.publish().unwrap();
    mcm_tests::wait::until("a frame of the proper source", || {
        let got = receiver.recv(Duration::from_millis(10));
        let frame = got.ok().flatten();
        frame.is_some_and(|frame| (frame.payload().len(), frame.info().tai_ns) == (123, 456))
    });
    drop((source, receiver));
    served(&stream);
    stream.unharmed();
}

/// A client that stops in the middle of its announcement, and one that takes another's name.
#[test]
fn half_a_conversation_and_a_stolen_name() {
    let stream = Stream::new();
    let socket = stream.run.socket();
    let silent: Vec<_> = (0..50).map(|_| Wire::connect(&socket).unwrap()).collect();
    let greeted: Vec<_> = (0..50).map(|n| Wire::welcomed(&socket, &format!("mute-{n}"))).collect();
    served(&stream);
    drop((silent, greeted));
    // A name that another process uses.
    let first = Wire::welcomed(&socket, "name");
    let second = Wire::connect(&socket).unwrap();
    let hello =
        Hello { version: VERSION, client_id: "name".into(), program: String::new(), pid: 1 };
    let bytes = encode_from_client(from_client::Body::Hello(hello)).unwrap();
    let init = pidfd_open(rustix::process::Pid::from_raw(1).unwrap(), PidfdFlags::empty());
    if let Ok(init) = init {
        // The kernel says who is at the other end, whatever pidfd it offers: this process, so it is
        // the same client again.
        proto::socket::send(&second.0, &bytes, &[init.as_fd()]).unwrap();
        let heard = second.hear();
        assert!(matches!(heard, Heard::Message(from_proxy::Body::Welcome(_), _)), "{heard:?}");
        assert!(matches!(first.hear(), Heard::End));
    }
    served(&stream);
    stream.unharmed();
}
