//! The egress's side of a session.

use super::{CALL, Ignored, KEEPALIVE, Patience, Pulse, Terms};
use crate::bridge::control::{CONTROL, Control, Kind, Refusal, verify};
use crate::bridge::keys::{LinkKey, SessionKeys};
use crate::traffic::Traffic;
use ring::hmac;
use std::net::SocketAddrV4;
use std::time::Instant;

/// State of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// There is no answer yet.
    Calling,
    /// The other side lives.
    Up {
        /// Frames that may be sent in this session, all together.
        credit: u64,
    },
    /// There was no answer, or the peer has been silent for too long.
    Lost,
    /// The peer has closed the session.
    Ended {
        /// It has told its receivers that the stream has ended.
        told: bool,
    },
    /// The other side does not want this.
    Refused(Refusal),
}

/// One session, as the egress sees it.
#[derive(Debug)]
pub struct Caller {
    link: LinkKey,
    connect_key: hmac::Key,
    terms: Terms,
    address: SocketAddrV4,
    session: u64,
    nonce: [u8; 16],
    keys: Option<SessionKeys>,
    credit: u64,
    received: u64,
    /// Counter of messages sent.
    counter: u64,
    /// Counter of the last message received.
    last_counter: u64,
    /// Time at which the call fails without an answer.
    hope: Instant,
    pulse: Pulse,
    /// Time of the next message.
    due: Instant,
    refused: Option<Refusal>,
    /// The source has ended the stream, which every message says from then on.
    ending: bool,
    /// The peer has closed the session; true if it confirms the end of the stream.
    over: Option<bool>,
}

impl Caller {
    /// Calls from an address. `random`: new random bytes for each session; `attempt`: how many
    /// calls have failed before: each is given more time, up to twice as much.
    #[must_use]
    pub fn new(
        link: &LinkKey,
        terms: Terms,
        address: SocketAddrV4,
        random: [u8; 24],
        patience: Patience,
        attempt: u32,
        now: Instant,
    ) -> Self {
        let (mut session, mut nonce) = ([0; 8], [0; 16]);
        session.copy_from_slice(&random[..8]);
        nonce.copy_from_slice(&random[8..]);
        Self {
            connect_key: link.connect_key(),
            link: link.clone(),
            terms,
            address,
            session: u64::from_le_bytes(session),
            nonce,
            keys: None,
            credit: 0,
            received: 0,
            counter: 0,
            last_counter: 0,
            hope: now + CALL * (1 + attempt.min(1)),
            pulse: Pulse::new(patience, now),
            due: now,
            refused: None,
            ending: false,
            over: None,
        }
    }

    /// The session's identifier.
    #[must_use]
    pub fn session(&self) -> u64 {
        self.session
    }

    /// The session's keys, once the peer has answered.
    pub(in crate::bridge) fn keys(&self) -> Option<&SessionKeys> {
        self.keys.as_ref()
    }

    /// Frames of the session that have arrived, as far as the other side has told.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// State of the call.
    #[must_use]
    pub fn state(&self, now: Instant) -> CallState {
        match (self.refused, self.over) {
            (Some(refusal), _) => CallState::Refused(refusal),
            (None, Some(told)) => CallState::Ended { told },
            (None, None) if self.is_lost(now) => CallState::Lost,
            (None, None) if self.keys.is_some() => CallState::Up { credit: self.credit },
            (None, None) => CallState::Calling,
        }
    }

    fn is_lost(&self, now: Instant) -> bool {
        if self.keys.is_some() { self.pulse.is_lost(now) } else { now >= self.hope }
    }

    /// The patience of the next session.
    #[must_use]
    pub fn patience(&self, now: Instant) -> Patience {
        let patience = self.pulse.patience();
        if self.keys.is_some() && self.is_lost(now) { patience.after_loss() } else { patience }
    }

    /// Whether the peer has been silent long enough to read the kernel's [counters](Self::seen).
    #[must_use]
    pub fn wonders(&self, now: Instant) -> bool {
        self.keys.is_some() && self.pulse.wonders(now)
    }

    /// Takes the kernel's counters of the peer's connections.
    pub fn seen(&mut self, traffic: &Traffic, now: Instant) {
        self.pulse.seen(traffic, traffic.segments, traffic.quiet, now);
    }

    /// Time of the next message or change of state.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.due.min(if self.keys.is_some() { self.pulse.due() } else { self.hope })
    }

    /// The message that is due now, if any; `sent`: frames sent in the session.
    pub fn transmit(&mut self, sent: u64, now: Instant) -> Option<[u8; CONTROL]> {
        if now < self.due || self.refused.is_some() || self.over.is_some() {
            return None;
        }
        self.due = now + KEEPALIVE;
        let kind = if self.keys.is_some() { Kind::Keepalive } else { Kind::Connect };
        Some(self.message(kind, sent))
    }

    /// Ends the stream: the peer is told at once, and again until it has closed. No frame may be
    /// sent in this session any more.
    pub fn end_stream(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.ending, true) {
            self.due = self.due.min(now);
        }
    }

    /// The Close message, if there is a session; `sent`: frames sent in it.
    pub fn close(&mut self, sent: u64) -> Option<[u8; CONTROL]> {
        self.keys.is_some().then(|| self.message(Kind::Close, sent))
    }

    fn message(&mut self, kind: Kind, value: u64) -> [u8; CONTROL] {
        self.counter += 1;
        let Terms { payload_size, metadata_size, endpoints, sealed } = self.terms;
        let message = Control {
            sealed,
            ended: self.ending && matches!(kind, Kind::Keepalive | Kind::Close),
            counter: self.counter,
            value,
            nonce: self.nonce,
            address: self.address,
            endpoints,
            payload_size,
            metadata_size,
            ..Control::new(kind, self.session)
        };
        message.sign(self.keys.as_ref().map_or(&self.connect_key, |keys| &keys.from_egress))
    }

    /// Takes a message of the other side.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<(), Ignored> {
        let message = Control::read(bytes).ok_or(Ignored::Form)?;
        let answers = matches!(message.kind, Kind::Accept | Kind::Refuse);
        if message.session == self.session
            && message.kind == Kind::Accept
            && self.keys.as_ref().is_some_and(|keys| verify(bytes, &keys.from_ingress))
        {
            return Err(Ignored::Repeated);
        }
        if message.session != self.session
            || answers == self.keys.is_some()
            || message.counter <= self.last_counter
            || message.kind == Kind::Connect
        {
            return Err(Ignored::Stale);
        }
        let keys = match &self.keys {
            Some(keys) => keys.clone(),
            None => self.link.session(&self.nonce, &message.nonce),
        };
        if !verify(bytes, &keys.from_ingress) {
            return Err(Ignored::Signature);
        }
        self.last_counter = message.counter;
        self.pulse.alive(now);
        match message.kind {
            Kind::Accept => {
                self.keys = Some(keys);
                // The proof that this was no recording.
                self.due = now;
            }
            Kind::Refuse => {
                self.refused = Some(Refusal::from_number(message.value).unwrap_or(Refusal::Sizes));
            }
            Kind::Keepalive => {
                self.credit = self.credit.max(message.value);
                self.received = self.received.max(message.received());
            }
            Kind::Close => self.over = Some(message.ended),
            Kind::Connect => {}
        }
        Ok(())
    }
}
