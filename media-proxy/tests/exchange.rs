//! Exchange of descriptors with a real proxy.

mod common;

use common::{Peer, Proxy, blob, block_on, dial, groups, source};
use config::{ConnectionConfig, Endpoint, Rdma};
use media::{Payload, Video};
use proto::control::State;
use proto::exchange::{Goodbye, Standby, from_client, from_proxy::Body};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::Signal;
use shm::{Deadline, Reader, Receiver, Seat};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::wait::until;

fn temp() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_frame_goes_from_source_to_receiver() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    let (s, r) = (Peer::new(&proxy, "s"), Peer::new(&proxy, "r"));
    let config = blob("g");
    let ring = source(1);
    s.announce_source(1, &ring, &config);
    s.created(1);
    let seat = Seat::new().unwrap();
    r.announce_receiver(7, &seat, &config);
    s.let_in(&ring);
    let (message, fds) = r.ring(7);
    assert_eq!(message.ring_id, [1; 16]);
    r.created(7);

    let mut fds = fds.into_iter();
    let (pool, board) = (fds.next().unwrap(), fds.next().unwrap());
    let receiver = Receiver::new(None);
    receiver.offer(Reader::open(&pool, board, seat, message.start).unwrap());
    for n in 0..3_u8 {
        let mut slot = ring.get(Deadline::Never).unwrap();
        slot.payload_mut()[0] = n;
        ring.put(slot, Deadline::Never, || 0).unwrap_or_else(|_| panic!("put"));
        let frame = receiver.get(Deadline::Never).unwrap();
        assert_eq!((frame.payload()[0], frame.info().sequence), (n, u64::from(n)));
    }
    let listed = groups(&proxy);
    assert_eq!((listed.len(), listed[0].id.as_str()), (1, "g"));
    assert_eq!(listed[0].format, "blob 1000 bytes");
    let (source, receiver) = (listed[0].source.clone().unwrap(), &listed[0].receivers[0]);
    assert_eq!((source.frames, source.bytes, source.state()), (3, 3000, State::Active));
    assert_eq!((receiver.frames, receiver.bytes, receiver.state()), (3, 3000, State::Active));
    assert_eq!((receiver.missed, receiver.queue_depth), (0, 0));
    assert_eq!(receiver.program, "test?program");
    assert_eq!((receiver.pid, receiver.host_pid), (std::process::id(), std::process::id()));
}

#[test]
fn receivers_that_come_first_are_joined_before_the_source_exists() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    let (s, r) = (Peer::new(&proxy, "s"), Peer::new(&proxy, "r"));
    let config = blob("g");
    let seats = [Seat::new().unwrap(), Seat::new().unwrap()];
    for (key, seat) in (7..).zip(&seats) {
        r.announce_receiver(key, seat, &config);
        r.created(key);
    }
    let ring = source(1);
    s.announce_source(1, &ring, &config);
    s.let_in(&ring);
    s.let_in(&ring);
    s.created(1);
    r.ring(7);
    r.ring(8);
    // A receiver that leaves is taken off the source's list.
    r.send(from_client::Body::Goodbye(Goodbye { key: 8 }), &[]);
    assert!(
        matches!(s.receive().0, Body::Part(part) if part.key == 1 && !part.receiver.is_empty())
    );
}

#[test]
fn source_is_replaced_at_once_by_another_client() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    let (s, t) = (Peer::new(&proxy, "s"), Peer::new(&proxy, "t"));
    let config = blob("g");
    let ring = source(1);
    for round in 0..200 {
        let (old, new) = if round % 2 == 0 { (&s, &t) } else { (&t, &s) };
        new.announce_source(round, &ring, &config);
        assert!(!new.created(round).is_empty());
        // Without waiting for an answer: the next source must not be refused on account of this
        // one.
        new.send(from_client::Body::Goodbye(Goodbye { key: round }), &[]);
        let _ = old;
    }
    let other = source(2);
    s.announce_source(1000, &ring, &config);
    s.created(1000);
    t.announce_source(1001, &other, &config);
    let (code, reason) = t.refused(1001);
    assert_eq!(code, 1008);
    assert!(
        reason.starts_with("group \"g\" has a source already, in test?program (pid "),
        "{reason}"
    );
}

