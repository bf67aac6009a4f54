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
//! A message may wait behind a frame for as long as that takes: what the network shows counts too, see [`Pulse`].
//!
//! State machines without clocks and sockets: they take messages and times, and return messages.

mod caller;
mod listener;
mod pulse;

pub use caller::{CallState, Caller};
pub use listener::{Listener, Update};
pub use pulse::{Patience, Pulse};

use std::time::Duration;

/// Silence after which a side says that it lives.
pub const BEAT: Duration = Duration::from_millis(200);
/// Silence after which the other side is lost, if it is near and the network loses nothing: see [`Patience`].
pub const LOST: Duration = Duration::from_millis(900);
/// How long a call waits for an answer. Over a long way a connection and the answer take three round trips, and one lost packet
/// takes a second more.
pub const CALL: Duration = Duration::from_millis(1500);

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
    /// It belongs to the beginning of this session, and was said again because the answer took its time.
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
        assert_eq!(listener.heard(&hello, [10; 16], now), Err(Ignored::Repeated));
        assert_eq!(listener.heard(&beat, [10; 16], now), Err(Ignored::Stale));
        assert_eq!(caller.heard(&welcome, now), Err(Ignored::Repeated));

        // A Hello of an earlier session is answered, and nothing comes of it.
        let mut fresh = self::listener();
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
        let (_, bye) = listener.bye(false).unwrap();
        caller.heard(&bye, now).unwrap();
        assert_eq!(caller.state(now), CallState::Ended { told: false });

        let (mut caller, mut listener) = (self::caller(1, TERMS, 1, now), self::listener());
        talk(&mut caller, &mut listener, 4, now);
        let bye = caller.bye(0).unwrap();
        assert_eq!(listener.heard(&bye, [9; 16], now), Ok(Update::Ended));
        assert_eq!((listener.session(), listener.stream_end()), (None, None));
    }

    #[test]
    fn the_end_of_a_stream_is_told_until_it_is_confirmed() {
        let now = Instant::now();
        let (mut caller, mut listener) = (caller(1, TERMS, 1, now), listener());
        talk(&mut caller, &mut listener, 4, now);
        assert_eq!(listener.stream_end(), None);
        caller.end_stream(now);
        let first = caller.say(3, now).expect("at once");
        // That one is lost; the next beat says it again.
        assert!(Control::read(&first).unwrap().ended && caller.say(3, now).is_none());
        let again = caller.say(3, now + BEAT).unwrap();
        assert_eq!(listener.heard(&again, [9; 16], now), Ok(Update::Nothing));
        assert_eq!(listener.stream_end(), Some(3));
        let (_, bye) = listener.bye(true).unwrap();
        caller.heard(&bye, now).unwrap();
        assert_eq!(caller.state(now), CallState::Ended { told: true });
    }

    #[test]
    fn an_end_that_is_owed_comes_with_the_next_session_or_the_goodbye() {
        let now = Instant::now();
        let (mut late, mut listener) = (caller(1, TERMS, 1, now), listener());
        late.end_stream(now);
        let hello = late.say(0, now).unwrap();
        assert!(!Control::read(&hello).unwrap().ended, "nobody is there to be told");
        listener.heard(&hello, [9; 16], now).unwrap();
        let (_, welcome) = listener.say(0, now).unwrap();
        late.heard(&welcome, now).unwrap();
        let beat = late.say(0, now).unwrap();
        assert_eq!(listener.heard(&beat, [9; 16], now), Ok(Update::Begun));
        assert_eq!(listener.stream_end(), Some(0));

        let (mut caller, mut listener) = (caller(1, TERMS, 1, now), self::listener());
        talk(&mut caller, &mut listener, 4, now);
        caller.end_stream(now);
        let bye = caller.bye(2).unwrap();
        assert_eq!(listener.heard(&bye, [9; 16], now), Ok(Update::Ended));
        assert_eq!((listener.session(), listener.stream_end()), (None, Some(2)));
    }

    #[test]
    fn a_call_that_nobody_answers_is_repeated_and_given_up() {
        let now = Instant::now();
        let mut caller = caller(1, TERMS, 1, now);
        assert!(caller.say(0, now).is_some() && caller.say(0, now).is_none());
        assert_eq!(caller.due(), now + BEAT);
        assert!(caller.say(0, now + BEAT).is_some());
        let last = now + CALL - Duration::from_nanos(1);
        assert_eq!(caller.state(last), CallState::Calling);
        assert_eq!(caller.state(now + CALL), CallState::Lost);
        // Nobody was there to be impatient with.
        assert_eq!(caller.patience(now + CALL), Patience::new(Duration::ZERO));
    }

    /// Half a round trip takes 150 ms, and a frame two seconds: what is said behind it comes as late.
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
            if let Some(message) = caller.say(0, now) {
                let arrives = now + half;
                there.push((if frame.contains(&arrives) { frame.end } else { arrives }, message));
            }
            if let Some((_, message)) = listener.say(4, now) {
                back.push((now + half, message));
            }
            let due = |at: &mut (Instant, _)| at.0 <= now;
            for (_, message) in there.extract_if(.., due) {
                let update = listener.heard(&message, [9; 16], now).unwrap();
                begun += u32::from(update == Update::Begun);
            }
            for (_, message) in back.extract_if(.., due) {
                match caller.heard(&message, now) {
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
        // A goodbye is no loss.
        let (mut caller, mut listener) = (self::caller(1, TERMS, 1, now), self::listener());
        talk(&mut caller, &mut listener, 4, now);
        let bye = caller.bye(0).unwrap();
        listener.heard(&bye, [9; 16], now).unwrap();
        assert_eq!(listener.patience().time(), LOST);
    }
}
