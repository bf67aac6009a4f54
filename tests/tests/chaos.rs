//! Sources, receivers and proxies are killed at random moments, hundreds of times; the others go
//! on.

use mcm_tests::proxy::Proxy;
use mcm_tests::random::Random;
use mcm_tests::role::{Order, Report, Role, Spec};
use mcm_tests::run::Run;
use mcm_tests::{config, resources, wait};
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;

const KILLS: u32 = 300;
const GROUPS: usize = 2;
const RECEIVERS: usize = 3;
const CAPACITY: usize = 8;
/// Patience with a proxy that is away, in milliseconds.
const PATIENCE: u64 = 60_000;

/// One source and its receivers.
struct Group {
    name: String,
    source: Role,
    receivers: Vec<Role>,
}

/// Everything that can be killed.
struct World {
    run: Run,
    proxy: Proxy,
    groups: Vec<Group>,
    /// Each source has a number of its own.
    sources: u64,
}

impl World {
    fn new() -> Self {
        let run = Run::new();
        let proxy = Proxy::start(&run);
        let groups = (0..GROUPS)
            .map(|n| {
                let name = format!("chaos {n}");
                let source = source(&run, &name, n as u64);
                let receivers = (0..RECEIVERS).map(|_| receiver(&run, &name)).collect();
                Group { name, source, receivers }
            })
            .collect();
        Self { run, proxy, groups, sources: GROUPS as u64 }
    }

    /// Every receiver gets frames of its group's present source, and every frame so far was as it
    /// should be.
    fn all_flows(&mut self) {
        for group in &mut self.groups {
            group.source.until("the source is in", |report| report.created);
            for receiver in &mut group.receivers {
                receiver.until("the receiver is in", |report| report.created);
                receiver.progress(20);
            }
        }
    }

    fn kill_someone(&mut self, random: &mut Random) {
        let group = random.below(GROUPS as u64) as usize;
        match random.below(10) {
            0 | 1 => {
                self.proxy.end(Signal::KILL);
                // It stays away for a moment, or not at all.
                std::thread::sleep(Duration::from_millis(random.below(2) * random.below(100)));
                self.proxy.start_again();
            }
            2..=4 => {
                let group = &mut self.groups[group];
                group.source.process_mut().kill();
                group.source = source(&self.run, &group.name, self.sources);
                self.sources += 1;
            }
            _ => {
                let group = &mut self.groups[group];
                let receiver = random.below(RECEIVERS as u64) as usize;
                group.receivers[receiver].process_mut().kill();
                group.receivers[receiver] = self::receiver(&self.run, &group.name);
            }
        }
    }
}

fn blob(group: &str) -> serde_json::Value {
    config::with(config::blob(group, 3000), json!({ "bufferQueueCapacity": CAPACITY }))
}

fn source(run: &Run, group: &str, id: u64) -> Role {
    let client = config::client(&run.socket());
    Role::start(&Spec::source(client, blob(group), id).pause(1000).patience(PATIENCE))
}

fn receiver(run: &Run, group: &str) -> Role {
    let client = config::client(&run.socket());
    Role::start(&Spec::receiver(client, blob(group)).patience(PATIENCE))
}

/// A surviving receiver has seen whole frames in order, and its counts agree.
fn check_receiver(report: &Report) {
    assert_eq!(report.error, 0, "{report:?}");
    assert!(report.missed >= report.told_missed, "{report:?}");
}

#[test]
fn survivors_go_on() {
    let mut random = Random::of_test("chaos");
    let idle = {
        let run = Run::new();
        let proxy = Proxy::start(&run);
        resources::descriptors(proxy.pid())
    };
    let mut world = World::new();
    world.all_flows();
    for kill in 1..=KILLS {
        // Often in the middle of what the last one has caused.
        std::thread::sleep(Duration::from_micros(random.below(30_000)));
        world.kill_someone(&mut random);
        if kill % 25 == 0 {
            world.all_flows();
            eprintln!("{kill} kills");
        }
    }
    world.all_flows();

    // Newcomers work at once.
    for group in &mut world.groups {
        group.receivers.push(receiver(&world.run, &group.name).ready());
        group.receivers.last_mut().expect("just pushed").progress(20);
    }
    let mut control = world.proxy.control();
    for group in &world.groups {
        wait::until("the proxy lists the living, and nobody else", || {
            control.is_complete(&group.name, RECEIVERS + 1)
        });
    }

    // No slot is lost.
    for group in &mut world.groups {
        group.source.order(Order::Count);
        let report = group.source.until("buffers are counted", |report| report.free.is_some());
        assert_eq!(report.free, Some(CAPACITY), "{report:?}");
        group.source.order(Order::Wake);
        group.receivers[0].progress(20);
    }
    for group in world.groups {
        group.receivers.into_iter().for_each(|role| check_receiver(&role.end()));
        assert_eq!(group.source.end().error, 0);
    }

    // No connection is left.
    wait::until("no client is left", || control.info().clients == 0);
    assert!(control.try_groups().expect("groups").is_empty());
    drop(control);
    let pid = world.proxy.pid();
    wait::until("the proxy holds no more than in the beginning", || {
        resources::descriptors(pid) <= idle
    });
    assert!(world.proxy.end(Signal::TERM).success());
    let shared = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
    let left: Vec<_> =
        shared.filter(|file| file.file_name().to_string_lossy().contains("mcm")).collect();
    assert!(left.is_empty(), "{left:?}");
}