#[test]
fn what_does_not_fit_is_refused_and_hurts_nobody() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    let (s, r) = (Peer::new(&proxy, "s"), Peer::new(&proxy, "r"));
    let (config, ring, seat) = (blob("g"), source(1), Seat::new().unwrap());
    s.announce_source(1, &ring, &config);
    s.created(1);
    let other = ConnectionConfig { max_payload_size: 5, ..config.clone() };
    r.announce_receiver(1, &seat, &other);
    let (code, reason) = r.refused(1);
    assert_eq!(code, 1010);
    assert!(reason.contains("maxPayloadSize: found 5"), "{reason}");

    let endpoint = Endpoint::Rdma(Rdma::default());
    let stream = ConnectionConfig::new(endpoint, Payload::Video(Video::default()));
    r.announce_receiver(2, &seat, &stream);
    assert_eq!(r.refused(2).0, 1013);

    r.announce_receiver(3, &seat, &ConnectionConfig { queue_capacity: 1, ..config.clone() });
    let (code, reason) = r.refused(3);
    assert_eq!(code, 1009);
    assert!(reason.contains("bufferQueueCapacity: found 1"), "{reason}");

    // A pool and board that were made for another configuration, and descriptors that are neither.
    let wide = ConnectionConfig { max_payload_size: 2000, ..blob("h") };
    s.announce_source(4, &ring, &wide);
    let (code, reason) = s.refused(4);
    assert_eq!(code, 1008);
    assert!(reason.contains("1000 bytes of payload, configured are 2000"), "{reason}");
    let plain = rustix::fs::memfd_create("plain", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&plain, 4096).unwrap();
    for fd in [plain.as_fd(), ring.pool_fd()] {
        let announce = proto::exchange::Announce {
            key: 5,
            config: Some(config.to_sdk_of(proto::Kind::Receiver)),
            ..Default::default()
        };
        r.send(from_client::Body::Announce(announce), &[fd]);
        let (code, reason) = r.refused(5);
        assert_eq!(code, 1008);
        assert!(reason.starts_with("seat refused"), "{reason}");
    }
    // All the time the proxy went on, for these two as well.
    r.announce_receiver(6, &seat, &config);
    s.let_in(&ring);
    r.ring(6);
    r.created(6);
}

#[test]
fn violations_end_the_connection_with_a_reason() {
    let dir = temp();
    let mut proxy = Proxy::start(dir.path());
    let fresh = || Peer { socket: dial(&proxy.socket()), id: "x".into() };
    let goodbye = || from_client::Body::Goodbye(Goodbye { key: 1 });

    let peer = fresh();
    peer.send(goodbye(), &[]);
    assert_eq!(peer.cut_off(), "its first message is not Hello");
    let peer = fresh();
    peer.hello(9);
    assert_eq!(peer.cut_off(), "it speaks version 9 of the protocol; this proxy speaks 1");
    let peer = Peer::new(&proxy, "x");
    peer.hello(1);
    assert_eq!(peer.cut_off(), "it said Hello twice");
    let peer = Peer { id: "not\nprintable".into(), ..fresh() };
    peer.hello(1);
    assert!(peer.cut_off().starts_with("client_id"));
    for garbage in [&[0xff; 100][..], &[0; 1], &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
        let peer = fresh();
        proto::socket::send(&peer.socket, garbage, &[]).unwrap();
        assert!(peer.cut_off().contains("message"));
    }
    // Descriptors where none belong, and too few of them.
    let peer = Peer::new(&proxy, "y");
    let memory = memfd_create("x", MemfdFlags::CLOEXEC).unwrap();
    peer.send(goodbye(), &[memory.as_fd()]);
    assert_eq!(peer.cut_off(), "Goodbye carries 1 file descriptors, 0 are expected");
    let peer = Peer::new(&proxy, "y");
    peer.send(from_client::Body::Standby(Standby { key: 1 }), &[peer.socket.as_fd()]);
    assert!(peer.cut_off().contains("allowed: memfd, pidfd"));
    let peer = Peer::new(&proxy, "y");
    peer.send(from_client::Body::Standby(Standby { key: 1 }), &[]);
    assert_eq!(peer.cut_off(), "Standby carries 0 file descriptors, 1 are expected");
    let peer = Peer::new(&proxy, "y");
    peer.announce_receiver(1, &Seat::new().unwrap(), &blob("g"));
    peer.created(1);
    peer.announce_receiver(1, &Seat::new().unwrap(), &blob("g"));
    assert_eq!(peer.cut_off(), "key 1 was announced twice");
    proxy.wait_log("WARN: test?program");

    let info = block_on(async {
        let channel = common::channel(proxy.grpc_port).await;
        let mut client = proto::control::control_client::ControlClient::new(channel);
        client.get_info(proto::control::GetInfoRequest {}).await.unwrap().into_inner()
    });
    assert_eq!(info.refused_clients, 11);
}

