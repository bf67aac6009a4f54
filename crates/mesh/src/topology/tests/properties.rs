//! Invariants under random sequences of events.

use super::harness::*;
use crate::topology::port_table::Owner;
use crate::topology::{BridgeLink, BridgeSpec, ConnectionId, Direction, Topology};
use config::ConnectionConfig;
use proptest::prelude::*;
use proto::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Proxy(u8),
    Unregister(u8),
    Lose(u8),
    /// Comes back as it was before the step, with what it ran.
    Return(u8),
    Add {
        id: u8,
        proxy: u8,
        source: bool,
        config: u8,
    },
    Remove(u8),
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let add = (0..12_u8, 1..=4_u8, any::<bool>(), 0..6_u8)
        .prop_map(|(id, proxy, source, config)| Step::Add { id, proxy, source, config });
    let step = prop_oneof![
        2 => (1..=4_u8).prop_map(Step::Proxy),
        1 => (1..=4_u8).prop_map(Step::Unregister),
        1 => (1..=4_u8).prop_map(Step::Lose),
        1 => (1..=4_u8).prop_map(Step::Return),
        8 => add,
        3 => (0..12_u8).prop_map(Step::Remove),
        1 => (0..7000_u16).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..60)
}

fn config(number: u8) -> ConnectionConfig {
    let mut config = match number {
        0 => mesh("a"),
        1 => mesh("b"),
        2 => mesh("239.1.1.1:5004"),
        3 => stream("239.1.1.1", 5004),
        4 => stream("239.1.1.2", 5004),
        _ => mesh("c"),
    };
    // Ten ports each: they run out.
    config.options.rdma.num_endpoints = [1, 3, 1, 4, 2, 5][usize::from(number.min(5))];
    config
}

struct Walk {
    fleet: Fleet,
    now: std::time::Instant,
}

impl Walk {
    fn new() -> Self {
        let fleet = Fleet::empty();
        Self { now: fleet.start, fleet }
    }

    fn step(&mut self, step: &Step) {
        let topology = &mut self.fleet.topology;
        match *step {
            Step::Proxy(n) => topology.register_proxy(proxy(n), Vec::new(), self.now),
            Step::Unregister(n) => {
                let known = topology.proxy(&proxy(n).id).is_some();
                assert_eq!(topology.unregister_proxy(&proxy(n).id).is_ok(), known);
            }
            Step::Lose(n) => {
                topology.set_lease(&proxy(n).id, Some(self.now));
                topology.advance(self.now);
                assert!(topology.proxy(&proxy(n).id).is_none());
            }
            Step::Return(n) => {
                let Some(desired) = topology.desired(&proxy(n).id) else { return };
                let running = desired.bridges.iter().map(|spec| (**spec).clone()).collect();
                let connections: Vec<_> = topology.connections_of(&proxy(n).id).cloned().collect();
                topology.set_lease(&proxy(n).id, Some(self.now));
                topology.advance(self.now);
                topology.register_proxy(proxy(n), running, self.now);
                for connection in connections {
                    topology.register_connection(connection).unwrap();
                }
            }
            Step::Add { id, proxy, source, config: number } => {
                let kind = if source { Kind::Source } else { Kind::Receiver };
                let connection = connection(&format!("c{id}"), proxy, kind, &config(number));
                let _refused_or_not = topology.register_connection(connection);
            }
            Step::Remove(id) => {
                let id = ConnectionId::new(format!("c{id}"));
                if let Some(proxy) = topology.connection(&id).map(|c| c.proxy.clone()) {
                    topology.unregister_connection(&proxy, &id).unwrap();
                }
            }
            Step::Wait(ms) => {
                self.now += Duration::from_millis(ms.into());
                topology.advance(self.now);
            }
        }
        self.check();
    }

