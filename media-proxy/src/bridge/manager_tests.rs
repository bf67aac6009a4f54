use super::super::warnings::News;
use super::*;
use crate::bridge::statistics::BridgeStatistics;
use crate::bridge::status::Figures;
use config::{ConnectionConfig, Endpoint, St2110};
use media::Payload;
use mesh::topology::{BridgeLink, RdmaLink};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

/// Makes bridges that do nothing, and fails when told to.
#[derive(Default)]
struct Workshop {
    /// Number of next attempts that fail.
    failing: Mutex<u32>,
    log: Arc<Mutex<Vec<String>>>,
    /// Of all bridges.
    warnings: Arc<Mutex<Vec<String>>>,
    alarms: Mutex<Vec<Alarm>>,
}

struct Dummy {
    name: String,
    warnings: Arc<Mutex<Vec<String>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Figures for Dummy {
    fn local(&self) -> String {
        String::new()
    }
    fn statistics(&self) -> BridgeStatistics {
        BridgeStatistics::default()
    }
    fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap().clone()
    }
    fn sdp(&self) -> Option<String> {
        None
    }
}

impl Bridge for Dummy {
    fn connection(&self) -> String {
        self.name.clone()
    }
    fn figures(&self) -> Arc<dyn Figures> {
        let (log, warnings) = (Arc::clone(&self.log), Arc::clone(&self.warnings));
        Arc::new(Self { name: String::new(), log, warnings })
    }
    fn stop(self: Box<Self>) {
        self.log.lock().unwrap().push(format!("stop {}", self.name));
    }
}

impl Engine for Workshop {
    fn start(&self, spec: &BridgeSpec, alarm: Alarm) -> Result<Box<dyn Bridge>, String> {
        self.alarms.lock().unwrap().push(alarm);
        let name = spec.id.to_string();
        let mut failing = self.failing.lock().unwrap();
        if *failing > 0 {
            *failing -= 1;
            self.log.lock().unwrap().push(format!("fail {name}"));
            return Err("no such port".into());
        }
        self.log.lock().unwrap().push(format!("start {name}"));
        let (log, warnings) = (Arc::clone(&self.log), Arc::clone(&self.warnings));
        Ok(Box::new(Dummy { name, log, warnings }))
    }
}

struct World {
    manager: Manager<Workshop>,
    inbox: Receiver<Input>,
    workshop: Arc<Workshop>,
    now: Instant,
}

fn spec(id: &str, group: &str, direction: Direction, payload_type: u8) -> Arc<BridgeSpec> {
    let stream = St2110 { payload_type, ..St2110::new([239, 0, 0, 1].into(), 5004) };
    let config = ConnectionConfig::new(Endpoint::St2110(stream), Payload::Blob);
    Arc::new(BridgeSpec {
        id: id.into(),
        group: group.into(),
        proxy: "p".into(),
        direction,
        config: Arc::new(config),
        link: BridgeLink::St2110,
    })
}

fn egress(id: &str) -> Arc<BridgeSpec> {
    spec(id, id, Direction::Egress, 112)
}

impl World {
    fn new() -> Self {
        let (events, inbox) = channel();
        let workshop = Arc::new(Workshop::default());
        let manager = Manager::new(Arc::clone(&workshop), events, Table::default());
        Self { manager, inbox, workshop, now: Instant::now() }
    }

    fn apply(&mut self, wanted: &[Arc<BridgeSpec>]) {
        self.manager.apply(wanted, self.now);
    }

    /// Takes in so many events.
    fn events(&mut self, count: usize) {
        for _ in 0..count {
            match self.inbox.recv_timeout(Duration::from_secs(20)).expect("an event") {
                Input::Bridge(event) => self.manager.happened(event, self.now),
                _ => panic!("only bridges speak here"),
            }
        }
    }

    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.workshop.log.lock().unwrap())
    }

    fn phase(&self, id: &str) -> Option<Phase> {
        self.manager.phase(&id.into())
    }
}

#[test]
fn what_is_the_same_goes_on_untouched() {
    let mut w = World::new();
    w.apply(&[egress("a"), egress("b")]);
    assert_eq!(w.phase("a"), Some(Phase::Starting));
    w.events(2);
    assert_eq!(w.phase("a"), Some(Phase::Active));
    assert_eq!(w.log().len(), 2);
    w.apply(&[egress("b"), egress("a")]);
    assert!(w.log().is_empty());
    w.apply(&[egress("b")]);
    assert_eq!(w.phase("a"), Some(Phase::Stopping));
    w.events(1);
    assert_eq!((w.phase("a"), w.phase("b")), (None, Some(Phase::Active)));
    assert_eq!(w.log(), ["stop a"]);
    w.apply(&[]);
    w.events(1);
    assert!(w.manager.is_empty() && w.manager.table.rows().is_empty());
}