/// A socket that is connected, and whose last `close` waits a minute for a peer that does not read.
fn lingering() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    while std::io::Write::write(&mut socket, &[0; 65536]).is_ok() {}
    socket.set_nonblocking(false).unwrap();
    let linger = Some(Duration::from_secs(60));
    rustix::net::sockopt::set_socket_linger(&socket, linger).unwrap();
    (socket, peer)
}

#[test]
fn descriptors_that_take_long_to_close_hold_up_nobody() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    let mut peers = Vec::new();
    for round in 0..20 {
        let member = Peer::new(&proxy, &format!("m{round}"));
        let (socket, peer) = lingering();
        peers.push(peer);
        // Until the proxy's is the last: ours would wait.
        proxy.process.stop();
        match round % 4 {
            // In a message that is right but for this; where none belongs; too many.
            0 => member.send(from_client::Body::Standby(Standby { key: 1 }), &[socket.as_fd()]),
            1 => member.send(from_client::Body::Goodbye(Goodbye { key: 1 }), &[socket.as_fd()]),
            2 => send_many(&member.socket, &[socket.as_fd(); 200]),
            // Behind a message for which the socket is closed with this one unread.
            _ => {
                proto::socket::send(&member.socket, &[0xff; 9], &[]).unwrap();
                member.send(from_client::Body::Goodbye(Goodbye { key: 1 }), &[socket.as_fd()]);
            }
        }
        drop(socket);
        proxy.process.go_on();
        let ring = source(round + 1);
        let other = Peer::new(&proxy, &format!("s{round}"));
        other.announce_source(1, &ring, &blob(&format!("g{round}")));
        other.created(1);
    }
    assert!(proxy.has_logged("cut off"));
}

/// Sends more descriptors than the library lets a program send.
fn send_many(socket: &OwnedFd, fds: &[std::os::fd::BorrowedFd<'_>]) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(200))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    let bytes = [std::io::IoSlice::new(b"x")];
    sendmsg(socket, &bytes, &mut control, SendFlags::empty()).unwrap();
}

#[test]
fn client_that_comes_again_takes_the_place_of_its_old_socket() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    let old = Peer::new(&proxy, "same");
    let ring = source(1);
    old.announce_source(1, &ring, &blob("g"));
    let id = old.created(1);
    let new = Peer::new(&proxy, "same");
    assert!(old.try_receive().is_none());
    new.announce_source_again(1, &id, &ring, &blob("g"), &[]);
    assert_eq!(new.created(1), id);
}

