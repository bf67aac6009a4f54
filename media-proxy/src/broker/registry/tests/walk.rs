//! Random walks: whatever the order of events, no connection or descriptor is lost, leaked or
//! doubled.

use super::harness::{World, blob, ring};
use crate::broker::registry::{Action, Ends, HOLD_TIME, Limits, SeatNo};
use proptest::prelude::*;
use proto::exchange::from_proxy::Body;
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Attach(usize),
    Announce { client: usize, key: u32, source: bool, group: usize, known: bool },
    Standby(usize, u32),
    Goodbye(usize, u32),
    Answer { accept: bool },
    Detach(usize),
    Die(usize),
    Sleep(u64),
    Pass,
}

fn step() -> impl Strategy<Value = Step> {
    let (client, key) = (0..4_usize, 0..4_u32);
    prop_oneof![
        3 => client.clone().prop_map(Step::Attach),
        8 => (client.clone(), key.clone(), any::<bool>(), 0..2_usize, any::<bool>()).prop_map(
            |(client, key, source, group, known)| Step::Announce { client, key, source, group, known }
        ),
        4 => (client.clone(), key.clone()).prop_map(|(client, key)| Step::Standby(client, key)),
        3 => (client.clone(), key).prop_map(|(client, key)| Step::Goodbye(client, key)),
        6 => any::<bool>().prop_map(|accept| Step::Answer { accept }),
        2 => client.clone().prop_map(Step::Detach),
        1 => client.prop_map(Step::Die),
        2 => (0..4000_u64).prop_map(Step::Sleep),
        4 => Just(Step::Pass),
    ]
}

/// Clients as they would be: what they were told, and the joins that wait for an answer.
struct Walk {
    world: World,
    joins: Vec<(String, u32, u64)>,
    ids: Vec<(String, u32, String)>,
}

impl Walk {
    fn apply(&mut self, step: Step) {
        let name = |client: usize| format!("c{client}");
        let known = |walk: &Self, client: usize| walk.world.registry.client_named(&name(client));
        let attached = |walk: &Self, client: usize| {
            known(walk, client).filter(|no| walk.world.registry.is_attached(*no))
        };
        match step {
            Step::Attach(client) => {
                self.world.client(&name(client));
            }
            Step::Announce { client, key, source, group, known } => {
                let Some(no) = attached(self, client) else { return };
                let id = self
                    .ids
                    .iter()
                    .rev()
                    .find(|(n, k, _)| known && *n == name(client) && *k == key);
                let id = id.map(|(.., id)| id.clone()).unwrap_or_default();
                let w = &mut self.world;
                let ends = if source {
                    let listed = self.ids.iter().take(3).map(|(.., id)| id.clone()).collect();
                    Ends::Source { board: w.board(), ring: ring(key as u8), receivers: listed }
                } else {
                    let using = known.then(|| (ring(1), w.seat()));
                    Ends::Receiver { standby: w.seat(), using }
                };
                let config = blob(["g", "h"][group]);
                if w.announce(no, key, &id, config, ends).is_err() {
                    w.registry.detach(no, w.now);
                }
            }
            Step::Standby(client, key) => {
                let Some(no) = attached(self, client) else { return };
                let seat = self.world.seat();
                if self.world.registry.standby(no, key, seat, self.world.now).is_err() {
                    self.world.registry.detach(no, self.world.now);
                }
            }
            Step::Goodbye(client, key) => {
                let Some(no) = attached(self, client) else { return };
                self.world.registry.goodbye(no, key, self.world.now);
            }
            Step::Answer { accept } => {
                if self.joins.is_empty() {
                    return;
                }
                let (name, key, seat) = self.joins.remove(0);
                let Some(no) = self.world.registry.client_named(&name) else { return };
                let error = if accept { "" } else { "no" };
                let w = &mut self.world;
                if w.registry.joined(no, key, SeatNo(seat), 0, error, w.now).is_err() {
                    w.registry.detach(no, w.now);
                }
            }
            Step::Detach(client) => {
                let Some(no) = attached(self, client) else { return };
                self.world.registry.detach(no, self.world.now);
            }
            Step::Die(client) => {
                let Some(no) = known(self, client) else { return };
                self.world.registry.died(no, self.world.now);
            }
            Step::Sleep(ms) => self.world.sleep(Duration::from_millis(ms)),
            Step::Pass => self.world.pass(),
        }
    }

    /// Does what the registry says, as the exchange would; [`World::carry_out`] watches the
    /// descriptors.
    fn act(&mut self) {
        while let Some(action) = self.world.registry.next_action() {
            if let Action::Send { to, body, .. } = &action {
                let name = self.world.name(*to);
                match body {
                    Body::Join(join) => self.joins.push((name, join.key, join.seat)),
                    Body::Created(created) => {
                        self.ids.push((name, created.key, created.conn_id.clone()));
                    }
                    _ => {}
                }
            }
            self.world.carry_out(action);
        }
    }

    /// Invariants.
    fn check(&self) {
        let registry = &self.world.registry;
        let mut seen = BTreeSet::new();
        for (name, group) in registry.groups() {
            assert!(!group.is_empty(), "{name} is empty");
            for no in group.source.iter().chain(&group.receivers) {
                assert!(seen.insert(*no), "{no:?} is twice in groups");
                let connection = &registry.connections[no];
                assert_eq!(connection.group, name);
                assert_eq!(connection.is_source(), group.source == Some(*no));
                let client = &registry.clients[&connection.client];
                assert_eq!(client.keys.get(&connection.key), Some(no));
                assert!(connection.attached() <= client.attached);
                if let Some(joining) = connection.receiver().and_then(|receiver| receiver.joining) {
                    assert_eq!(Some(joining.source), group.source, "joins nobody");
                    assert!(
                        registry.connections[&joining.source].attached() && connection.attached()
                    );
                }
                assert_eq!(registry.by_id.get(&connection.id), Some(no));
            }
        }
        assert_eq!(seen.len(), registry.connection_count());
        assert_eq!(registry.by_id.len(), registry.connection_count());
        assert_eq!(registry.by_name.len(), registry.clients.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_order_of_events(steps in proptest::collection::vec(step(), 1..150), held in any::<bool>()) {
        let limits = Limits { receivers_per_group: 3, connections_per_client: 3, connections: 8 };
        let world = World::with(held.then_some(HOLD_TIME), limits);
        let mut walk = Walk { world, joins: Vec::new(), ids: Vec::new() };
        for step in steps {
            walk.apply(step);
            walk.act();
            walk.check();
        }
        for client in 0..4 {
            walk.apply(Step::Die(client));
            walk.act();
            walk.check();
        }
        walk.apply(Step::Sleep(10_000));
        walk.act();
        walk.world.assert_empty();
    }
}
