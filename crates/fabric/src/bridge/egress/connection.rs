//! One connection attempt of an egress, until it fails or is closed.

use super::outgoing::{Message, Outgoing};
use crate::bridge::link::{LinkOptions, Outbox, random};
use crate::bridge::ports::{Ended, FrameSource, SourceFrame, Taken};
use crate::bridge::session::{CallState, Caller, Ignored, Patience, Pulse};
use crate::bridge::state::{BridgeStatus, SILENT_PEER};
use crate::bridge::wire_layout::{Trailer, WireLayout};
use crate::buffer::{HeapBuffer, SendBuffer};
use crate::error::FabricError;
use crate::event::Event;
use crate::provider::Address;
use crate::set::{EndpointSet, Peer};
use crate::traffic::Traffic;
use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Pause before an operation is repeated for which the provider had no room or connection: no
/// descriptor reports that.
const BUSY: Duration = Duration::from_millis(2);
/// Longest sleep when nothing is due.
const IDLE: Duration = Duration::from_secs(1);
/// Frames under way, at least, as far as the ring lets them be held.
const UNDER_WAY: usize = 4;
/// After how long without credit a link is shown as stalled: receivers have been waited for by
/// then.
const STARVED: Duration = Duration::from_secs(3);
/// After how long a proxy counts as told of an end that has all frames and does not confirm it: one
/// that does not know of ends.
const UNCONFIRMED: Duration = Duration::from_secs(10);

/// Next step of the egress.
pub(super) enum Next {
    /// Sleep.
    Sleep {
        /// At most until then.
        until: Instant,
        /// Less if a frame comes.
        wants_frames: bool,
        /// Whether the peer is there.
        up: bool,
    },
    /// Give the connection up, for this reason.
    Lost(String),
    /// The source has ended the stream: the other side has to be told.
    StreamEnd,
    /// The other side has told its receivers of the end of the stream: make another connection for
    /// the next one.
    EndTold,
}

#[derive(Debug)]
pub(super) struct Connection<F: SourceFrame> {
    set: EndpointSet<Outgoing<F>, HeapBuffer>,
    peers: Vec<Peer>,
    layout: WireLayout,
    sealed: bool,
    /// In the extended form.
    caller: Option<Caller>,
    outbox: Outbox<Peer>,
    /// Frames begun to be sent: the number of the next.
    sent: u64,
    /// Payload bytes of frames under way, in the order of their numbers for each endpoint.
    under_way: Vec<VecDeque<usize>>,
    window: usize,
    /// Buffers for encrypted frames.
    spare: Vec<HeapBuffer>,
    /// A message that had no room yet.
    waiting: Option<Message<F>>,
    /// In the plain form: whether what is under way gets anywhere.
    flow: Pulse,
    /// The same once there is a connection.
    patience: Patience,
    /// Addresses of the other side's endpoints.
    remotes: Vec<SocketAddrV4>,
    /// Whether a send has completed, in the plain form the only sign of the peer.
    confirmed: bool,
    /// Since when a session has had no credit.
    starved: Option<Instant>,
    /// Since when the other side is told that the source has ended the stream.
    ending: Option<Instant>,
}

