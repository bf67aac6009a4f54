//! Sources and receivers in every order of coming and going.

use super::harness::World;
use crate::broker::registry::State;
use crate::broker::registry::limits::{CREATE_TIMEOUT, DETACH_TIMEOUT};
use std::time::Duration;

#[test]
fn source_first() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.source(s, 1, 1);
    assert_eq!(w.said(), ["s < created 1"]);
    w.receiver(r, 7);
    assert_eq!(w.state(r, 7), State::Joining);
    assert_eq!(w.answer_joins(), ["s < join 1", "r < ring 7 1 5", "r < created 7"]);
    assert_eq!(w.state(r, 7), State::Active);
}

#[test]
fn receivers_first() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.receiver(r, 7);
    w.receiver(r, 8);
    assert_eq!(w.said(), ["r < created 7", "r < created 8"]);
    assert_eq!(w.state(r, 7), State::Waiting);
    w.source(s, 1, 1);
    let said = w.answer_joins();
    assert_eq!(
        said,
        ["s < join 1", "s < join 1", "s < created 1", "r < ring 7 1 5", "r < ring 8 1 5"]
    );
}

#[test]
fn source_is_replaced() {
    let mut w = World::new();
    let (s, r, t) = (w.client("s"), w.client("r"), w.client("t"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    w.answer_joins();
    w.standby(r, 7);
    w.registry.goodbye(s, 1, w.now);
    assert_eq!(w.said(), Vec::<String>::new());
    assert_eq!(w.state(r, 7), State::Waiting);
    w.source(t, 4, 2);
    assert_eq!(w.answer_joins(), ["t < join 4", "t < created 4", "r < ring 7 2 5"]);
    assert_eq!(w.state(r, 7), State::Active);
    w.registry.died(t, w.now);
    w.registry.died(r, w.now);
    w.registry.died(s, w.now);
    w.assert_empty();
}

#[test]
fn new_source_waits_for_a_seat_that_is_under_way() {
    let mut w = World::new();
    let (s, r, t) = (w.client("s"), w.client("r"), w.client("t"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    w.answer_joins();
    w.registry.died(s, w.now);
    w.source(t, 4, 2);
    assert_eq!(w.said(), ["forget 1000"]);
    w.standby(r, 7);
    assert_eq!(w.answer_joins(), ["t < join 4", "t < created 4", "r < ring 7 2 5"]);
}

#[test]
fn new_source_does_not_wait_for_ever_for_a_seat() {
    let mut w = World::new();
    let (s, r, t) = (w.client("s"), w.client("r"), w.client("t"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    w.answer_joins();
    w.registry.died(s, w.now);
    w.source(t, 4, 2);
    w.said();
    let deadline = w.registry.next_deadline().unwrap();
    w.sleep(deadline);
    assert_eq!(w.said(), ["t < created 4"]);
}

#[test]
fn source_dies_before_it_answers() {
    let mut w = World::new();
    let (s, r, t) = (w.client("s"), w.client("r"), w.client("t"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    assert_eq!(w.said(), ["s < created 1", "s < join 1"]);
    w.registry.died(s, w.now);
    assert_eq!(w.said(), ["r < created 7", "r < need seat 7", "forget 1000"]);
    w.standby(r, 7);
    w.source(t, 1, 2);
    assert_eq!(w.answer_joins(), ["t < join 1", "t < created 1", "r < ring 7 2 5"]);
}

#[test]
fn slow_source_answers_after_the_receiver_was_created() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    let said = w.said_with_seats();
    assert_eq!(said[1].0, "s < join 1");
    w.sleep(CREATE_TIMEOUT - Duration::from_millis(1));
    assert_eq!(w.said(), Vec::<String>::new());
    w.sleep(Duration::from_millis(1));
    assert_eq!(w.said(), ["r < created 7"]);
    w.joined(s, 1, said[1].1, "");
    assert_eq!(w.said(), ["r < ring 7 1 5"]);
}

#[test]
fn receiver_leaves_before_the_answer() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    let seat = w.said_with_seats()[1].1;
    w.registry.goodbye(r, 7, w.now);
    assert_eq!(w.said_with_seats(), [("s < part 1".to_owned(), seat)]);
    w.joined(s, 1, seat, "");
    assert_eq!(w.said(), Vec::<String>::new());
}

#[test]
fn receiver_leaves() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    w.answer_joins();
    w.standby(r, 7);
    w.registry.died(r, w.now);
    assert_eq!(w.said(), ["s < part 1", "forget 1001"]);
    w.registry.goodbye(s, 1, w.now);
    w.registry.detach(s, w.now);
    w.assert_empty();
}

#[test]
fn refused_seat_of_a_new_receiver() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    let seat = w.said_with_seats()[1].1;
    w.joined(s, 1, seat, "full");
    assert_eq!(w.said()[0], "r < refused 7 1008: the group's source refused the seat: full");
    assert_eq!(w.registry.connection_count(), 1);
}

#[test]
fn refused_seat_of_an_old_receiver_is_tried_again_later() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.receiver(r, 7);
    w.source(s, 1, 1);
    let seat = w.said_with_seats()[1].1;
    w.joined(s, 1, seat, "out of descriptors");
    assert_eq!(w.said(), ["r < need seat 7"]);
    w.standby(r, 7);
    assert_eq!(w.said(), Vec::<String>::new(), "not at once");
    w.sleep(Duration::from_secs(1));
    assert_eq!(w.answer_joins(), ["s < join 1", "r < ring 7 1 5"]);
}

#[test]
fn second_source_is_refused_after_one_more_pass() {
    let mut w = World::new();
    let (s, t) = (w.client("s"), w.client("t"));
    w.source(s, 1, 1);
    w.said();
    w.source(t, 2, 2);
    assert!(w.registry.wants_pass());
    w.pass();
    assert_eq!(w.said(), Vec::<String>::new());
    w.pass();
    assert_eq!(w.said(), ["t < refused 2 1008: group \"g\" has a source already, in s"]);
    assert!(!w.registry.wants_pass());
}

#[test]
fn goodbye_that_is_read_late_still_counts() {
    let mut w = World::new();
    let (s, t) = (w.client("s"), w.client("t"));
    w.source(s, 1, 1);
    w.said();
    w.source(t, 2, 2);
    w.pass();
    w.registry.goodbye(s, 1, w.now);
    w.pass();
    assert_eq!(w.said(), ["t < created 2"]);
}

#[test]
fn new_source_waits_until_the_old_one_is_certainly_dead() {
    let mut w = World::new();
    let (s, t) = (w.client("s"), w.client("t"));
    w.source(s, 1, 1);
    w.said();
    w.registry.detach(s, w.now);
    assert_eq!(w.state(s, 1), State::Detached);
    w.source(t, 2, 2);
    w.pass();
    w.pass();
    w.pass();
    assert_eq!(w.said(), Vec::<String>::new());
    w.registry.died(s, w.now);
    assert_eq!(w.said(), ["t < created 2", "forget 1000"]);
}

#[test]
fn detached_source_loses_its_group_after_a_while() {
    let mut w = World::new();
    let (s, r, t) = (w.client("s"), w.client("r"), w.client("t"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    w.answer_joins();
    w.standby(r, 7);
    w.registry.detach(s, w.now);
    w.source(t, 2, 2);
    assert_eq!(w.registry.next_deadline(), Some(DETACH_TIMEOUT));
    assert_eq!(w.state(r, 7), State::Active, "frames flow on without the proxy");
    w.sleep(DETACH_TIMEOUT);
    assert_eq!(w.answer_joins(), ["t < join 2", "t < created 2", "forget 1000", "r < ring 7 2 5"]);
}

#[test]
fn waiting_source_says_goodbye_or_dies() {
    let mut w = World::new();
    let (s, t, u) = (w.client("s"), w.client("t"), w.client("u"));
    w.source(s, 1, 1);
    w.registry.detach(s, w.now);
    w.source(t, 2, 2);
    w.source(u, 2, 3);
    w.said();
    w.registry.goodbye(t, 2, w.now);
    w.registry.died(u, w.now);
    w.sleep(DETACH_TIMEOUT);
    w.registry.detach(t, w.now);
    w.assert_empty();
}

#[test]
fn delivery_is_the_receivers_word_then_the_sources() {
    use super::harness::{blob, ring};
    use crate::broker::registry::Ends;
    use config::Delivery::{Live, Reliable};
    for (source, receiver, join) in [
        (None, None, "s < join 1"),
        (Some(Live), None, "s < join 1 live"),
        (Some(Live), Some(Reliable), "s < join 1"),
        (None, Some(Live), "s < join 1 live"),
    ] {
        let mut w = World::new();
        let (s, r) = (w.client("s"), w.client("r"));
        let mut config = blob("g");
        config.options.delivery = source;
        let ends = Ends::Source { board: w.board(), ring: ring(1), receivers: Vec::new() };
        w.announce(s, 1, "", config.clone(), ends).unwrap();
        config.options.delivery = receiver;
        let ends = Ends::Receiver { standby: w.seat(), using: None };
        w.announce(r, 1, "", config, ends).unwrap();
        assert_eq!(w.said()[1], join);
    }
}
