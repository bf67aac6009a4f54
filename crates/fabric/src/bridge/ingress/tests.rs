//! An ingress with a peer that follows the protocol up to a point, and with strangers that read the
//! wire.

use super::super::keys::LinkKey;
use super::super::link::{Extended, LinkOptions};
use super::super::ports::{Arrival, Ended, FrameSink, NotPublished};
use super::super::session::{CallState, Caller};
use super::super::state::{BridgeStatus, Stop};
use super::super::wire_layout::{Origin, SYSDATA, Trailer, WireLayout};
use super::Ingress;
use crate::buffer::{HeapBuffer, bytes_mut};
use crate::provider::{Address, Provider};
use crate::set::{EndpointOptions, EndpointSet, Peer, Registration};
use rustix::event::{EventfdFlags, eventfd};
use std::net::{SocketAddrV4, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const LAYOUT: WireLayout = WireLayout { payload_size: 64, metadata_size: 0 };
const KEY: LinkKey = LinkKey([5; 32]);
const ORIGIN: Origin = Origin { mark: 1, sequence: 0 };

/// First bytes of the payloads that were published.
type Published = Arc<Mutex<Vec<u8>>>;

struct Sink {
    published: Published,
    ready: OwnedFd,
}

impl FrameSink for Sink {
    type Slot = HeapBuffer;

    fn ready(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    fn slot(&mut self) -> Result<Option<HeapBuffer>, Ended> {
        Ok(Some(HeapBuffer::new(LAYOUT.size() + super::super::wire_layout::MAX_TAIL)))
    }

    fn publish(
        &mut self,
        mut slot: HeapBuffer,
        _: Arrival,
        _: Duration,
    ) -> Result<(), NotPublished<HeapBuffer>> {
        self.published.lock().unwrap().push(bytes_mut(&mut slot, SYSDATA + 1)[SYSDATA]);
        Ok(())
    }

    fn end_stream(&mut self) {}

    fn hold_limit(&self) -> usize {
        8
    }
}

/// A running ingress.
struct Host {
    at: Address,
    published: Published,
    status: BridgeStatus,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    fn start() -> Self {
        // Free now, and so most likely in a moment.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = Address::Inet(SocketAddrV4::new([127, 0, 0, 1].into(), port));
        let link = link(at.clone());
        let (published, status) = (Published::default(), BridgeStatus::new("test"));
        let ready = eventfd(1, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap();
        let sink = Sink { published: Arc::clone(&published), ready };
        let mut ingress = Ingress::new(link, sink, status.clone()).unwrap();
        ingress.open().unwrap();
        let stop = Stop::new().unwrap();
        let until = stop.clone();
        let thread = std::thread::spawn(move || {
            ingress.run(&until);
        });
        Self { at, published, status, stop, thread: Some(thread) }
    }

    fn published(&self) -> Vec<u8> {
        self.published.lock().unwrap().clone()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.stop_at_once();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn link(local: Address) -> LinkOptions {
    LinkOptions {
        provider: Provider::Tcp,
        local,
        endpoints: 1,
        layout: LAYOUT,
        extended: Some(Extended { key: KEY, sealed: false }),
    }
}

fn open() -> EndpointSet<Arc<[u8]>, HeapBuffer> {
    EndpointSet::open(EndpointOptions {
        provider: Provider::Tcp,
        local: Address::Inet(SocketAddrV4::new([127, 0, 0, 1].into(), 0)),
        endpoints: 1,
        sends: 16,
        receives: 1,
        control: true,
        registration: Registration::AsNeeded,
    })
    .unwrap()
}

/// The other end of the link, which has the key.
struct Egress {
    set: EndpointSet<Arc<[u8]>, HeapBuffer>,
    peer: Peer,
    caller: Caller,
    sent: u64,
}

impl Egress {
    fn call(at: &Address) -> Self {
        let mut set = open();
        let peer = set.insert(at).unwrap();
        let Some(&Address::Inet(own)) = set.name(0) else { panic!("no address of its own") };
        let link = link(at.clone());
        let (terms, patience) = (link.terms(), link.patience());
        let random = [9; 24];
        let caller = Caller::new(&KEY, terms, own, random, patience, 0, Instant::now());
        Self { set, peer, caller, sent: 0 }
    }

    /// Takes part in the session until something is so.
    fn talk(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !done(self) {
            assert!(Instant::now() < deadline, "waited in vain: {what}");
            let now = Instant::now();
            while let Some(event) = self.set.poll().unwrap() {
                if let crate::event::Event::Control { message, .. } = event {
                    let _ = self.caller.receive(message.bytes(), now);
                }
            }
            if let Some(message) = self.caller.transmit(self.sent, now) {
                let _ = self.set.send_control(0, self.peer, &message);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn credit(&self) -> u64 {
        match self.caller.state(Instant::now()) {
            CallState::Up { credit } => credit,
            _ => 0,
        }
    }

    /// Sends a frame of the session with this number, which spends credit whatever the number is.
    fn send(&mut self, sequence: u64, first: u8) {
        let sent = self.sent;
        self.talk("credit", |it| it.credit() > sent);
        let trailer = Trailer {
            sequence,
            tai_ns: 1,
            session: self.caller.session(),
            origin: ORIGIN,
            incomplete: false,
        };
        let bytes = frame_bytes(first);
        let keys = self.caller.keys().unwrap();
        let tag = keys.sign(bytes.first_chunk().unwrap(), &trailer).unwrap();
        let message: Arc<[u8]> = [&bytes[..], &tag, &trailer.bytes()].concat().into();
        let len = message.len();
        self.set.send(0, self.peer, message, len, &[]).map_err(|(_, error)| error).unwrap();
        self.sent += 1;
    }
}

fn frame_bytes(first: u8) -> Vec<u8> {
    let mut bytes = vec![0; LAYOUT.size()];
    bytes[12..16].copy_from_slice(&64u32.to_le_bytes());
    bytes[SYSDATA] = first;
    bytes
}

/// False, after saying why, where libfabric is not installed.
fn is_installed() -> bool {
    match crate::library_version() {
        Ok(_) => true,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{error}");
            eprintln!("skipped: {error}");
            false
        }
    }
}

#[test]
fn a_number_out_of_the_window_costs_no_credit() {
    if !is_installed() {
        return;
    }
    let host = Host::start();
    let mut egress = Egress::call(&host.at);
    for number in 0..20 {
        egress.send(number, number as u8);
        // More of them than there are slots.
        egress.send(number + 300, 0xee);
    }
    egress.talk("frames", |_| host.published().len() == 20 && host.status.counts().wild == 20);
    assert_eq!(host.published(), (0..20).collect::<Vec<u8>>());
    let counts = host.status.counts();
    assert_eq!((counts.losses, counts.gaps), (0, 0), "{counts:?}");
}

#[test]
fn who_has_read_the_session_on_the_wire_puts_nothing_into_it() {
    if !is_installed() {
        return;
    }
    let host = Host::start();
    let mut egress = Egress::call(&host.at);
    for number in 0..5 {
        egress.send(number, number as u8);
    }
    egress.talk("frames", |_| host.published().len() == 5);
    // The unknown peer knows the session, the numbers, and a tag that was right for another frame.
    let session = egress.caller.session();
    let trailer =
        |sequence| Trailer { sequence, tai_ns: 1, session, origin: ORIGIN, incomplete: false };
    let old =
        egress.caller.keys().unwrap().sign(frame_bytes(4).first_chunk().unwrap(), &trailer(4));
    let mut stranger = open();
    let peer = stranger.insert(&host.at).unwrap();
    let mut injected = 0;
    egress.talk("refusals", |_| {
        let (tag, number) =
            if injected % 2 == 0 { ([0; 16], 5) } else { (old.unwrap(), 5 + injected) };
        let message: Arc<[u8]> =
            [&frame_bytes(0xee)[..], &tag, &trailer(number).bytes()].concat().into();
        let len = message.len();
        injected += u64::from(stranger.send(0, peer, message, len, &[]).is_ok());
        let _ = stranger.poll();
        host.status.counts().foreign >= 20
    });
    for number in 5..55 {
        egress.send(number, number as u8);
    }
    egress.talk("frames", |_| host.published().len() == 55);
    assert_eq!(host.published(), (0..55).collect::<Vec<u8>>());
    assert_eq!(host.status.counts().losses, 0);
}

#[test]
fn a_frame_that_was_sent_and_never_comes_ends_the_session() {
    if !is_installed() {
        return;
    }
    let host = Host::start();
    let mut egress = Egress::call(&host.at);
    egress.send(0, 0);
    egress.talk("a frame", |_| host.published().len() == 1);
    // It counts a frame that it has not sent.
    egress.sent += 1;
    let status = host.status.clone();
    egress.talk("the end of the session", |_| status.counts().losses == 1);
    assert!(status.problem().is_some_and(|why| why.contains("though frame 1 was sent")));
}