impl<F: SourceFrame> Connection<F> {
    pub(super) fn open(
        link: &LinkOptions,
        remote: &Address,
        hold_limit: usize,
        patience: Patience,
        attempt: u32,
        now: Instant,
    ) -> Result<Self, FabricError> {
        let window = UNDER_WAY.max(2 * link.endpoints).min(hold_limit.saturating_sub(1)).max(1);
        let mut set = EndpointSet::open(link.set(window, 0))?;
        let (mut peers, mut remotes) = (Vec::new(), Vec::new());
        for index in 0..link.endpoints {
            let address = remote.offset(index)?;
            peers.push(set.insert(&address)?);
            if let Address::Inet(address) = address {
                remotes.push(address);
            }
        }
        let caller = match (&link.extended, set.name(0)) {
            (None, _) => None,
            (Some(extended), Some(Address::Inet(address))) => {
                let (key, terms) = (&extended.key, link.terms());
                Some(Caller::new(key, terms, *address, random()?, patience, attempt, now))
            }
            (Some(_), other) => {
                return Err(FabricError::AddressForm {
                    provider: link.provider,
                    address: other.unwrap_or(&link.local).clone(),
                    wanted: "for sessions an IPv4 address with a port",
                });
            }
        };
        Ok(Self {
            set,
            peers,
            layout: link.layout,
            sealed: link.extended.as_ref().is_some_and(|extended| extended.sealed),
            caller,
            outbox: Outbox::new(),
            sent: 0,
            under_way: vec![VecDeque::new(); link.endpoints],
            window,
            spare: Vec::new(),
            waiting: None,
            flow: Pulse::new(patience.of_call(), now),
            patience,
            remotes,
            confirmed: false,
            starved: None,
            ending: None,
        })
    }

    /// Frames that are neither sent nor still in the ring.
    pub(super) fn under_way(&self) -> u64 {
        let sends: usize = self.under_way.iter().map(VecDeque::len).sum();
        sends as u64 + u64::from(self.waiting.is_some())
    }

    /// The patience of the next connection.
    pub(super) fn patience(&self, now: Instant) -> Patience {
        match &self.caller {
            Some(caller) => caller.patience(now),
            None if !self.confirmed => self.patience,
            None if self.is_stuck(now) => self.flow.patience().after_loss(),
            None => self.flow.patience(),
        }
    }

    /// In the plain form: nothing gets anywhere.
    fn is_stuck(&self, now: Instant) -> bool {
        self.caller.is_none() && self.under_way() > 0 && self.flow.is_lost(now)
    }

    /// A session without credit for long is shown: nothing of it gets through, though the other
    /// proxy lives.
    fn note_credit(&mut self, credit: u64, status: &BridgeStatus, now: Instant) {
        let was = self.starved.is_some_and(|since| now >= since + STARVED);
        if self.sent < credit {
            self.starved = None;
            if was {
                status.resumed();
            } else {
                status.up();
            }
            return;
        }
        let since = *self.starved.get_or_insert(now);
        if now >= since + STARVED {
            status.stalled("the other proxy takes no frames: receivers there hold every slot");
        } else {
            status.up();
        }
    }

    /// Reads the kernel's counters if no message has come for a while.
    fn look(&mut self, now: Instant) {
        let wonders = match &self.caller {
            Some(caller) => caller.wonders(now),
            None => self.under_way() > 0 && self.flow.wonders(now),
        };
        if !wonders {
            return;
        }
        let traffic = self.set.traffic(&self.remotes).unwrap_or_default();
        let traffic = Traffic::of_all(&traffic);
        match &mut self.caller {
            Some(caller) => caller.seen(&traffic, now),
            // The other side says nothing in this form, but confirms what it gets.
            None => self.flow.seen(&traffic, traffic.confirmed, None, now),
        }
    }

    /// Whether the peer is, or was, there.
    pub(super) fn has_peer(&self) -> bool {
        self.caller.as_ref().map_or(self.confirmed, |caller| caller.keys().is_some())
    }

    /// Whether all frames that were taken have arrived, as far as the egress can know.
    pub(super) fn is_finished(&self) -> bool {
        self.under_way() == 0 && self.caller.as_ref().is_none_or(|c| c.received() >= self.sent)
    }

