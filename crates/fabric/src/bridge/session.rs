//! Sessions between two proxies of ours: who is there, since when, and how many frames it can take.
//!
//! ```text
//!  egress (Caller)                         ingress (Listener)
//!     │── Hello(session, nonce, sizes) ────────►│   link key
//!     │◄── Welcome(session, nonce) ─────────────│   session key, from both nonces
//!     │── Beat(0) ─────────────────────────────►│   now the ingress knows that the Hello was no recording,
//!     │◄── Beat(frames that may be sent) ───────│   and gives up the session before
//!     │═══ frames ═════════════════════════════►│
//!     │◄── Beat(more) ──────────────────────────│   and both say something every 200 ms
//! ```
//!
//! State machines without clocks and sockets: they take messages and times, and return messages.

mod caller;
mod listener;

pub use caller::{CallState, Caller};
pub use listener::{Listener, Update};

use std::time::Duration;

/// Silence after which a side says that it lives.
pub const BEAT: Duration = Duration::from_millis(200);
/// Silence after which the other side is lost.
pub const LOST: Duration = Duration::from_millis(900);

/// What both ends of a link must have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Bytes of the payload partition.
    pub payload_size: u32,
    /// Bytes of the metadata partition.
    pub metadata_size: u32,
    /// Number of endpoints.
    pub endpoints: u8,
    /// Whether frames are encrypted.
    pub sealed: bool,
}

/// Why a control message was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// It has not the form of one.
    #[error("it is no control message")]
    Form,
    /// It is not signed with the right key.
    #[error("it is signed with another key")]
    Signature,
    /// It has been before, or belongs to another session.
    #[error("it is old, or of another session")]
    Stale,
}

#[cfg(test)]
mod tests {
    use super::super::control::Refusal;
    use super::super::keys::LinkKey;
    use super::*;
    use std::time::Instant;

    const TERMS: Terms = Terms { payload_size: 100, metadata_size: 0, endpoints: 1, sealed: false };

    fn caller(key: u8, terms: Terms, number: u8, now: Instant) -> Caller {
        let address = "127.0.0.1:7000".parse().unwrap();
        Caller::new(&LinkKey([key; 32]), terms, address, [number; 24], now)
    }

    fn listener() -> Listener {
        Listener::new(LinkKey([1; 32]), TERMS)
    }

    /// Carries messages to and fro until nobody says anything more; returns what the listener made of them.
    fn talk(
        caller: &mut Caller,
        listener: &mut Listener,
        granted: u64,
        now: Instant,
    ) -> Vec<Update> {
        let mut updates = Vec::new();
        loop {
            let mut quiet = true;
            while let Some(message) = caller.say(0, now) {
                updates.push(listener.heard(&message, [9; 16], now).unwrap());
                quiet = false;
            }
            while let Some((address, message)) = listener.say(granted, now) {
                assert_eq!(address.port(), 7000);
                caller.heard(&message, now).unwrap();
                quiet = false;
            }
            if quiet {
                return updates;
            }
        }
    }

    #[test]
    fn a_session_is_made_and_lives_on_beats() {
        let mut now = Instant::now();
        let (mut caller, mut listener) = (caller(1, TERMS, 1, now), listener());
        assert_eq!(caller.state(now), CallState::Calling);
        assert_eq!(talk(&mut caller, &mut listener, 4, now), [Update::Nothing, Update::Begun]);
        assert_eq!(caller.state(now), CallState::Up { credit: 4 });
        assert!(listener.session().is_some());
        for granted in 5..30 {
            now += BEAT;
            assert_eq!(talk(&mut caller, &mut listener, granted, now), [Update::Nothing]);
            assert_eq!(caller.state(now), CallState::Up { credit: granted });
            assert!(!listener.is_lost(now));
        }
        assert_eq!(caller.state(now + LOST), CallState::Lost);
        let later = now + LOST + BEAT;
        assert!(listener.is_lost(later));
        // A frame is a sign of life as good as another.
        let session = listener.session().unwrap();
        assert!(listener.frame(session, later) && !listener.is_lost(later));
        assert!(!listener.frame(session + 1, now));
        // And is acknowledged with the next beat.
        assert_eq!(caller.received(), 0);
        talk(&mut caller, &mut listener, 30, later);
        assert_eq!(caller.received(), 1);
    }

    #[test]
    fn credit_is_told_at_once_and_only_grows() {
        let now = Instant::now();
        let (mut caller, mut listener) = (caller(1, TERMS, 1, now), listener());
        talk(&mut caller, &mut listener, 4, now);
        let (_, old) = listener.say(8, now).expect("a message, though nobody has been silent");
        let (_, new) = listener.say(12, now).expect("another");
        caller.heard(&new, now).unwrap();
        assert_eq!(caller.heard(&old, now), Err(Ignored::Stale));
        assert_eq!(caller.heard(&new, now), Err(Ignored::Stale));
        assert_eq!(caller.state(now), CallState::Up { credit: 12 });
        assert_eq!(listener.say(12, now), None);
    }