#[test]
fn another_configuration_is_another_run() {
    let mut w = World::new();
    w.apply(&[egress("a")]);
    w.events(1);
    let other = spec("a", "a", Direction::Egress, 96);
    w.apply(&[Arc::clone(&other)]);
    assert_eq!(w.phase("a"), Some(Phase::Stopping));
    w.events(2);
    assert_eq!(w.log(), ["start a", "stop a", "start a"]);
    assert_eq!(w.manager.table.rows()[0].spec, other);
}

#[test]
fn who_is_no_longer_wanted_while_it_starts_is_stopped() {
    let mut w = World::new();
    w.apply(&[egress("a")]);
    w.apply(&[]);
    assert_eq!(w.phase("a"), Some(Phase::Stopping));
    w.events(2);
    assert_eq!((w.log(), w.phase("a")), (vec!["start a".into(), "stop a".into()], None));
    // Wanted again before it has ended: it ends, and starts anew.
    w.apply(&[egress("a")]);
    w.apply(&[]);
    w.apply(&[egress("a")]);
    w.events(3);
    assert_eq!(w.log(), ["start a", "stop a", "start a"]);
    assert_eq!(w.phase("a"), Some(Phase::Active));
}

#[test]
fn one_makes_room_before_the_next_starts() {
    let mut w = World::new();
    w.apply(&[spec("in", "g", Direction::Ingress, 112)]);
    w.events(1);
    w.apply(&[spec("out", "g", Direction::Egress, 112), spec("new", "h", Direction::Ingress, 112)]);
    assert_eq!(w.workshop.alarms.lock().unwrap().len(), 1, "nobody starts while a port is in use");
    w.events(3);
    let mut log = w.log();
    assert_eq!(log.drain(..2).collect::<Vec<_>>(), ["start in", "stop in"]);
    log.sort();
    assert_eq!(log, ["start new", "start out"]);
    // An egress bridge that drains delays no other bridge.
    w.apply(&[egress("z"), spec("new", "h", Direction::Ingress, 112)]);
    assert_eq!(w.phase("z"), Some(Phase::Starting));
    w.events(2);
    assert_eq!((w.phase("z"), w.phase("out")), (Some(Phase::Active), None));
}

fn link(id: &str, group: &str, port: u16, endpoints: u8) -> BridgeSpec {
    let mut spec = (*spec(id, group, Direction::Ingress, 112)).clone();
    let mut config = (*spec.config).clone();
    config.options.rdma.num_endpoints = endpoints;
    spec.config = Arc::new(config);
    spec.link = BridgeLink::Rdma(RdmaLink {
        peer: "q".into(),
        remote_ip: [10, 0, 0, 1].into(),
        port,
        session_key: None,
    });
    spec
}

#[test]
fn a_link_that_still_receives_keeps_its_ports_and_its_group_alone() {
    let leaving = link("a", "g", 9100, 2);
    for (next, waits) in [
        (link("b", "g", 9200, 1), true),
        (link("b", "h", 9101, 1), true),
        (link("b", "h", 9099, 2), true),
        (link("b", "h", 9102, 1), false),
        (link("b", "h", 9098, 2), false),
        ((*egress("h")).clone(), false),
    ] {
        assert_eq!(in_the_way(&leaving, &next), waits, "{next:?}");
    }
}

/// A bridge that only receives does not delay the daemon's end: its group ends with it.
#[test]
fn at_the_end_of_the_daemon_only_what_sends_is_ended_with_grace() {
    let mut w = World::new();
    w.apply(&[egress("out"), Arc::new(link("in", "in", 9100, 1))]);
    w.events(2);
    w.log();
    w.manager.close(w.now);
    w.events(2);
    assert!(w.manager.is_empty());
    assert_eq!(w.log(), ["stop out"]);
}

