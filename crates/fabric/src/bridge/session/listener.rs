//! The ingress's side of sessions.

use super::{Ignored, KEEPALIVE, Patience, Pulse, Terms};
use crate::bridge::control::{CONTROL, Control, Kind, Refusal, verify};
use crate::bridge::keys::{LinkKey, SessionKeys};
use crate::traffic::Traffic;
use ring::hmac;
use std::net::SocketAddrV4;
use std::time::Instant;

/// Effect of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Nothing that concerns frames.
    Nothing,
    /// A session has begun, and replaces the one before. Its frames are numbered from 0.
    Begun,
    /// The egress has closed the session.
    Ended,
}

/// One session, as the ingress sees it.
#[derive(Debug)]
struct Session {
    id: u64,
    egress_nonce: [u8; 16],
    nonce: [u8; 16],
    keys: SessionKeys,
    address: SocketAddrV4,
    counter: u64,
    last_counter: u64,
    begun: Instant,
    pulse: Pulse,
    last_sent: Option<Instant>,
    granted: u64,
    received: u64,
    /// Frames sent, as the other side says.
    sent: u64,
}

/// The ingress' end of a link: at most one session, and one that has yet to prove itself.
#[derive(Debug)]
pub struct Listener {
    link: LinkKey,
    connect_key: hmac::Key,
    terms: Terms,
    /// Of the next session.
    patience: Patience,
    current: Option<Session>,
    pending: Option<Session>,
    /// The source has ended the stream of the last session, behind so many of its frames.
    stream_end: Option<u64>,
    /// Answer that is due to the pending caller.
    answer: Option<(Kind, u64)>,
}

impl Listener {
    /// A listener without a session.
    #[must_use]
    pub fn new(link: LinkKey, terms: Terms, patience: Patience) -> Self {
        Self {
            connect_key: link.connect_key(),
            link,
            terms,
            patience,
            current: None,
            pending: None,
            stream_end: None,
            answer: None,
        }
    }

    /// The identifier of the session that is in force.
    #[must_use]
    pub fn session(&self) -> Option<u64> {
        self.current.as_ref().map(|session| session.id)
    }

    /// Behind how many frames of the last session its source has ended the stream, if it has.
    #[must_use]
    pub fn stream_end(&self) -> Option<u64> {
        self.stream_end
    }

    /// The keys of the session that is in force.
    pub(in crate::bridge) fn keys(&self) -> Option<&SessionKeys> {
        self.current.as_ref().map(|session| &session.keys)
    }

    /// A frame of a session has arrived: whether it is the one in force, whose sign of life it is.
    pub fn frame(&mut self, session: u64, now: Instant) -> bool {
        let current = self.current.as_mut().filter(|current| current.id == session);
        current.is_some_and(|current| {
            current.pulse.alive(now);
            current.received += 1;
            true
        })
    }