#[test]
fn last_words_are_heard_though_answers_were_not() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    let r = Peer::new(&proxy, "r");
    let seat = Seat::new().unwrap();
    r.announce_receiver(1, &seat, &blob("g"));
    r.created(1);
    for round in 0..100 {
        // It reads neither Join nor Created, and the proxy may find its socket closed when it sends
        // them.
        let s = Peer::new(&proxy, &format!("s{round}"));
        s.announce_source(1, &source(1), &blob("g"));
        s.send(from_client::Body::Goodbye(Goodbye { key: 1 }), &[]);
        drop(s);
        assert!(matches!(r.receive().0, Body::NeedSeat(_)));
        r.standby(1, &seat);
    }
    until("sources are gone", || groups(&proxy)[0].source.is_none());
    assert!(!proxy.has_logged("did not come back") && !proxy.has_logged("cut off"));
}

/// Not a test: a source in a process of its own, for others to kill. Does nothing unless one of
/// them started it.
#[test]
fn source_in_a_process() {
    let Some(path) = std::env::var_os("MCM_TEST_SOCKET") else { return };
    let peer = Peer { socket: dial(path.as_ref()), id: "victim".into() };
    peer.hello(1);
    peer.receive();
    let ring = source(9);
    peer.announce_source(1, &ring, &blob("g"));
    loop {
        if let (Body::Join(join), fds) = peer.receive() {
            let seat = fds.into_iter().next().unwrap();
            let start = ring.join(join.seat, seat, false).unwrap();
            let joined =
                proto::exchange::Joined { key: 1, seat: join.seat, start, error: String::new() };
            peer.send(from_client::Body::Joined(joined), &[]);
        }
    }
}

#[test]
fn killed_source_leaves_its_group_to_the_next() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    let r = Peer::new(&proxy, "r");
    let config = blob("g");
    let mut seats = vec![Seat::new().unwrap()];
    r.announce_receiver(7, &seats[0], &config);
    r.created(7);
    for round in 0..10 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "source_in_a_process"])
            .env("MCM_TEST_SOCKET", proxy.socket())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (message, _fds) = r.ring(7);
        assert_eq!(message.ring_id, [9; 16], "round {round}");
        seats.push(Seat::new().unwrap());
        r.standby(7, seats.last().unwrap());
        victim.kill().unwrap();
        victim.wait().unwrap();
    }
    let s = Peer::new(&proxy, "s");
    let ring = source(1);
    s.announce_source(1, &ring, &config);
    s.let_in(&ring);
    s.created(1);
    assert_eq!(r.ring(7).0.ring_id, [1; 16]);
}

#[test]
fn successor_finds_what_its_killed_predecessor_knew() {
    let dir = temp();
    let mut proxy = Proxy::start(dir.path());
    let (s, r) = (Peer::new(&proxy, "s"), Peer::new(&proxy, "r"));
    let (config, ring, seat) = (blob("g"), source(1), Seat::new().unwrap());
    s.announce_source(1, &ring, &config);
    let s_id = s.created(1);
    r.announce_receiver(7, &seat, &config);
    s.let_in(&ring);
    r.ring(7);
    let r_id = r.created(7);
    proxy.signal(Signal::KILL);
    proxy.wait();
    assert!(s.try_receive().is_none() && r.try_receive().is_none());
    drop(proxy);

    let proxy = Proxy::start(dir.path());
    // A newcomer that is quicker than the survivors must not take their group.
    let (t, other) = (Peer::new(&proxy, "t"), source(2));
    t.announce_source(1, &other, &config);
    let (s, r) = (Peer::new(&proxy, "s"), Peer::new(&proxy, "r"));
    let standby = Seat::new().unwrap();
    r.announce_receiver_again(7, &r_id, &standby, Some((&[1; 16], &seat)), &config);
    assert_eq!(r.created(7), r_id);
    s.announce_source_again(1, &s_id, &ring, &config, &[&r_id]);
    assert_eq!(s.created(1), s_id);
    assert_eq!(t.refused(1).0, 1008);
    let listed = groups(&proxy);
    assert_eq!(listed[0].receivers[0].state(), State::Active);
    assert_eq!(listed[0].receivers[0].conn_id, r_id);
}

