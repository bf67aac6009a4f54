//! An ingress's open endpoints.

use super::gap::Gap;
use super::peers::Peers;
use super::posts::Posts;
use crate::bridge::link::{Extended, LinkOptions, Outbox, random};
use crate::bridge::ports::{Arrival, Ended, FrameSink, NotPublished};
use crate::bridge::sequence::{Sequencer, Start, Unwanted};
use crate::bridge::session::{Ignored, Listener, Patience, Update};
use crate::bridge::state::{BridgeStatus, LinkState, SILENT_PEER};
use crate::bridge::wire_layout::{MAX_TAIL, SYSDATA, Sysdata, TAG, Trailer, WireLayout};
use crate::buffer::{ReceiveBuffer, bytes_mut};
use crate::error::FabricError;
use crate::event::{ControlMessage, Event};
use crate::provider::Provider;
use crate::set::{EndpointSet, Peer};
use crate::traffic::Traffic;
use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pause before an operation is repeated for which the provider had no room or connection: no
/// descriptor reports that.
const BUSY: Duration = Duration::from_millis(2);
/// Longest sleep when nothing is due.
const IDLE: Duration = Duration::from_secs(1);
/// Longest wait for receivers at a time; in between the ingress sends keepalives.
const PATIENCE: Duration = Duration::from_millis(20);
/// Time after the last frame for which the remaining frames of an ended stream are awaited: one may
/// have been refused.
const LAST_FRAMES: Duration = Duration::from_secs(60);
/// Slots that wait for frames, if the group has so many.
const SLOTS: usize = 8;
/// The same over TCP where a round trip takes longer than [`FAR`]: as many frames as slots are
/// under way at most.
const FAR_SLOTS: usize = 64;
const FAR: Duration = Duration::from_millis(5);

/// Next step of the ingress.
pub(super) enum Next {
    /// Sleep.
    Sleep {
        /// At most until then.
        until: Instant,
        /// Less if a slot becomes free.
        wants_slots: bool,
    },
    /// Close the endpoints, and open them again, for this reason.
    Lost(String),
    /// The source has ended the stream, and all of it has been published.
    StreamEnd,
}

#[derive(Debug)]
pub(super) struct Connection<R: ReceiveBuffer> {
    set: EndpointSet<Arc<[u8]>, R>,
    layout: WireLayout,
    sealed: bool,
    /// In the extended form.
    listener: Option<Listener>,
    outbox: Outbox<Peer>,
    peers: Peers,
    patience: Patience,
    posts: Posts,
    /// Slots that wait for frames, near and far.
    slots: [u64; 2],
    order: Sequencer<(R, Arrival)>,
    /// Frames whose turn it is in any case, each with the number of those before it that never
    /// came.
    over: VecDeque<(u64, (R, Arrival))>,
    gap: Gap,
    /// A frame that receivers have no room for yet.
    blocked: Option<(R, Arrival)>,
    /// Time of the last frame or end of stream.
    moved: Instant,
}

impl<R: ReceiveBuffer> Connection<R> {
    pub(super) fn open(
        link: &LinkOptions,
        hold_limit: usize,
        patience: Patience,
    ) -> Result<Self, FabricError> {
        // Half of a queue may be empty, so that the other half can be full.
        let near = SLOTS.min(hold_limit / 2).max(link.endpoints).max(1);
        let far = if link.provider == Provider::Tcp {
            FAR_SLOTS.min(hold_limit - hold_limit / 4).max(near)
        } else {
            near
        };
        let called = |e: &Extended| Listener::new(e.key.clone(), link.terms(), patience);
        let listener = link.extended.as_ref().map(called);
        let start = if listener.is_some() { Start::Zero } else { Start::Anywhere };
        Ok(Self {
            set: EndpointSet::open(link.set(1, far))?,
            layout: link.layout,
            sealed: link.extended.as_ref().is_some_and(|extended| extended.sealed),
            listener,
            outbox: Outbox::new(),
            peers: Peers::default(),
            patience,
            posts: Posts::new(link.endpoints),
            slots: [near as u64, far as u64],
            order: Sequencer::new(start, link.endpoints),
            over: VecDeque::new(),
            gap: Gap::default(),
            blocked: None,
            moved: Instant::now(),
        })
    }