    /// Frames of the session that the other side has sent, as it says.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.current.as_ref().map_or(0, |session| session.sent)
    }

    /// The number of a frame that has not come, though the other side says that it was sent.
    #[must_use]
    pub fn expected(&self) -> Option<u64> {
        let session = self.current.as_ref()?;
        (session.sent > session.received).then_some(session.received)
    }

    /// Whether the peer has been silent for too long.
    #[must_use]
    pub fn is_lost(&self, now: Instant) -> bool {
        self.current.as_ref().is_some_and(|session| session.pulse.is_lost(now))
    }

    /// Gives the session up because of the silence; the next one gets more patience.
    pub fn forget(&mut self) {
        if let Some(session) = self.current.take() {
            self.patience = session.pulse.patience().after_loss();
        }
    }

    /// The present patience.
    #[must_use]
    pub fn patience(&self) -> Patience {
        self.current.as_ref().map_or(self.patience, |session| session.pulse.patience())
    }

    /// Whether the peer has been silent long enough to read the kernel's [counters](Self::seen).
    #[must_use]
    pub fn wonders(&self, now: Instant) -> bool {
        self.current.as_ref().is_some_and(|session| session.pulse.wonders(now))
    }

    /// The other side of the session that is in force.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddrV4> {
        self.current.as_ref().map(|session| session.address)
    }

    /// Takes the kernel's counters of the peer's connections.
    pub fn seen(&mut self, traffic: &Traffic, now: Instant) {
        if let Some(session) = &mut self.current {
            session.pulse.seen(traffic, traffic.segments, traffic.quiet, now);
        }
    }

    /// Time of the next message, or of the loss of the session.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let current = self.current.as_ref()?;
        let keepalive = current.last_sent.map_or(current.begun, |said| said + KEEPALIVE);
        Some(keepalive.min(current.pulse.due()))
    }

    /// The message that is due now, if any, with its destination; `granted`: credit of the session,
    /// in frames since its start.
    pub fn transmit(
        &mut self,
        granted: u64,
        now: Instant,
    ) -> Option<(SocketAddrV4, [u8; CONTROL])> {
        if let (Some((kind, value)), Some(pending)) = (self.answer.take(), &mut self.pending) {
            let message = pending.message(kind, value);
            let address = pending.address;
            if kind == Kind::Refuse {
                self.pending = None;
            }
            return Some((address, message));
        }
        let current = self.current.as_mut()?;
        let silent = current.last_sent.is_none_or(|said| now - said >= KEEPALIVE);
        if !silent && granted <= current.granted {
            return None;
        }
        current.granted = granted.max(current.granted);
        current.last_sent = Some(now);
        Some((current.address, current.message(Kind::Keepalive, current.granted)))
    }

    /// The Close message, if there is a session. `ended`: receivers have got the end of the stream.
    pub fn close(&mut self, ended: bool) -> Option<(SocketAddrV4, [u8; CONTROL])> {
        let mut current = self.take()?;
        let message = Control { ended, ..current.control(Kind::Close, 0) };
        Some((current.address, message.sign(&current.keys.from_ingress)))
    }

    /// The session, which is over.
    fn take(&mut self) -> Option<Session> {
        let session = self.current.take()?;
        self.patience = session.pulse.patience();
        Some(session)
    }

    /// Takes a message. `random`: new random bytes.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        random: [u8; 16],
        now: Instant,
    ) -> Result<Update, Ignored> {
        let message = Control::read(bytes).ok_or(Ignored::Form)?;
        if message.kind == Kind::Connect {
            return self.called(&message, bytes, random, now);
        }
        let of = |session: &Option<Session>| {
            session.as_ref().is_some_and(|session| session.id == message.session)
        };
        let known = match (of(&self.current), of(&self.pending)) {
            (true, _) => &mut self.current,
            (false, true) => &mut self.pending,
            (false, false) => return Err(Ignored::Stale),
        };
        let Some(session) = known else { return Err(Ignored::Stale) };
        if !verify(bytes, &session.keys.from_egress) {
            return Err(Ignored::Signature);
        }
        if message.counter <= session.last_counter {
            return Err(Ignored::Stale);
        }
        session.last_counter = message.counter;
        session.pulse.alive(now);
        if message.kind == Kind::Keepalive {
            session.sent = session.sent.max(message.value);
        }
        if message.ended && of(&self.current) {
            self.stream_end = Some(message.value);
        }
        match message.kind {
            Kind::Keepalive if of(&self.current) => Ok(Update::Nothing),
            Kind::Keepalive => {
                self.take();
                self.current = self.pending.take();
                // Remaining frames of the session before do not come any more; then this is the
                // end.
                self.stream_end = match self.stream_end {
                    Some(_) => Some(0),
                    None => message.ended.then_some(message.value),
                };
                Ok(Update::Begun)
            }
            Kind::Close if of(&self.current) => {
                self.take();
                Ok(Update::Ended)
            }
            Kind::Close | Kind::Connect | Kind::Accept | Kind::Refuse => Ok(Update::Nothing),
        }
    }

    fn called(
        &mut self,
        message: &Control,
        bytes: &[u8],
        random: [u8; 16],
        now: Instant,
    ) -> Result<Update, Ignored> {
        if !verify(bytes, &self.connect_key) {
            return Err(Ignored::Signature);
        }
        let same = |session: &Session| session.id == message.session;
        if self.current.as_ref().is_some_and(same) {
            return Err(Ignored::Repeated);
        }
        let theirs = Terms {
            payload_size: message.payload_size,
            metadata_size: message.metadata_size,
            endpoints: message.endpoints,
            sealed: message.sealed,
        };
        let refusal = if theirs.endpoints != self.terms.endpoints {
            Some(Refusal::Endpoints)
        } else if theirs.sealed != self.terms.sealed {
            Some(Refusal::Sealing)
        } else {
            (theirs != self.terms).then_some(Refusal::Sizes)
        };
        // A call that is repeated gets the same answer.
        let known = self.pending.take().filter(|p| same(p) && p.egress_nonce == message.nonce);
        let patience = self.patience();
        let pending = known.unwrap_or_else(|| Session {
            id: message.session,
            egress_nonce: message.nonce,
            nonce: random,
            keys: self.link.session(&message.nonce, &random),
            address: message.address,
            counter: 0,
            last_counter: message.counter,
            begun: now,
            pulse: Pulse::new(patience, now),
            last_sent: None,
            granted: 0,
            received: 0,
            sent: 0,
        });
        self.pending = Some(pending);
        self.answer =
            Some(refusal.map_or((Kind::Accept, 0), |refusal| (Kind::Refuse, refusal as u64)));
        Ok(Update::Nothing)
    }
}

impl Session {
    fn message(&mut self, kind: Kind, value: u64) -> [u8; CONTROL] {
        let mut message = self.control(kind, value);
        if kind == Kind::Keepalive {
            message = message.with_received(self.received);
        }
        message.sign(&self.keys.from_ingress)
    }

    fn control(&mut self, kind: Kind, value: u64) -> Control {
        self.counter += 1;
        let (counter, nonce) = (self.counter, self.nonce);
        Control { counter, value, nonce, ..Control::new(kind, self.id) }
    }
}