    fn check(&self) {
        let topology = &self.fleet.topology;
        let bridges: Vec<_> = topology.bridges().collect();
        let mut ids = BTreeSet::new();
        for view in &bridges {
            assert!(ids.insert(view.spec.id.clone()), "{} exists twice", words(&view.spec));
            assert!(topology.proxy(&view.spec.proxy).is_some(), "orphan {}", words(&view.spec));
        }
        for group in topology.groups() {
            let members: Vec<_> =
                group.connections.iter().map(|id| topology.connection(id).unwrap()).collect();
            assert!(!members.is_empty(), "group {} without members", group.id);
            let sources = members.iter().filter(|c| c.kind == Kind::Source).count();
            let specs: Vec<_> =
                bridges.iter().filter(|v| v.spec.group == group.id && !v.held).collect();
            let ingress = |spec: &BridgeSpec| {
                spec.link == BridgeLink::St2110 && spec.direction == Direction::Ingress
            };
            let ingresses = specs.iter().filter(|v| ingress(&v.spec)).count();
            assert!(sources + ingresses <= 1, "group {} has more than one source", group.id);
            // A star: all links lead away from one proxy, and each ingress has its egress with the
            // same port and key.
            let mut links = BTreeMap::new();
            for view in &specs {
                let Some(link) = view.spec.rdma() else { continue };
                assert_eq!(Some(view.spec.source_proxy()), group.source_proxy.as_ref());
                let (from, to) = match view.spec.direction {
                    Direction::Egress => (&view.spec.proxy, &link.peer),
                    Direction::Ingress => (&link.peer, &view.spec.proxy),
                };
                links.entry((from.clone(), to.clone())).or_insert_with(Vec::new).push(link.clone());
                let receives = members.iter().any(|c| c.kind == Kind::Receiver && &c.proxy == to);
                assert!(receives, "orphan {}", words(&view.spec));
            }
            for ends in links.values() {
                assert_eq!(ends.len(), 2);
                assert_eq!(
                    (ends[0].port, ends[0].session_key),
                    (ends[1].port, ends[1].session_key)
                );
            }
            // Each proxy with a receiver gets frames, or the reason why not.
            if let Some(source) = &group.source_proxy {
                for receiver in
                    members.iter().filter(|c| c.kind == Kind::Receiver && &c.proxy != source)
                {
                    let linked = links.contains_key(&(source.clone(), receiver.proxy.clone()));
                    let told = group.problems.iter().any(|(proxy, _)| *proxy == receiver.proxy);
                    assert!(linked != told);
                }
            }
        }
        // No port is bound twice.
        for (ip, port, owners) in topology.ports.grants() {
            let groups: BTreeSet<_> = owners
                .iter()
                .map(|owner| match owner {
                    Owner::Grant(group, proxy) => (group.clone(), proxy.clone()),
                    Owner::Held(id) => {
                        let held = bridges.iter().find(|v| &v.spec.id == id && v.held).unwrap();
                        (held.spec.group.clone(), held.spec.proxy.clone())
                    }
                })
                .collect();
            assert_eq!(groups.len(), 1, "{ip}:{port} {owners:?}");
        }
    }

    /// The state without ports and ids of connections' ages: who is linked to whom.
    fn shape(&self) -> BTreeSet<String> {
        let bridges = self.fleet.topology.bridges();
        bridges.map(|view| format!("{} {:?}", view.spec.id, view.spec.direction)).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn invariants_hold(steps in steps()) {
        let mut walk = Walk::new();
        for step in &steps {
            walk.step(step);
        }
        // When all proxies go, nothing remains.
        for n in 1..=4 {
            walk.step(&Step::Lose(n));
        }
        walk.now += Topology::HOLD;
        walk.fleet.topology.advance(walk.now);
        walk.check();
        prop_assert_eq!(walk.fleet.topology.counts(), [0; 4]);
        prop_assert_eq!(walk.fleet.topology.ports.grants().count(), 0);
        prop_assert!(walk.shape().is_empty());
    }

    /// One source for each group, receivers anywhere, enough ports: any order leads to the same
    /// bridges.
    #[test]
    fn order_does_not_matter(
        receivers in prop::collection::btree_set((1..=4_u8, 0..5_u8), 0..14),
        sources in prop::collection::btree_map(0..5_u8, 1..=4_u8, 5),
        seed in any::<u64>(),
    ) {
        let mut adds: Vec<Step> = Vec::new();
        let groups = [0, 1, 3, 4, 5];
        let all = sources.iter().map(|(group, proxy)| (*proxy, *group, true));
        let adds_of = all.chain(receivers.iter().map(|(p, g)| (*p, *g, false)));
        for (id, (proxy, group, source)) in (0..).zip(adds_of) {
            adds.push(Step::Add { id, proxy, source, config: groups[usize::from(group)] });
        }
        let build = |adds: &[Step]| {
            let mut walk = Walk::new();
            for n in 1..=4 {
                walk.fleet.topology.register_proxy(
                    crate::topology::Proxy {
                        rdma: Some(crate::topology::RdmaDevice {
                            ports: "9000-9999".parse().unwrap(),
                            ..proxy(n).rdma.unwrap()
                        }),
                        ..proxy(n)
                    },
                    Vec::new(),
                    walk.now,
                );
            }
            for add in adds {
                walk.step(add);
            }
            walk.shape()
        };
        let straight = build(&adds);
        let mut state = seed;
        for i in (1..adds.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let j = usize::try_from(state >> 33).unwrap() % (i + 1);
            adds.swap(i, j);
        }
        prop_assert_eq!(straight, build(&adds));
    }
}
