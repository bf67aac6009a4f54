//! Sessions between two proxies of this project: handshake, keepalive, and credit.
//!
//! ```text
//!  egress (Caller)                         ingress (Listener)
//!     │── Connect(session, nonce, sizes) ──────►│   signed with the link's key
//!     │◄── Accept(session, nonce) ──────────────│   session key, from both nonces
//!     │── Keepalive(0) ────────────────────────►│   proves that the Connect was no replay; the
//!     │◄── Keepalive(credit) ───────────────────│   ingress gives up the session before
//!     │═══ frames ═════════════════════════════►│
//!     │◄── Keepalive(more credit) ──────────────│   and each side at least every 200 ms
//! ```
//!
//! A message may wait behind a frame for as long as that takes, so traffic that the kernel sees
//! counts as a sign of life too: see [`Pulse`].
//!
//! State machines without clocks and sockets: they take messages and times, and return messages.

mod caller;
mod listener;
mod pulse;

pub use caller::{CallState, Caller};
pub use listener::{Listener, Update};
pub use pulse::{Patience, Pulse};

use std::time::Duration;

/// Interval of keepalives.
pub const KEEPALIVE: Duration = Duration::from_millis(200);
/// Silence after which the peer is lost, on a short way without packet loss: see [`Patience`].
pub const LOST: Duration = Duration::from_millis(900);
/// Time that a Connect waits for its answer. Over a long distance the connection and the answer
/// take three round trips, and one lost packet takes a second more.
pub const CALL: Duration = Duration::from_millis(1500);

/// Parameters that both ends of a link must agree on.
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
    /// It belongs to the beginning of this session, and was repeated because the answer took its
    /// time.
    #[error("the session has begun already")]
    Repeated,
}

#[cfg(test)]
mod tests {
    use super::super::control::{Control, Refusal};
    use super::super::keys::LinkKey;
    use super::*;
    use crate::traffic::Traffic;
    use std::time::Instant;

    const TERMS: Terms = Terms { payload_size: 100, metadata_size: 0, endpoints: 1, sealed: false };

    fn caller(key: u8, terms: Terms, number: u8, now: Instant) -> Caller {
        let address = "127.0.0.1:7000".parse().unwrap();
        let patience = Patience::new(Duration::ZERO);
        Caller::new(&LinkKey([key; 32]), terms, address, [number; 24], patience, 0, now)
    }

    fn listener() -> Listener {
        Listener::new(LinkKey([1; 32]), TERMS, Patience::new(Duration::ZERO))
    }

    /// Carries messages back and forth until neither end sends; returns the listener's updates.
    fn talk(
        caller: &mut Caller,
        listener: &mut Listener,
        granted: u64,
        now: Instant,
    ) -> Vec<Update> {
        let mut updates = Vec::new();
        loop {
            let mut quiet = true;
            while let Some(message) = caller.transmit(0, now) {
                updates.push(listener.receive(&message, [9; 16], now).unwrap());
                quiet = false;
            }
            while let Some((address, message)) = listener.transmit(granted, now) {
                assert_eq!(address.port(), 7000);
                caller.receive(&message, now).unwrap();
                quiet = false;
            }
            if quiet {
                return updates;
            }
        }
    }

    #[test]
    fn a_session_is_made_and_lives_on_keepalives() {
        let mut now = Instant::now();
        let (mut caller, mut listener) = (caller(1, TERMS, 1, now), listener());
        assert_eq!(caller.state(now), CallState::Calling);
        assert_eq!(talk(&mut caller, &mut listener, 4, now), [Update::Nothing, Update::Begun]);
        assert_eq!(caller.state(now), CallState::Up { credit: 4 });
        assert!(listener.session().is_some());
        for granted in 5..30 {
            now += KEEPALIVE;
            assert_eq!(talk(&mut caller, &mut listener, granted, now), [Update::Nothing]);
            assert_eq!(caller.state(now), CallState::Up { credit: granted });
            assert!(!listener.is_lost(now));
        }
        assert_eq!(caller.state(now + LOST), CallState::Lost);
        let later = now + LOST + KEEPALIVE;
        assert!(listener.is_lost(later));
        // A frame is a sign of life as good as another.
        let session = listener.session().unwrap();
        assert!(listener.frame(session, later) && !listener.is_lost(later));
        assert!(!listener.frame(session + 1, now));
        // And is acknowledged with the next keepalive.
        assert_eq!(caller.received(), 0);
        talk(&mut caller, &mut listener, 30, later);
        assert_eq!(caller.received(), 1);
    }

