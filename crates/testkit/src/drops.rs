//! Loss for which the kernel is to blame, and not the programs under test.
//!
//! On a busy machine a program may not run for so long that its socket's buffer overflows, or a
//! queue does. The kernel counts such packets. A test whose frames or packets are missing says so
//! with [`loss`]; it may run again if the kernel has counted drops meanwhile. Every other failure
//! is one at once, and so is a loss without such a trace.

use crate::host::Hosts;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::process::Command;

/// Runs of a test at most.
const RUNS: usize = 5;

/// What a test fails with when frames or packets are missing.
struct Loss(String);

/// Fails a test because frames or packets are missing. See [`on_hosts`].
///
/// # Panics
/// Always.
#[track_caller]
pub fn loss(reason: impl fmt::Display) -> ! {
    let reason = format!("{}: {reason}", std::panic::Location::caller());
    eprintln!("LOSS: {reason}");
    panic_any(Loss(reason))
}

/// The value, if nothing is missing.
///
/// # Panics
/// With [`loss`], if something is.
#[track_caller]
pub fn whole<T>(result: Result<T, impl fmt::Display>) -> T {
    match result {
        Ok(value) => value,
        Err(reason) => loss(reason),
    }
}

/// Packets that the kernel has dropped, by where and why.
pub type Drops = BTreeMap<String, u64>;

/// Runs a test on hosts of its own; again, on new ones, if it fails with [`loss`] and the kernel
/// has dropped packets meanwhile. Does nothing where there can be no hosts.
///
/// # Panics
/// As the test does, if the failure is another one, or the kernel has dropped nothing, or each
/// time.
pub fn on_hosts<H: Hosts>(hosts: impl Fn() -> Option<H>, test: impl Fn(&mut H)) {
    repeat("test", || {
        let mut hosts = hosts()?;
        let witness = Witness::new(&hosts);
        let result = catch_unwind(AssertUnwindSafe(|| test(&mut hosts)));
        Some((result, witness.drops(&hosts)))
    });
}

/// Runs a case of a test on hosts that stay; again under the conditions of [`on_hosts`].
///
/// # Panics
/// As [`on_hosts`].
pub fn undisturbed<T>(hosts: &impl Hosts, case: &str, mut run: impl FnMut() -> T) -> T {
    let value = repeat(case, || {
        let witness = Witness::new(hosts);
        let result = catch_unwind(AssertUnwindSafe(&mut run));
        Some((result, witness.drops(hosts)))
    });
    value.unwrap_or_else(|| unreachable!("there are hosts"))
}

/// Knows what had been dropped when it was made.
#[derive(Debug)]
pub struct Witness {
    before: Drops,
}

impl Witness {
    /// From now on.
    #[must_use]
    pub fn new(hosts: &impl Hosts) -> Self {
        Self { before: count(hosts) }
    }

    /// Packets that the kernel has dropped since then, by where and why; empty if there are none.
    #[must_use]
    pub fn drops(&self, hosts: &impl Hosts) -> Drops {
        more(&self.before, &count(hosts))
    }
}

/// Runs until there is no excuse for a failure any more.
fn repeat<T>(
    case: &str,
    mut run: impl FnMut() -> Option<(std::thread::Result<T>, Drops)>,
) -> Option<T> {
    let mut number = 1;
    loop {
        let (result, traces) = run()?;
        let panic = match result {
            Ok(value) => return Some(value),
            Err(panic) => panic,
        };
        let Some(Loss(reason)) = panic.downcast_ref() else { resume_unwind(panic) };
        assert!(!traces.is_empty(), "{case}: {reason}; and the kernel has dropped nothing");
        assert!(
            number < RUNS,
            "{case}: {reason}; the kernel drops in each of {RUNS} runs: {traces:?}"
        );
        eprintln!("RUN AGAIN ({number} of {RUNS}): {case}: the kernel has dropped {traces:?}");
        number += 1;
    }
}

/// What the kernel has dropped on all hosts and between them so far.
fn count(hosts: &impl Hosts) -> Drops {
    let mut drops = Drops::new();
    for host in hosts.hosts() {
        let name = host.name();
        let [sockets, interfaces] = host.on(|| {
            ["snmp", "dev"].map(|file| {
                std::fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default()
            })
        });
        let all = socket_drops(&sockets).into_iter().chain(interface_drops(&interfaces));
        drops.extend(all.map(|(what, count)| (format!("{name} {what}"), count)));
        let queues = Command::new("tc").args(["-n", name, "-s", "qdisc"]).output();
        let queues = queues.map(|output| output.stdout).unwrap_or_default();
        drops.insert(format!("{name} queues"), queue_drops(&String::from_utf8_lossy(&queues)));
    }
    drops
}