    /// The descriptor to sleep on, if there is one that can be relied on; `None`: no sleep now,
    /// there is something to do.
    pub(super) fn may_sleep(&mut self) -> Option<Option<BorrowedFd<'_>>> {
        if self.blocked.is_some() {
            return None;
        }
        if self.set.fd().is_none() {
            return Some(None);
        }
        // An error is found again by the next turn.
        if !self.set.may_wait().unwrap_or(false) {
            return None;
        }
        Some(if self.set.is_stale() { None } else { self.set.fd() })
    }

    /// Whether there is a session, or frames that receivers have not got yet.
    pub(super) fn is_in_use(&self) -> bool {
        let session = self.listener.as_ref().is_some_and(|listener| listener.session().is_some());
        session || self.blocked.is_some() || self.waiting() > 0
    }

    /// Frames that wait for their turn.
    fn waiting(&self) -> usize {
        self.order.waiting() + self.over.len()
    }

    /// The patience of the next connection.
    pub(super) fn patience(&self) -> Patience {
        self.listener.as_ref().map_or(self.patience, Listener::patience)
    }

    /// Whether the source has ended the stream, even if frames are still missing.
    pub(super) fn knows_end(&self) -> bool {
        self.listener.as_ref().is_some_and(|listener| listener.stream_end().is_some())
    }

    /// Whether the source has ended the stream, and all of its frames that can still come are
    /// published.
    fn is_read_out(&self, now: Instant) -> bool {
        let end = self.listener.as_ref().and_then(Listener::stream_end);
        let nothing_waits = self.blocked.is_none() && self.waiting() == 0;
        end.is_some_and(|end| self.order.has_passed(end) || now >= self.moved + LAST_FRAMES)
            && nothing_waits
    }

    /// Closes the session. `ended`: receivers have got the end of the stream.
    pub(super) fn send_close(&mut self, ended: bool) {
        if let Some((address, close)) = self.listener.as_mut().and_then(|it| it.close(ended))
            && let Ok(peer) = self.peers.number(&mut self.set, address)
        {
            // Without this message the other side notices the silence.
            let _ = self.set.send_control(0, peer, &close);
            let _ = self.set.poll();
        }
    }

    pub(super) fn turn<K: FrameSink<Slot = R>>(
        &mut self,
        sink: &mut K,
        status: &BridgeStatus,
        now: Instant,
    ) -> Result<Next, Ended> {
        match self.work(sink, status, now) {
            Ok(next) => next,
            Err(error) => Ok(Next::Lost(error.to_string())),
        }
    }

    fn work<K: FrameSink<Slot = R>>(
        &mut self,
        sink: &mut K,
        status: &BridgeStatus,
        now: Instant,
    ) -> Result<Result<Next, Ended>, FabricError> {
        while let Some(event) = self.set.poll()? {
            self.take(event, status, now)?;
        }
        self.look(now);
        let stuck = self.mind_the_gap(now);
        let lost = self.listener.as_ref().is_some_and(|listener| listener.is_lost(now));
        if stuck.is_some() || lost {
            self.close();
        }
        if self.deliver(sink, status, now).is_err() {
            return Ok(Err(Ended));
        }
        if self.is_read_out(now) {
            return Ok(Ok(Next::StreamEnd));
        }
        if let Some(why) = stuck {
            return Ok(Ok(Next::Lost(why)));
        }
        let wants_slots = match self.fill(sink)? {
            Ok(wants_slots) => wants_slots,
            Err(Ended) => return Ok(Err(Ended)),
        };
        if let Some(listener) = &mut self.listener {
            if lost {
                listener.forget();
                return Ok(Ok(Next::Lost(SILENT_PEER.to_owned())));
            }
            while let Some((address, message)) = listener.transmit(self.posts.granted(), now) {
                let peer = self.peers.number(&mut self.set, address)?;
                self.outbox.put(peer, message);
                self.outbox.send(|peer, message| self.set.send_control(0, *peer, message))?;
            }
            self.outbox.send(|peer, message| self.set.send_control(0, *peer, message))?;
        }
        let mut until = now + IDLE;
        if !self.outbox.is_empty() {
            until = now + BUSY;
        }
        let gap = self.order.gap().map(|(_, since)| self.gap.due(since));
        let due = [self.order.deadline(), gap, self.listener.as_ref().and_then(Listener::due)];
        let until = due.into_iter().flatten().fold(until, Instant::min);
        Ok(Ok(Next::Sleep { until, wants_slots }))
    }

    /// Gives free slots to the endpoints. Returns whether more are wanted.
    fn fill<K: FrameSink<Slot = R>>(
        &mut self,
        sink: &mut K,
    ) -> Result<Result<bool, Ended>, FabricError> {
        // Frames that wait for their turn are in slots too.
        let far = self.listener.as_ref().is_some_and(|l| l.patience().round_trip() > FAR);
        let slots = self.slots[usize::from(far)];
        while self.posts.waiting() + (self.waiting() as u64) < slots {
            let slot = match sink.slot() {
                Ok(Some(slot)) => slot,
                Ok(None) => return Ok(Ok(true)),
                Err(Ended) => return Ok(Err(Ended)),
            };
            let endpoint = self.posts.next(self.listener.is_some());
            if !self.post(endpoint, slot)? {
                break;
            }
        }
        Ok(Ok(false))
    }

    fn post(&mut self, endpoint: usize, slot: R) -> Result<bool, FabricError> {
        match self.set.receive(endpoint, slot) {
            Ok(()) => {
                self.posts.posted(endpoint);
                Ok(true)
            }
            // The slot goes back to the ring.
            Err((_, None)) => Ok(false),
            Err((_, Some(error))) => Err(error),
        }
    }

    fn take(
        &mut self,
        event: Event<Arc<[u8]>, R>,
        status: &BridgeStatus,
        now: Instant,
    ) -> Result<(), FabricError> {
        match event {
            Event::Received { endpoint, buffer, len } => {
                self.received(endpoint, buffer, len, status, now)
            }
            Event::ReceiveFailed { endpoint, buffer, error } => {
                if error.is_truncation() {
                    status.counters().malformed.add(1);
                }
                self.again(endpoint, buffer)
            }
            Event::Control { message, .. } => self.receive(&message, status, now),
            // An answer was not sent: the peer is lost, which its silence will show, or it has
            // closed the session.
            Event::ControlFailed { error, .. } => {
                log::debug!("a control message was not sent or received: {error}");
                Ok(())
            }
            // Nothing but control messages is sent.
            Event::Sent { .. } | Event::SendFailed { .. } => Ok(()),
        }
    }

    /// Gives a slot that came back without a frame to the same endpoint once more.
    fn again(&mut self, endpoint: usize, slot: R) -> Result<(), FabricError> {
        self.posts.wasted(endpoint);
        self.post(endpoint, slot).map(|_| ())
    }

    fn receive(
        &mut self,
        message: &ControlMessage,
        status: &BridgeStatus,
        now: Instant,
    ) -> Result<(), FabricError> {
        let Some(listener) = &mut self.listener else { return Ok(()) };
        let known = listener.stream_end();
        let update = listener.receive(message.bytes(), random()?, now);
        if listener.stream_end() != known {
            self.moved = now;
        }
        match update {
            Ok(Update::Nothing) => {}
            Ok(Update::Begun) => {
                self.close();
                self.order = Sequencer::new(Start::Zero, self.set.endpoints());
                self.posts.begin();
                self.see(now);
                if status.link() == LinkState::Up {
                    status.down("another session takes the place of this one");
                }
                status.up();
            }
            Ok(Update::Ended) => {
                self.close();
                status.ended();
            }
            Err(Ignored::Repeated) => {}
            Err(_) => status.counters().foreign.add(1),
        }
        Ok(())
    }

    /// Ends the session. Frames that have arrived are not lost with those that have not.
    fn close(&mut self) {
        self.over.extend(self.order.close());
    }

    /// Reads the kernel's counters if the peer has been silent for a while.
    fn look(&mut self, now: Instant) {
        if self.listener.as_ref().is_some_and(|listener| listener.wonders(now)) {
            self.see(now);
        }
    }

    /// The kernel's counters of the connections with the peer's endpoints, where they are
    /// available.
    fn see(&mut self, now: Instant) -> Vec<Traffic> {
        let Some(listener) = &mut self.listener else { return Vec::new() };
        let Some(address) = listener.address() else { return Vec::new() };
        // It calls from any port.
        let peers: Vec<SocketAddrV4> = vec![address; self.set.endpoints()];
        let traffic = self.set.traffic(&peers).unwrap_or_default();
        listener.seen(&Traffic::of_all(&traffic), now);
        traffic
    }

    /// A frame that is expected, and since when: later ones are here, or the other side says that
    /// it has sent it.
    fn expected(&self) -> Option<(u64, Instant)> {
        let listener = self.listener.as_ref()?;
        let sent = || {
            let number = listener.expected()?;
            // Without a slot it has to wait, at the other side or in the network.
            let endpoint = (number % self.set.endpoints() as u64) as usize;
            self.posts.waits(endpoint).then_some((number, self.moved))
        };
        self.order.gap().or_else(sent)
    }

    /// While a frame is missing: looks whether it can still come. Returns why the session has to
    /// end, if it has.
    fn mind_the_gap(&mut self, now: Instant) -> Option<String> {
        let Some((number, since)) = self.expected() else {
            self.gap = Gap::default();
            return None;
        };
        if now < self.gap.due(since) {
            return None;
        }
        let endpoint = (number % self.set.endpoints() as u64) as usize;
        let traffic = self.see(now).get(endpoint).copied();
        if traffic.is_some_and(|traffic| !traffic.open) {
            self.order.gone(endpoint);
            return None;
        }
        let mut segments = traffic.map_or(0, |traffic| traffic.segments);
        // Control messages come through the first endpoint, behind the frames that they count.
        if endpoint == 0 && self.listener.as_ref().is_some_and(|it| it.sent() > number) {
            segments = 0;
        }
        if self.gap.stuck(number, segments, now) {
            return Some(format!(
                "endpoint {endpoint} brings nothing, though frame {number} was sent"
            ));
        }
        None
    }

    fn received(
        &mut self,
        endpoint: usize,
        mut slot: R,
        len: usize,
        status: &BridgeStatus,
        now: Instant,
    ) -> Result<(), FabricError> {
        let counters = status.counters();
        let message = bytes_mut(&mut slot, len);
        let read = if self.listener.is_some() {
            self.extended(message, now)
        } else {
            self.layout.plain(message).map_err(|_| Bad::Form).map(|(sysdata, sequence)| {
                let Sysdata { tai_ms, payload_len, metadata_len } = sysdata;
                let tai_ns = tai_ms.and_then(|ms| ms.checked_mul(1_000_000));
                let (origin, incomplete) = (None, false);
                (sequence, Arrival { payload_len, metadata_len, tai_ns, origin, incomplete })
            })
        };
        let refused = match read {
            Ok((sequence, arrival)) => {
                match self.order.arrived(endpoint, sequence, (slot, arrival), now) {
                    Ok(()) => {
                        self.posts.used(endpoint);
                        if self.listener.is_none() {
                            status.up();
                        }
                        return Ok(());
                    }
                    Err(((slot, _), Unwanted::Replayed)) => {
                        counters.replayed.add(1);
                        slot
                    }
                    Err(((slot, _), Unwanted::Wild)) => {
                        counters.wild.add(1);
                        // In a session the other proxy has signed it, and has spent credit for it.
                        if self.listener.is_some() {
                            self.posts.used(endpoint);
                            return self.post(endpoint, slot).map(|_| ());
                        }
                        slot
                    }
                }
            }
            Err(Bad::Form) => {
                counters.malformed.add(1);
                slot
            }
            Err(Bad::Foreign) => {
                counters.foreign.add(1);
                slot
            }
        };
        self.again(endpoint, refused)
    }

    fn extended(&mut self, message: &mut [u8], now: Instant) -> Result<(u64, Arrival), Bad> {
        let (body, trailer) = self.layout.extended(message).map_err(|_| Bad::Form)?;
        let Trailer { sequence, tai_ns, session, origin, incomplete } = trailer;
        let rest = body.len();
        let listener = self.listener.as_mut().ok_or(Bad::Foreign)?;
        if listener.session() != Some(session) {
            return Err(Bad::Foreign);
        }
        let keys = listener.keys().ok_or(Bad::Foreign)?;
        let len = if self.sealed {
            keys.open(&mut message[..rest], &trailer).ok_or(Bad::Foreign)?
        } else {
            let (frame, tag) = body.split_last_chunk::<TAG>().ok_or(Bad::Form)?;
            let sysdata = frame.first_chunk::<SYSDATA>().ok_or(Bad::Form)?;
            if !keys.verify(sysdata, &trailer, tag) {
                return Err(Bad::Foreign);
            }
            frame.len()
        };
        let sysdata = self.layout.opened(&message[..len]).map_err(|_| Bad::Form)?;
        listener.frame(session, now);
        self.moved = now;
        let Sysdata { payload_len, metadata_len, tai_ms: _ } = sysdata;
        let (tai_ns, origin) = (Some(tai_ns), Some(origin));
        Ok((sequence, Arrival { payload_len, metadata_len, tai_ns, origin, incomplete }))
    }

    /// Publishes the frames whose turn has come, as far as receivers have room.
    fn deliver<K: FrameSink<Slot = R>>(
        &mut self,
        sink: &mut K,
        status: &BridgeStatus,
        now: Instant,
    ) -> Result<(), Ended> {
        const { assert!(MAX_TAIL <= crate::set::MAX_TRAILER) };
        loop {
            let (slot, arrival) = match self.blocked.take() {
                Some(blocked) => blocked,
                None => match self.over.pop_front().or_else(|| self.order.ready(now)) {
                    Some((skipped, frame)) => {
                        status.counters().gaps.add(skipped);
                        frame
                    }
                    None => return Ok(()),
                },
            };
            match sink.publish(slot, arrival, PATIENCE) {
                Ok(()) => {
                    status.counters().frames.add(1);
                    status.counters().bytes.add(arrival.payload_len as u64);
                }
                Err(NotPublished::Full(slot)) => {
                    self.blocked = Some((slot, arrival));
                    return Ok(());
                }
                Err(NotPublished::Ended) => return Err(Ended),
            }
        }
    }
}

/// Why a message is refused.
enum Bad {
    Form,
    Foreign,
}