    /// The descriptor to sleep on, if there is one that can be relied on; `None`: no sleep now,
    /// there is something to do.
    pub(super) fn may_sleep(&mut self) -> Option<Option<BorrowedFd<'_>>> {
        if self.set.fd().is_none() {
            return Some(None);
        }
        // An error is found again by the next turn.
        if !self.set.may_wait().unwrap_or(false) {
            return None;
        }
        Some(if self.set.is_stale() { None } else { self.set.fd() })
    }

    pub(super) fn send_close(&mut self) {
        let sent = self.sent;
        let close = self.caller.as_mut().and_then(|caller| caller.close(sent));
        if let (Some(close), Some(peer)) = (close, self.peers.first()) {
            // Without this message the other side notices the silence.
            let _ = self.set.send_control(0, *peer, &close);
            let _ = self.set.poll();
        }
    }

    /// The source has ended the stream: the other side is told, behind all frames, and no more are
    /// sent.
    pub(super) fn end_stream(&mut self, now: Instant) {
        self.ending.get_or_insert(now);
        if let Some(caller) = &mut self.caller {
            caller.end_stream(now);
        }
    }

    pub(super) fn turn<S: FrameSource<Frame = F>>(
        &mut self,
        source: &mut S,
        status: &BridgeStatus,
        now: Instant,
    ) -> Result<Next, Ended> {
        match self.work(source, status, now) {
            Ok(next) => next,
            Err(error) => Ok(Next::Lost(error.to_string())),
        }
    }

    fn work<S: FrameSource<Frame = F>>(
        &mut self,
        source: &mut S,
        status: &BridgeStatus,
        now: Instant,
    ) -> Result<Result<Next, Ended>, FabricError> {
        if let Some(why) = self.events(status, now)? {
            return Ok(Ok(Next::Lost(why)));
        }
        self.look(now);
        let credit = match self.caller.as_ref().map(|caller| caller.state(now)) {
            None => Some(u64::MAX),
            Some(CallState::Up { credit }) => Some(credit),
            Some(CallState::Calling) => None,
            Some(CallState::Lost) => {
                return Ok(Ok(Next::Lost(SILENT_PEER.to_owned())));
            }
            Some(CallState::Ended { told }) if told && self.ending.is_some() => {
                return Ok(Ok(Next::EndTold));
            }
            Some(CallState::Ended { .. }) => {
                return Ok(Ok(Next::Lost("the other proxy has said goodbye".to_owned())));
            }
            Some(CallState::Refused(reason)) => {
                return Ok(Ok(Next::Lost(format!("the other proxy refuses: {reason}"))));
            }
        };
        if let Some(since) = self.ending
            && self.is_finished()
            && (self.caller.is_none() || now >= since + UNCONFIRMED)
        {
            return Ok(Ok(Next::EndTold));
        }
        if let (Some(caller), Some(peer)) = (&mut self.caller, self.peers.first()) {
            if let Some(message) = caller.transmit(self.sent, now) {
                self.outbox.put(*peer, message);
            }
            self.outbox.send(|peer, message| self.set.send_control(0, *peer, message))?;
        }
        if let Some(credit) = credit {
            if self.caller.is_some() {
                self.note_credit(credit, status, now);
            }
            while self.ending.is_none()
                && self.under_way() < self.window as u64
                && self.sent < credit
                || self.waiting.is_some()
            {
                match self.next(source, status, now) {
                    Err(Ended) => return Ok(Err(Ended)),
                    Ok(Taken::Nothing) => break,
                    Ok(Taken::StreamEnd) => {
                        self.end_stream(now);
                        return Ok(Ok(Next::StreamEnd));
                    }
                    Ok(Taken::Frame(message)) => {
                        if !self.begin(message)? {
                            break;
                        }
                    }
                }
            }
        }
        if self.is_stuck(now) {
            return Ok(Ok(Next::Lost("the other proxy takes nothing".to_owned())));
        }
        let room = self.under_way() < self.window as u64;
        let room = room && self.ending.is_none();
        let wants_frames = self.waiting.is_none() && room && credit.is_some_and(|c| self.sent < c);
        let mut until = now + IDLE;
        if self.waiting.is_some() || !self.outbox.is_empty() {
            until = now + BUSY;
        }
        match &self.caller {
            Some(caller) => until = until.min(caller.due()),
            None if self.under_way() > 0 => until = until.min(self.flow.due()),
            None => {}
        }
        Ok(Ok(Next::Sleep {
            until,
            wants_frames,
            up: credit.is_some() && (self.caller.is_some() || self.confirmed),
        }))
    }

    /// The message to send next, if there is one.
    fn next<S: FrameSource<Frame = F>>(
        &mut self,
        source: &mut S,
        status: &BridgeStatus,
        now: Instant,
    ) -> Result<Taken<Message<F>>, Ended> {
        if let Some(message) = self.waiting.take() {
            return Ok(Taken::Frame(message));
        }
        if self.under_way() == 0 {
            self.flow.rest(now);
        }
        loop {
            let frame = match source.take()? {
                Taken::Frame(frame) => frame,
                Taken::StreamEnd => return Ok(Taken::StreamEnd),
                Taken::Nothing => return Ok(Taken::Nothing),
            };
            let message = if SendBuffer::len(&frame) != self.layout.size() {
                None
            } else {
                self.message(frame)
            };
            if let Some(message) = message {
                return Ok(Taken::Frame(message));
            }
            // A source with other sizes than those that the agent knows.
            status.counters().malformed.add(1);
        }
    }

    fn message(&mut self, frame: F) -> Option<Message<F>> {
        let Some(caller) = &self.caller else {
            return Some(Message::plain(frame, &self.layout, self.sent));
        };
        let session = caller.session();
        let trailer = Trailer {
            sequence: self.sent,
            tai_ns: frame.tai_ns(),
            session,
            origin: frame.origin(),
            incomplete: frame.is_incomplete(),
        };
        let spare = self.sealed.then_some(&mut self.spare);
        Message::extended(frame, &self.layout, trailer, caller.keys()?, spare)
    }

    /// Begins to send. False: there is no room or no connection yet, and the message waits.
    fn begin(&mut self, message: Message<F>) -> Result<bool, FabricError> {
        let endpoint = (self.sent % self.peers.len() as u64) as usize;
        let (peer, len, payload) = (self.peers[endpoint], message.len, message.payload);
        let mut message = message;
        let tail = message.tail().to_vec();
        match self.set.send(endpoint, peer, message.buffer, len, &tail) {
            Ok(()) => {
                self.under_way[endpoint].push_back(payload);
                self.sent += 1;
                Ok(true)
            }
            Err((buffer, None)) => {
                message.buffer = buffer;
                self.waiting = Some(message);
                Ok(false)
            }
            Err((_, Some(error))) => Err(error),
        }
    }

    /// Takes what has happened; returns why the connection is lost, if it is.
    fn events(
        &mut self,
        status: &BridgeStatus,
        now: Instant,
    ) -> Result<Option<String>, FabricError> {
        while let Some(event) = self.set.poll()? {
            match event {
                Event::Sent { endpoint, buffer } => {
                    if let Outgoing::Sealed(buffer) = buffer {
                        self.spare.push(buffer);
                    }
                    let payload = self.under_way[endpoint].pop_front().unwrap_or(0);
                    if !std::mem::replace(&mut self.confirmed, true) {
                        self.flow = Pulse::new(self.patience, now);
                    }
                    self.flow.alive(now);
                    status.counters().frames.add(1);
                    status.counters().bytes.add(payload as u64);
                    // In the plain form the first sign of the other side.
                    status.up();
                }
                Event::SendFailed { error, .. } | Event::ControlFailed { error, .. } => {
                    return Ok(Some(format!("sending failed: {error}")));
                }
                Event::Control { message, .. } => {
                    let heard = self.caller.as_mut().map(|c| c.receive(message.bytes(), now));
                    if matches!(
                        heard,
                        Some(Err(Ignored::Form | Ignored::Signature | Ignored::Stale))
                    ) {
                        status.counters().foreign.add(1);
                    }
                }
                // Nothing was given to receive into.
                Event::Received { .. } | Event::ReceiveFailed { .. } => {}
            }
        }
        Ok(None)
    }
}
