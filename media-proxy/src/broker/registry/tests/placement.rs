//! Connections that are held until the mesh has placed them, and bridges.

use super::harness::{World, ring};
use crate::broker::registry::limits::PLACE_TIMEOUT;
use crate::broker::registry::{ClientNo, Ends, Limits, Refusal};
use config::{ConnectionConfig, Endpoint, St2110};
use media::{Payload, Video};
use std::time::Duration;

fn stream() -> ConnectionConfig {
    let stream = St2110::new([239, 0, 0, 1].into(), 5004);
    ConnectionConfig::new(Endpoint::St2110(stream), Payload::Video(Video::default()))
}

impl World {
    fn bridge(&mut self) -> ClientNo {
        self.registry.attach("bridge", "bridge", true)
    }

    fn stream_source(&mut self, client: ClientNo, key: u32, id: &str) {
        let ends = Ends::Source { board: self.board(), ring: ring(1), receivers: Vec::new() };
        self.announce(client, key, id, stream(), ends).unwrap();
    }

    fn stream_receiver(&mut self, client: ClientNo, key: u32, id: &str) {
        let ends = Ends::Receiver { standby: self.seat(), using: None };
        self.announce(client, key, id, stream(), ends).unwrap();
    }

    fn placed(&mut self, id: &str, answer: Result<(), &str>) {
        let answer = answer.map_err(|reason| Refusal::new(1008, reason));
        self.registry.placed(id, answer, self.now);
    }

    /// The one connection for which a place is wanted.
    fn asked(&mut self) -> String {
        let said = self.said();
        let ids: Vec<_> = said.iter().filter_map(|text| text.strip_prefix("place for ")).collect();
        assert_eq!(ids.len(), 1, "{said:?}");
        ids[0].to_owned()
    }
}

#[test]
fn a_source_hears_nothing_before_its_bridge_sits_in_the_group() {
    let mut w = World::new();
    let (app, bridge) = (w.client("app"), w.bridge());
    w.stream_source(app, 1, "");
    let id = w.asked();
    w.pass();
    assert!(!w.registry.wants_pass());
    assert!(w.said().is_empty(), "it is held");
    w.stream_receiver(bridge, 7, "");
    assert_eq!(w.said(), ["bridge < created 7"], "nobody is asked about bridges");
    w.placed(&id, Ok(()));
    // The bridge is on its list before it hears that it exists.
    assert_eq!(w.said(), ["app < join 1", "app < created 1"]);
    assert_eq!(w.id(app, 1), id);
    w.registry.goodbye(app, 1, w.now);
    assert!(w.said().contains(&format!("give up {id}")));
    w.registry.died(app, w.now);
    w.registry.died(bridge, w.now);
    w.assert_empty();
}

#[test]
fn a_receiver_hears_nothing_before_the_stream_is_there() {
    let mut w = World::new();
    let (app, bridge) = (w.client("app"), w.bridge());
    w.stream_receiver(app, 1, "");
    let id = w.asked();
    w.stream_source(bridge, 7, "");
    assert_eq!(w.said(), ["bridge < created 7"]);
    w.placed(&id, Ok(()));
    assert_eq!(w.answer_joins(), ["bridge < join 7", "app < ring 1 1 5", "app < created 1"]);
    w.registry.died(app, w.now);
    w.registry.died(bridge, w.now);
    w.assert_empty();
}

#[test]
fn refusals_and_silence_end_the_wait() {
    let mut w = World::new();
    let app = w.client("app");
    w.stream_receiver(app, 1, "");
    w.stream_source(app, 2, "");
    let said = w.said();
    let id = |index: usize| said[index].strip_prefix("place for ").unwrap().to_owned();
    w.placed(&id(0), Err("port in use"));
    w.placed(&id(1), Err("no interface"));
    assert_eq!(
        w.said(),
        ["app < refused 1 1008: port in use", "app < refused 2 1008: no interface"]
    );
    // Answers that come late or twice change nothing.
    w.placed(&id(0), Ok(()));
    assert!(w.said().is_empty());
    w.stream_receiver(app, 3, "");
    w.stream_source(app, 4, "");
    w.said();
    w.sleep(PLACE_TIMEOUT - Duration::from_millis(1));
    assert!(w.said().is_empty());
    assert_eq!(w.registry.next_deadline(), Some(w.now + Duration::from_millis(1)));
    w.sleep(Duration::from_millis(1));
    let said = w.said();
    assert_eq!(said.iter().filter(|text| text.starts_with("give up")).count(), 2, "{said:?}");
    assert_eq!(said.iter().filter(|text| text.contains("refused")).count(), 2, "{said:?}");
    w.registry.died(app, w.now);
    w.assert_empty();
}