/// The counts that have grown, and by how much.
fn more(before: &Drops, after: &Drops) -> Drops {
    let grown = after.iter().filter_map(|(what, count)| {
        let more = count.saturating_sub(before.get(what).copied().unwrap_or(0));
        (more > 0).then(|| (what.clone(), more))
    });
    grown.collect()
}

/// Datagrams for which there was no room or no memory, of `/proc/net/snmp`.
fn socket_drops(text: &str) -> Vec<(String, u64)> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return Vec::new() };
    let both = names.split_whitespace().zip(values.split_whitespace());
    let wanted =
        both.filter(|(name, _)| ["RcvbufErrors", "SndbufErrors", "MemErrors"].contains(name));
    wanted.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

/// Packets that interfaces have dropped, of `/proc/net/dev`: the fourth number and the twelfth.
fn interface_drops(text: &str) -> Vec<(String, u64)> {
    let interfaces = text.lines().filter_map(|line| {
        let (name, numbers) = line.split_once(':')?;
        let mut numbers =
            numbers.split_whitespace().filter_map(|number| number.parse::<u64>().ok());
        let (received, sent) = (numbers.nth(3)?, numbers.nth(7)?);
        Some((name.trim().to_owned(), received + sent))
    });
    interfaces.collect()
}

/// Packets that queues have dropped, of `tc -s qdisc`.
fn queue_drops(text: &str) -> u64 {
    let numbers = text.split("(dropped ").skip(1);
    numbers.filter_map(|rest| rest.split(',').next()?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many runs there are of a case that ends so each time, and how it ends.
    fn runs(fail: fn(), drops: &[(&str, u64)]) -> (usize, Result<(), String>) {
        let mut count = 0;
        let traces: Drops = drops.iter().map(|(name, count)| ((*name).into(), *count)).collect();
        let result = catch_unwind(AssertUnwindSafe(|| {
            repeat("case", || {
                count += 1;
                Some((catch_unwind(fail), traces.clone()))
            });
        }));
        let text = |panic: Box<dyn std::any::Any + Send>| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or(panic.downcast_ref::<&str>().map(|text| (*text).into())).unwrap()
        };
        (count, result.map_err(text))
    }

    #[test]
    fn only_loss_that_the_kernel_counted_is_excused() {
        let drops = [("host RcvbufErrors", 3)];
        assert_eq!(runs(|| (), &drops), (1, Ok(())));
        assert_eq!(runs(|| panic!("wrong"), &drops), (1, Err("wrong".into())));
        let (count, result) = runs(|| loss("frame 3"), &[]);
        assert!(count == 1 && result.unwrap_err().ends_with("the kernel has dropped nothing"));
        let (count, result) = runs(|| whole(Err::<(), _>("frame 3")), &drops);
        assert!(count == RUNS && result.unwrap_err().contains("frame 3; the kernel drops"));
    }

    #[test]
    fn counts_are_found_where_the_kernel_shows_them() {
        let snmp = "Ip: Forwarding\nIp: 1\nUdp: InDatagrams NoPorts RcvbufErrors MemErrors\nUdp: 9 8 7 0\n\
                    UdpLite: InDatagrams RcvbufErrors\nUdpLite: 3 3\n";
        assert_eq!(socket_drops(snmp), [("RcvbufErrors".into(), 7), ("MemErrors".into(), 0)]);
        let dev = "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo\n  \
                   eth0: 1 2 3 40 5 6 7 8 9 10 11 2 13 14 15 16\n    lo: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n";
        assert_eq!(interface_drops(dev), [("eth0".into(), 42), ("lo".into(), 0)]);
        let tc = "qdisc tbf 8001: dev eth0 root\n Sent 9 bytes 1 pkt (dropped 5, overlimits 0 requeues 0)\n\
                  qdisc noqueue 0: dev lo root\n Sent 0 bytes 0 pkt (dropped 2, overlimits 0 requeues 0)\n";
        assert_eq!(queue_drops(tc), 7);
        let before = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
        let after = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 5)]);
        assert_eq!(more(&before, &after), BTreeMap::from([("b".to_owned(), 3)]));
    }
}