    #[test]
    fn credit_is_told_at_once_and_only_grows() {
        let now = Instant::now();
        let (mut caller, mut listener) = (caller(1, TERMS, 1, now), listener());
        talk(&mut caller, &mut listener, 4, now);
        let (_, old) = listener.transmit(8, now).expect("a message, though nobody has been silent");
        let (_, new) = listener.transmit(12, now).expect("another");
        caller.receive(&new, now).unwrap();
        assert_eq!(caller.receive(&old, now), Err(Ignored::Stale));
        assert_eq!(caller.receive(&new, now), Err(Ignored::Stale));
        assert_eq!(caller.state(now), CallState::Up { credit: 12 });
        assert_eq!(listener.transmit(12, now), None);
    }

    #[test]
    fn recordings_do_nothing() {
        let now = Instant::now();
        let (mut caller, mut listener) = (caller(1, TERMS, 1, now), listener());
        let connect = caller.transmit(0, now).unwrap();
        listener.receive(&connect, [9; 16], now).unwrap();
        let (_, accept) = listener.transmit(0, now).unwrap();
        caller.receive(&accept, now).unwrap();
        let keepalive = caller.transmit(0, now).unwrap();
        assert_eq!(listener.receive(&keepalive, [9; 16], now), Ok(Update::Begun));
        let session = listener.session();
        // The listener draws another nonce for the same Connect: the recorded answer does not fit.
        assert_eq!(listener.receive(&connect, [10; 16], now), Err(Ignored::Repeated));
        assert_eq!(listener.receive(&keepalive, [10; 16], now), Err(Ignored::Stale));
        assert_eq!(caller.receive(&accept, now), Err(Ignored::Repeated));

        // A Connect of an earlier session is answered, and nothing comes of it.
        let mut fresh = self::listener();
        assert_eq!(fresh.receive(&connect, [10; 16], now), Ok(Update::Nothing));
        assert_eq!(fresh.receive(&keepalive, [10; 16], now), Err(Ignored::Signature));
        assert_eq!((fresh.session(), listener.session()), (None, session));
    }

    #[test]
    fn strangers_are_not_heard() {
        let now = Instant::now();
        let mut listener = listener();
        let stranger = caller(2, TERMS, 1, now).transmit(0, now).unwrap();
        assert_eq!(listener.receive(&stranger, [9; 16], now), Err(Ignored::Signature));
        assert_eq!(listener.receive(&[0; 96], [9; 16], now), Err(Ignored::Form));
        assert_eq!(listener.receive(b"", [9; 16], now), Err(Ignored::Form));
        assert_eq!(listener.transmit(4, now), None);
        let mut caller = caller(1, TERMS, 1, now);
        assert_eq!(caller.receive(&stranger, now), Err(Ignored::Stale));
        assert_eq!(caller.receive(&[1; 96], now), Err(Ignored::Form));
    }

    #[test]
    fn a_new_session_replaces_the_old_one_once_it_has_proved_itself() {
        let now = Instant::now();
        let (mut first, mut listener) = (caller(1, TERMS, 1, now), listener());
        talk(&mut first, &mut listener, 4, now);
        let old = listener.session();
        let mut second = caller(1, TERMS, 2, now);
        let connect = second.transmit(0, now).unwrap();
        listener.receive(&connect, [8; 16], now).unwrap();
        assert_eq!(listener.session(), old);
        assert_eq!(talk(&mut second, &mut listener, 4, now), [Update::Begun]);
        assert_ne!(listener.session(), old);
        // The old one gets no more messages, and its own are ignored.
        let keepalive = first.transmit(1, now + KEEPALIVE).unwrap();
        assert_eq!(listener.receive(&keepalive, [8; 16], now + KEEPALIVE), Err(Ignored::Stale));
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
        let (_, close) = listener.close(false).unwrap();
        caller.receive(&close, now).unwrap();
        assert_eq!(caller.state(now), CallState::Ended { told: false });

        let (mut caller, mut listener) = (self::caller(1, TERMS, 1, now), self::listener());
        talk(&mut caller, &mut listener, 4, now);
        let close = caller.close(0).unwrap();
        assert_eq!(listener.receive(&close, [9; 16], now), Ok(Update::Ended));
        assert_eq!((listener.session(), listener.stream_end()), (None, None));
    }

    #[test]
    fn the_end_of_a_stream_is_told_until_it_is_confirmed() {
        let now = Instant::now();
        let (mut caller, mut listener) = (caller(1, TERMS, 1, now), listener());
        talk(&mut caller, &mut listener, 4, now);
        assert_eq!(listener.stream_end(), None);
        caller.end_stream(now);
        let first = caller.transmit(3, now).expect("at once");
        // That one is lost; the next keepalive says it again.
        assert!(Control::read(&first).unwrap().ended && caller.transmit(3, now).is_none());
        let again = caller.transmit(3, now + KEEPALIVE).unwrap();
        assert_eq!(listener.receive(&again, [9; 16], now), Ok(Update::Nothing));
        assert_eq!(listener.stream_end(), Some(3));
        let (_, close) = listener.close(true).unwrap();
        caller.receive(&close, now).unwrap();
        assert_eq!(caller.state(now), CallState::Ended { told: true });
    }

