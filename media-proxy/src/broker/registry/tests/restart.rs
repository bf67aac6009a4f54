//! Proxies that restart, sockets that break, and the announcements of clients afterwards.

use super::harness::World;
use crate::broker::registry::limits::DETACH_TIMEOUT;
use crate::broker::registry::{HOLD_TIME, Limits, State};
use std::time::Duration;

const LIMITS: Limits =
    Limits { receivers_per_group: 128, connections_per_client: 64, connections: 500 };

#[test]
fn pair_survives_whoever_comes_first() {
    for source_first in [true, false] {
        let mut w = World::with(Some(HOLD_TIME), LIMITS);
        let (s, r) = (w.client("s"), w.client("r"));
        if source_first {
            w.source_again(s, 1, "src", 1, &["rcv"]);
            w.receiver_again(r, 7, "rcv", Some(1));
            assert_eq!(w.said(), ["s < created 1", "r < created 7"]);
        } else {
            w.receiver_again(r, 7, "rcv", Some(1));
            w.source_again(s, 1, "src", 1, &["rcv"]);
            assert_eq!(w.said(), ["r < created 7", "s < created 1"]);
        }
        assert_eq!(w.state(r, 7), State::Active);
        assert_eq!((w.id(s, 1), w.id(r, 7)), ("src".into(), "rcv".into()));
    }
}

#[test]
fn pair_that_only_one_side_knows_is_joined_anew() {
    for (listed, reads) in [(vec!["rcv"], None), (vec![], Some(1)), (vec!["rcv"], Some(9))] {
        let mut w = World::new();
        let (s, r) = (w.client("s"), w.client("r"));
        w.source_again(s, 1, "src", 1, &listed);
        w.receiver_again(r, 7, "rcv", reads);
        let said = w.answer_joins();
        assert_eq!(said, ["s < created 1", "s < join 1", "r < ring 7 1 5", "r < created 7"]);
        assert_eq!(w.state(r, 7), State::Active);
    }
}

#[test]
fn new_sources_are_held_until_survivors_had_their_time() {
    let mut w = World::with(Some(HOLD_TIME), LIMITS);
    let (s, t) = (w.client("s"), w.client("t"));
    w.source(t, 2, 2);
    w.pass();
    w.pass();
    assert_eq!(w.said(), Vec::<String>::new());
    w.source_again(s, 1, "src", 1, &[]);
    w.pass();
    let refused = "t < refused 2 1008: group \"g\" has a source already, in s";
    assert_eq!(w.said(), ["s < created 1", refused]);
}

#[test]
fn held_source_is_accepted_when_nobody_came() {
    let mut w = World::with(Some(HOLD_TIME), LIMITS);
    let (r, t) = (w.client("r"), w.client("t"));
    w.receiver(r, 7);
    w.source(t, 2, 2);
    assert_eq!(w.said(), ["r < created 7"], "receivers are not held");
    assert_eq!(w.registry.next_deadline(), Some(HOLD_TIME));
    w.sleep(HOLD_TIME);
    assert_eq!(w.answer_joins(), ["t < join 2", "t < created 2", "r < ring 7 2 5"]);
    assert_eq!(w.registry.next_deadline(), None);
}

#[test]
fn reconnected_receiver_that_got_its_ring_keeps_it() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    w.answer_joins();
    let id = w.id(r, 7);
    w.registry.detach(r, w.now);
    assert_eq!(w.client("r"), r);
    assert_eq!(w.state(r, 7), State::Detached, "not before it has announced");
    w.receiver_again(r, 9, &id, Some(1));
    assert_eq!(w.said(), ["r < created 9"]);
    assert_eq!(w.state(r, 9), State::Active);
    w.sleep(DETACH_TIMEOUT);
    assert_eq!(w.id(r, 9), id);
}

#[test]
fn reconnected_receiver_that_lost_its_ring_is_joined_anew() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    w.answer_joins();
    let id = w.id(r, 7);
    w.registry.detach(r, w.now);
    w.client("r");
    w.receiver_again(r, 7, &id, None);
    assert_eq!(w.answer_joins(), ["s < join 1", "r < ring 7 1 5", "r < created 7"]);
}

#[test]
fn client_that_never_heard_of_its_connection_announces_it_as_new() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    w.said();
    // Not yet created: forgotten. Created, but the message was lost: recognised by the client's own
    // number.
    w.registry.detach(r, w.now);
    assert_eq!(w.said(), ["s < part 1", "forget 1001"]);
    let id = w.id(s, 1);
    w.registry.detach(s, w.now);
    w.client("s");
    w.source(s, 1, 1);
    assert_eq!(w.said(), ["s < created 1"]);
    assert_eq!(w.id(s, 1), id);
}

#[test]
fn receiver_out_of_touch_while_it_was_joining() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.receiver(r, 7);
    w.source(s, 1, 1);
    let seat = w.said_with_seats()[1].1;
    w.registry.detach(r, w.now);
    assert_eq!(w.said_with_seats(), [("s < part 1".to_owned(), seat)]);
    w.joined(s, 1, seat, "");
    assert_eq!(w.said(), Vec::<String>::new());
    let id = w.id(r, 7);
    w.client("r");
    w.receiver_again(r, 7, &id, None);
    assert_eq!(w.answer_joins(), ["s < join 1", "r < ring 7 1 5", "r < created 7"]);
}

#[test]
fn source_out_of_touch_while_a_receiver_was_joining() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    w.said();
    w.registry.detach(s, w.now);
    assert_eq!(w.said(), ["r < created 7", "r < need seat 7"]);
    w.standby(r, 7);
    assert_eq!(w.said(), Vec::<String>::new());
    let (id, rid) = (w.id(s, 1), w.id(r, 7));
    w.client("s");
    // The source let it in, but the news was lost with the socket.
    w.source_again(s, 1, &id, 1, &[&rid]);
    assert_eq!(w.answer_joins(), ["s < join 1", "s < created 1", "r < ring 7 1 5"]);
}

#[test]
fn connections_that_are_not_announced_again_go() {
    let mut w = World::new();
    let s = w.client("s");
    w.source(s, 1, 1);
    let r = w.client("r");
    w.receiver(r, 7);
    w.receiver(r, 8);
    w.answer_joins();
    let id = w.id(r, 7);
    w.registry.detach(r, w.now);
    w.client("r");
    w.receiver_again(r, 7, &id, Some(1));
    w.said();
    w.sleep(DETACH_TIMEOUT);
    assert_eq!(w.said(), ["s < part 1"]);
    assert_eq!(w.registry.connection_count(), 2);
}

#[test]
fn connection_that_comes_back_as_another_is_another() {
    let mut w = World::new();
    let s = w.client("s");
    w.source(s, 1, 1);
    let id = w.id(s, 1);
    w.said();
    w.registry.detach(s, w.now);
    w.client("s");
    w.receiver_again(s, 1, &id, None);
    assert_eq!(w.said(), ["s < created 1"]);
    assert_eq!(w.state(s, 1), State::Waiting);
}

#[test]
fn seat_numbers_tell_proxies_apart() {
    let mut w = World::new();
    assert!(w.seat().0 >= 1000);
    assert_ne!(w.seat(), w.seat());
    w.sleep(Duration::from_secs(100));
}