#[test]
fn end_by_signal() {
    let dir = temp();
    for (signal, client) in [(Signal::TERM, false), (Signal::INT, true)] {
        let mut proxy = Proxy::start(dir.path());
        let peer = client.then(|| Peer::new(&proxy, "s"));
        proxy.signal(signal);
        assert!(proxy.wait().success());
        // The socket tells a successor to expect clients.
        assert_eq!(proxy.socket().exists(), client);
        assert!(peer.is_none_or(|peer| peer.try_receive().is_none()));
    }
}

#[test]
fn one_proxy_for_a_directory_and_a_port() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    let output = Proxy::command(dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("another media_proxy (pid "), "{text}");

    let other = temp();
    let port = proxy.sdk_port.to_string();
    let output = Proxy::command(other.path()).args(["-t", &port]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains(&format!("--tcp 0.0.0.0:{port}: Address already in use")), "{text}");
}

#[test]
fn nothing_is_left_of_clients_that_have_gone() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    let before = proxy.descriptors();
    let (config, ring) = (blob("g"), source(1));
    for round in 0..50 {
        let (s, r) = (Peer::new(&proxy, "s"), Peer::new(&proxy, "r"));
        let seat = Seat::new().unwrap();
        r.announce_receiver(round, &seat, &config);
        r.created(round);
        s.announce_source(round, &ring, &config);
        s.let_in(&ring);
        s.created(round);
        r.ring(round);
        s.send(from_client::Body::Goodbye(Goodbye { key: round }), &[]);
        r.send(from_client::Body::Goodbye(Goodbye { key: round }), &[]);
    }
    until("descriptors are closed", || proxy.descriptors() <= before);
}

#[test]
fn thousands_of_connections_and_a_client_that_does_not_read() {
    let dir = temp();
    let mut proxy = Proxy::start(dir.path());
    let (s, r) = (Peer::new(&proxy, "s"), Peer::new(&proxy, "r"));
    let (config, ring, seat) = (blob("g"), source(1), Seat::new().unwrap());
    s.announce_source(1, &ring, &config);
    s.created(1);
    // Silent ones make room for those that say Hello; the proxy keeps to its bound.
    let mut silent = Vec::new();
    for _ in 0..10_000 {
        let flags = rustix::net::SocketFlags::CLOEXEC;
        let (family, kind) = (rustix::net::AddressFamily::UNIX, rustix::net::SocketType::SEQPACKET);
        let Ok(socket) = rustix::net::socket_with(family, kind, flags, None) else { break };
        let address = rustix::net::SocketAddrUnix::new(proxy.socket()).unwrap();
        rustix::net::connect(&socket, &address).unwrap();
        silent.push(socket);
    }
    assert!(silent.len() > 500, "{}", silent.len());
    // One that asks for answers and never reads them is cut off in the end, by number or by time.
    let deaf = Peer::new(&proxy, "deaf");
    let bad = ConnectionConfig { queue_capacity: 1, ..config.clone() };
    for key in 0..3000 {
        let announce = proto::exchange::Announce {
            key,
            config: Some(bad.to_sdk_of(proto::Kind::Receiver)),
            ..Default::default()
        };
        let bytes =
            proto::datagram::encode_from_client(from_client::Body::Announce(announce)).unwrap();
        if proto::socket::send(&deaf.socket, &bytes, &[seat.fd()]).is_err() {
            break;
        }
    }
    proxy.wait_log("cut off: it does not read its messages");
    let late = Peer::new(&proxy, "late");
    late.announce_receiver(1, &seat, &config);
    s.let_in(&ring);
    late.ring(1);
    late.created(1);
    assert!(proxy.memory_kib() < 200 << 10, "{} KiB", proxy.memory_kib());
    drop(r);
}
