//! Bridges in worker processes, as for libfabric providers that may crash.

use mcm_tests::fleet::Fleet;
use mcm_tests::{config, wait};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PAYLOAD: usize = 60_000;

fn group(name: &str) -> Value {
    let options = json!({ "stallTimeoutMilliseconds": 20_000, "waitForReceivers": 1 });
    config::with(config::blob(name, PAYLOAD), json!({ "options": options }))
}

/// The processes that a proxy has started.
fn workers(fleet: &Fleet, host: usize) -> BTreeSet<i32> {
    let pid = fleet.proxies[host - 1].as_ref().expect("a proxy").pid();
    let children = std::fs::read_dir(format!("/proc/{pid}/task")).expect("threads").flatten();
    let lists = children.map(|task| std::fs::read_to_string(task.path().join("children")));
    let text: Vec<String> = lists.map_while(Result::ok).collect();
    text.join(" ").split_whitespace().map(|pid| pid.parse().expect("a number")).collect()
}

/// Libraries may catch the signals of faults.
fn crash(pid: i32) {
    kill_process(Pid::from_raw(pid).expect("a process"), Signal::KILL).expect("the worker");
}

#[test]
fn one_that_crashes_costs_no_other_stream() {
    let Some(mut fleet) = Fleet::new() else { return };
    fleet.environment.push(("MCM_BRIDGE_PROCESSES", "1"));
    let fleet = fleet.start();
    let (hurt, well) = (group("hurt"), group("well"));
    let mut hurt_receiver = fleet.receiver(2, &hurt).ready();
    let hurt_source = fleet.source(1, &hurt, 7);
    hurt_receiver.progress(20);
    let victims = [1, 2].map(|host| workers(&fleet, host));
    assert_eq!([victims[0].len(), victims[1].len()], [1, 1]);
    let mut well_receiver = fleet.receiver(2, &well).ready();
    let well_source = fleet.source(1, &well, 8);
    well_receiver.progress(20);
    for (host, victim) in (1..).zip(&victims) {
        victim.iter().copied().for_each(crash);
        wait::until("another process for the bridge", || {
            let now = workers(&fleet, host);
            now.len() == 2 && now.is_disjoint(victim)
        });
        hurt_receiver.progress(20);
        well_receiver.progress(20);
    }
    for host in [1, 2] {
        let log = fleet.proxies[host - 1].as_ref().expect("a proxy").process().output();
        assert!(log.contains(": its process was ended by signal 9"), "{log}");
    }
    let _ = (hurt_source.end(), well_source.end());
    let _ = hurt_receiver.end();
    let report = well_receiver.end();
    assert_eq!((report.missed, report.told_missed, report.first), (0, 0, Some(0)), "{report:?}");
    // No process stays that is not needed.
    wait::until("no worker is left", || {
        [1, 2].iter().all(|host| workers(&fleet, *host).is_empty())
    });
    fleet.wait_empty();
}