    #[test]
    fn recordings_do_nothing() {
        let now = Instant::now();
        let (mut caller, mut listener) = (caller(1, TERMS, 1, now), listener());
        let hello = caller.say(0, now).unwrap();
        listener.heard(&hello, [9; 16], now).unwrap();
        let (_, welcome) = listener.say(0, now).unwrap();
        caller.heard(&welcome, now).unwrap();
        let beat = caller.say(0, now).unwrap();
        assert_eq!(listener.heard(&beat, [9; 16], now), Ok(Update::Begun));
        let session = listener.session();
        // The listener draws another nonce for the same Hello: the recorded answer does not fit.
        assert_eq!(listener.heard(&hello, [10; 16], now), Err(Ignored::Stale));
        assert_eq!(listener.heard(&beat, [10; 16], now), Err(Ignored::Stale));
        assert_eq!(caller.heard(&welcome, now), Err(Ignored::Stale));

        // A Hello of an earlier session is answered, and nothing comes of it.
        let mut fresh = Listener::new(LinkKey([1; 32]), TERMS);
        assert_eq!(fresh.heard(&hello, [10; 16], now), Ok(Update::Nothing));
        assert_eq!(fresh.heard(&beat, [10; 16], now), Err(Ignored::Signature));
        assert_eq!((fresh.session(), listener.session()), (None, session));
    }

    #[test]
    fn strangers_are_not_heard() {
        let now = Instant::now();
        let mut listener = listener();
        let stranger = caller(2, TERMS, 1, now).say(0, now).unwrap();
        assert_eq!(listener.heard(&stranger, [9; 16], now), Err(Ignored::Signature));
        assert_eq!(listener.heard(&[0; 96], [9; 16], now), Err(Ignored::Form));
        assert_eq!(listener.heard(b"", [9; 16], now), Err(Ignored::Form));
        assert_eq!(listener.say(4, now), None);
        let mut caller = caller(1, TERMS, 1, now);
        assert_eq!(caller.heard(&stranger, now), Err(Ignored::Stale));
        assert_eq!(caller.heard(&[1; 96], now), Err(Ignored::Form));
    }

    #[test]
    fn a_new_session_replaces_the_old_one_once_it_has_proved_itself() {
        let now = Instant::now();
        let (mut first, mut listener) = (caller(1, TERMS, 1, now), listener());
        talk(&mut first, &mut listener, 4, now);
        let old = listener.session();
        let mut second = caller(1, TERMS, 2, now);
        let hello = second.say(0, now).unwrap();
        listener.heard(&hello, [8; 16], now).unwrap();
        assert_eq!(listener.session(), old);
        assert_eq!(talk(&mut second, &mut listener, 4, now), [Update::Begun]);
        assert_ne!(listener.session(), old);
        // The old one is told nothing more, and what it says is not heard.
        let beat = first.say(1, now + BEAT).unwrap();
        assert_eq!(listener.heard(&beat, [8; 16], now + BEAT), Err(Ignored::Stale));
    }

    #[test]
    fn other_terms_are_refused_with_the_reason() {
        for (change, reason) in [
            (Terms { payload_size: 101, ..TERMS }, Refusal::Sizes),
            (Terms { endpoints: 2, ..TERMS }, Refusal::Endpoints),
            (Terms { sealed: true, ..TERMS }, Refusal::Sealing),
        ] {
            let now = Instant::now();
            let (mut caller, mut listener) = (caller(1, change, 1, now), listener());
            talk(&mut caller, &mut listener, 4, now);
            assert_eq!(caller.state(now), CallState::Refused(reason));
            assert_eq!(listener.session(), None);
        }
    }

    #[test]
    fn goodbyes_are_heard() {
        let now = Instant::now();
        let (mut caller, mut listener) = (caller(1, TERMS, 1, now), listener());
        talk(&mut caller, &mut listener, 4, now);
        let (_, bye) = listener.bye().unwrap();
        caller.heard(&bye, now).unwrap();
        assert_eq!(caller.state(now), CallState::Ended);

        let (mut caller, mut listener) = (self::caller(1, TERMS, 1, now), self::listener());
        talk(&mut caller, &mut listener, 4, now);
        let bye = caller.bye().unwrap();
        assert_eq!(listener.heard(&bye, [9; 16], now), Ok(Update::Ended));
        assert_eq!(listener.session(), None);
    }

    #[test]
    fn a_call_that_nobody_answers_is_repeated_and_given_up() {
        let now = Instant::now();
        let mut caller = caller(1, TERMS, 1, now);
        assert!(caller.say(0, now).is_some() && caller.say(0, now).is_none());
        assert_eq!(caller.due(), now + BEAT);
        assert!(caller.say(0, now + BEAT).is_some());
        assert_eq!(caller.state(now + LOST), CallState::Lost);
    }
}