#[test]
fn failures_are_tried_again_later_and_later() {
    let mut w = World::new();
    *w.workshop.failing.lock().unwrap() = 3;
    w.apply(&[egress("a")]);
    w.events(1);
    assert_eq!(w.phase("a"), Some(Phase::Failed("no such port".into())));
    let first = w.manager.next_deadline().unwrap() - w.now;
    assert_eq!(first, RETRY.0);
    w.now += first;
    w.manager.tick(w.now);
    w.events(1);
    assert_eq!(w.manager.next_deadline().unwrap() - w.now, 2 * RETRY.0);
    // A connection needs it: at once.
    w.manager.try_now(&"a".into(), w.now);
    w.events(1);
    w.manager.try_now(&"a".into(), w.now);
    w.events(1);
    assert_eq!(w.phase("a"), Some(Phase::Active));
    assert_eq!(w.log(), ["fail a", "fail a", "fail a", "start a"]);
}

#[test]
fn each_warning_is_news_once() {
    let warnings: Arc<Mutex<Vec<String>>> = Arc::default();
    let dummy = Dummy { name: String::new(), log: Arc::default(), warnings: Arc::clone(&warnings) };
    let mut told = Told::default();
    let say = |texts: &[&str]| {
        *warnings.lock().unwrap() = texts.iter().map(ToString::to_string).collect();
    };
    // Both paths of a stream may lack the same.
    say(&["a", "a"]);
    assert_eq!(told.news(&dummy).warnings, ["a"]);
    say(&["a", "b"]);
    assert_eq!(told.news(&dummy).warnings, ["b"]);
    assert_eq!(told.news(&dummy), News::default());
    // The end of a warning is logged as well, and the warning is new when it returns.
    say(&["a"]);
    assert_eq!(told.news(&dummy), News { over: vec!["b".into()], ..News::default() });
    assert_eq!(told.news(&dummy), News::default());
    say(&["a", "b"]);
    assert_eq!(told.news(&dummy).warnings, ["b"]);
}

/// A warning that arises while frames flow is found although nothing else happens to the bridge.
#[test]
fn a_running_bridge_is_asked_for_warnings_again_and_again() {
    let mut w = World::new();
    w.apply(&[egress("a")]);
    assert_eq!(w.manager.next_deadline(), None);
    w.events(1);
    let told = |w: &World| match &w.manager.entries.values().next().unwrap().state {
        State::Active { told, .. } => format!("{told:?}"),
        _ => String::new(),
    };
    w.workshop.warnings.lock().unwrap().push("no segmentation".into());
    assert!(!told(&w).contains("segmentation"));
    w.now = w.manager.next_deadline().expect("a look");
    w.manager.tick(w.now);
    assert!(told(&w).contains("segmentation"));
    assert_eq!(w.manager.next_deadline(), Some(w.now + warnings::INTERVAL));
}

#[test]
fn a_bridge_that_breaks_is_replaced() {
    let mut w = World::new();
    w.apply(&[egress("a")]);
    w.events(1);
    let alarm = w.workshop.alarms.lock().unwrap()[0].clone();
    alarm.raise("the interface is gone".into());
    // Twice, and then once more when it has been replaced: only the first counts.
    alarm.raise("the interface is gone".into());
    w.events(4);
    alarm.raise("the interface is gone".into());
    w.events(1);
    assert_eq!(w.phase("a"), Some(Phase::Active));
    assert_eq!(w.log(), ["start a", "stop a", "start a"]);
}

#[test]
fn a_bridge_is_tried_again_within_three_seconds_of_the_end_of_what_kept_it_from_starting() {
    assert!(RETRY.1 < Duration::from_secs(3));
}

#[test]
fn one_that_breaks_down_again_and_again_is_tried_less_and_less_often() {
    let mut w = World::new();
    let broken = |w: &mut World| {
        let alarm = w.workshop.alarms.lock().unwrap().last().cloned().unwrap();
        alarm.raise("its process has crashed (SIGSEGV)".into());
        // That it is broken, and that it has been stopped.
        w.events(2);
    };
    w.apply(&[egress("a")]);
    w.events(1);
    // A single breakdown costs no time.
    broken(&mut w);
    w.events(1);
    assert_eq!(w.phase("a"), Some(Phase::Active));
    for pause in [500, 1000, 2000, 2000] {
        broken(&mut w);
        assert_eq!(w.phase("a"), Some(Phase::Failed("its process has crashed (SIGSEGV)".into())));
        w.now += Duration::from_millis(pause - 1);
        w.manager.tick(w.now);
        assert!(matches!(w.phase("a"), Some(Phase::Failed(_))));
        w.now += Duration::from_millis(1);
        w.manager.tick(w.now);
        w.events(1);
        assert_eq!(w.phase("a"), Some(Phase::Active));
    }
    // A bridge that has run for long starts without a history.
    w.now += STEADY;
    broken(&mut w);
    w.events(1);
    assert_eq!(w.phase("a"), Some(Phase::Active));
}