    #[test]
    fn an_end_that_is_owed_comes_with_the_next_session_or_the_goodbye() {
        let now = Instant::now();
        let (mut late, mut listener) = (caller(1, TERMS, 1, now), listener());
        late.end_stream(now);
        let connect = late.transmit(0, now).unwrap();
        assert!(!Control::read(&connect).unwrap().ended, "nobody is there to be told");
        listener.receive(&connect, [9; 16], now).unwrap();
        let (_, accept) = listener.transmit(0, now).unwrap();
        late.receive(&accept, now).unwrap();
        let keepalive = late.transmit(0, now).unwrap();
        assert_eq!(listener.receive(&keepalive, [9; 16], now), Ok(Update::Begun));
        assert_eq!(listener.stream_end(), Some(0));

        let (mut caller, mut listener) = (caller(1, TERMS, 1, now), self::listener());
        talk(&mut caller, &mut listener, 4, now);
        caller.end_stream(now);
        let close = caller.close(2).unwrap();
        assert_eq!(listener.receive(&close, [9; 16], now), Ok(Update::Ended));
        assert_eq!((listener.session(), listener.stream_end()), (None, Some(2)));
    }

    #[test]
    fn a_call_that_nobody_answers_is_repeated_and_given_up() {
        let now = Instant::now();
        let mut caller = caller(1, TERMS, 1, now);
        assert!(caller.transmit(0, now).is_some() && caller.transmit(0, now).is_none());
        assert_eq!(caller.due(), now + KEEPALIVE);
        assert!(caller.transmit(0, now + KEEPALIVE).is_some());
        let last = now + CALL - Duration::from_nanos(1);
        assert_eq!(caller.state(last), CallState::Calling);
        assert_eq!(caller.state(now + CALL), CallState::Lost);
        // There was no peer to lose.
        assert_eq!(caller.patience(now + CALL), Patience::new(Duration::ZERO));
    }

    /// Half a round trip takes 150 ms, and a frame two seconds: what is said behind it comes as
    /// late.
    #[test]
    fn a_session_over_a_long_way_survives_a_frame_that_takes_seconds() {
        let half = Duration::from_millis(150);
        let start = Instant::now();
        let (mut caller, mut listener) = (caller(1, TERMS, 1, start), listener());
        let traffic =
            |segments| Traffic { open: true, segments, round_trip: half * 2, ..Traffic::default() };
        // Messages under way, with the times when they arrive.
        let (mut there, mut back) = (Vec::new(), Vec::new());
        let frame = start + Duration::from_secs(1)..start + Duration::from_secs(3);
        let (mut begun, mut early) = (0, 0);
        for ms in 0..6_000 {
            let now = start + Duration::from_millis(ms);
            if let Some(message) = caller.transmit(0, now) {
                let arrives = now + half;
                there.push((if frame.contains(&arrives) { frame.end } else { arrives }, message));
            }
            if let Some((_, message)) = listener.transmit(4, now) {
                back.push((now + half, message));
            }
            let due = |at: &mut (Instant, _)| at.0 <= now;
            for (_, message) in there.extract_if(.., due) {
                let update = listener.receive(&message, [9; 16], now).unwrap();
                begun += u32::from(update == Update::Begun);
            }
            for (_, message) in back.extract_if(.., due) {
                match caller.receive(&message, now) {
                    Ok(()) => {}
                    Err(Ignored::Repeated) => early += 1,
                    Err(other) => panic!("{other}"),
                }
            }
            if listener.wonders(now) {
                listener.seen(&traffic(if frame.contains(&now) { ms } else { 0 }), now);
            }
            assert!(!listener.is_lost(now), "after {ms} ms");
            assert!(!matches!(caller.state(now), CallState::Lost), "after {ms} ms");
        }
        assert_eq!((begun, early), (1, 1), "a call is said again before its answer can be here");
        assert_eq!(listener.patience().round_trip(), half * 2);
    }

    #[test]
    fn a_session_that_was_given_up_leaves_more_patience() {
        let now = Instant::now();
        let (mut caller, mut listener) = (caller(1, TERMS, 1, now), listener());
        talk(&mut caller, &mut listener, 4, now);
        let later = now + LOST;
        assert!(listener.is_lost(later) && caller.state(later) == CallState::Lost);
        listener.forget();
        assert_eq!(listener.patience().time(), 2 * LOST);
        assert_eq!(caller.patience(later).time(), 2 * LOST);
        // A close is no loss.
        let (mut caller, mut listener) = (self::caller(1, TERMS, 1, now), self::listener());
        talk(&mut caller, &mut listener, 4, now);
        let close = caller.close(0).unwrap();
        listener.receive(&close, [9; 16], now).unwrap();
        assert_eq!(listener.patience().time(), LOST);
    }
}