#[test]
fn who_leaves_while_it_waits_leaves_nothing_behind() {
    let mut w = World::new();
    let (a, b) = (w.client("a"), w.client("b"));
    w.stream_receiver(a, 1, "");
    w.stream_source(a, 2, "");
    w.stream_source(b, 1, "");
    let said = w.said();
    assert_eq!(said.len(), 2, "one source is asked about at a time: {said:?}");
    w.registry.goodbye(a, 1, w.now);
    w.registry.goodbye(a, 2, w.now);
    // Now it is the other one's turn.
    let said = w.said();
    assert_eq!(said.iter().filter(|text| text.starts_with("give up")).count(), 2, "{said:?}");
    assert!(said.last().unwrap().starts_with("place for"), "{said:?}");
    w.registry.detach(b, w.now);
    w.registry.died(a, w.now);
    assert!(w.said().iter().any(|text| text.starts_with("give up")));
    w.assert_empty();
}

#[test]
fn a_second_source_is_refused_without_being_asked_about() {
    let mut w = World::new();
    let (a, b) = (w.client("a"), w.client("b"));
    w.stream_source(a, 1, "");
    let id = w.asked();
    w.placed(&id, Ok(()));
    w.said();
    w.stream_source(b, 1, "");
    assert!(w.said().is_empty() && w.registry.wants_pass());
    w.pass();
    w.pass();
    let said = w.said();
    assert!(said[0].contains("refused 1 1008") && said.len() == 1, "{said:?}");
}

#[test]
fn a_bridge_from_the_network_makes_room_for_a_source() {
    let mut w = World::new();
    let (r, s, bridge) = (w.client("r"), w.client("s"), w.bridge());
    w.stream_source(bridge, 7, "");
    w.stream_receiver(r, 1, "");
    let id = w.said().iter().find_map(|t| Some(t.strip_prefix("place for ")?.to_owned())).unwrap();
    w.placed(&id, Ok(()));
    w.answer_joins();
    w.standby(r, 1);
    w.stream_source(s, 1, "");
    let id = w.asked();
    w.pass();
    assert!(!w.registry.wants_pass() && w.said().is_empty());
    // The answer may come before the bridge's Goodbye has been read, in the same pass.
    w.placed(&id, Ok(()));
    assert!(w.said().is_empty());
    w.registry.goodbye(bridge, 7, w.now);
    let said = w.answer_joins();
    assert!(said.contains(&"s < created 1".to_owned()), "{said:?}");
    assert!(said.contains(&"r < ring 1 1 5".to_owned()), "{said:?}");
}

#[test]
fn a_bridge_that_stays_keeps_its_group() {
    let mut w = World::new();
    let (s, bridge) = (w.client("s"), w.bridge());
    w.stream_source(bridge, 7, "");
    w.said();
    w.stream_source(s, 1, "");
    let id = w.asked();
    w.placed(&id, Ok(()));
    w.pass();
    w.pass();
    let said = w.said();
    assert!(said.contains(&format!("give up {id}")), "{said:?}");
    assert!(said.iter().any(|text| text.contains("refused 1 1008")), "{said:?}");
}

#[test]
fn connections_that_come_back_are_served_at_once() {
    let mut w = World::new();
    let app = w.client("app");
    w.stream_source(app, 1, "kept-1");
    w.stream_receiver(app, 2, "kept-2");
    let said = w.said();
    assert!(said.contains(&"app < created 1".to_owned()), "{said:?}");
    assert!(said.contains(&"place again kept-1".to_owned()), "{said:?}");
    assert!(said.contains(&"place again kept-2".to_owned()), "{said:?}");
    // What the control plane says cannot take away what they have.
    w.placed("kept-1", Err("somebody else sends"));
    assert!(w.said().is_empty());
    w.registry.died(app, w.now);
    assert_eq!(w.said().iter().filter(|text| text.starts_with("give up kept")).count(), 2);
    w.assert_empty();
}

#[test]
fn a_bridge_that_leaves_does_not_bind_who_comes() {
    let mut w = World::new();
    let (app, bridge) = (w.client("app"), w.bridge());
    w.stream_receiver(bridge, 7, "");
    w.said();
    let mut wider = stream();
    wider.payload = Payload::Video(Video { width: 1280, ..Video::default() });
    let ends = Ends::Receiver { standby: w.seat(), using: None };
    w.announce(app, 1, "", wider, ends).unwrap();
    w.asked();
}

#[test]
fn bridges_take_nobodys_place() {
    let limits = Limits { receivers_per_group: 1, connections_per_client: 2, connections: 2 };
    let mut w = World::with(None, limits);
    let (app, bridge) = (w.client("app"), w.bridge());
    for key in 1..=3 {
        w.stream_receiver(bridge, key, "");
    }
    assert_eq!(w.said().len(), 3);
    w.stream_receiver(app, 1, "");
    let id = w.asked();
    w.placed(&id, Ok(()));
    assert_eq!(w.said(), ["app < created 1"]);
    w.stream_receiver(app, 2, "");
    assert!(w.said()[0].contains("refused 2 1006"), "the group is full of programs");
    w.stream_source(app, 3, "");
    w.asked();
    w.stream_receiver(app, 4, "");
    assert!(w.said()[0].contains("refused 4 1006"), "who waits counts");
    assert_eq!(w.registry.program_connections(), 1);
    assert!(!w.registry.delete(&w.id(bridge, 1), "operator", w.now), "not for operators");
}
