//! Packets that the kernel dropped between hosts.
//!
//! On a busy machine a program may be descheduled so long that its socket's buffer or a queue
//! overflows. Such a run proves nothing about the programs: [`undisturbed`] says so and runs it
//! again. A loss without such evidence fails at once.

use crate::netns::Net;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Runs of a case at most.
const RUNS: usize = 5;

/// Why a run has failed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// Something is missing, which packets that the kernel dropped would explain.
    Loss(String),
    /// The run itself shows that a peer stood still for too long.
    Disturbed(String),
}

impl<T: Into<String>> From<T> for Failure {
    fn from(reason: T) -> Self {
        Self::Loss(reason.into())
    }
}

/// Packets that the kernel has dropped, by where and why.
type Drops = BTreeMap<String, u64>;

/// Runs a case. One that fails is run again if it was disturbed, or if the kernel has dropped packets meanwhile.
///
/// # Panics
/// With what the case says, if it fails though nothing disturbed it, or each time.
#[track_caller]
pub fn undisturbed<T>(net: &Net, case: &str, mut run: impl FnMut() -> Result<T, Failure>) -> T {
    for number in 1..=RUNS {
        let witness = Witness::new(net);
        let failure = match run() {
            Ok(value) => return value,
            Err(failure) => failure,
        };
        let reason = match failure {
            Failure::Disturbed(reason) => reason,
            Failure::Loss(reason) => {
                let traces = witness.traces();
                assert!(!traces.is_empty(), "{case}: {reason}; and the kernel has dropped nothing");
                format!("{reason}; the kernel has dropped {traces:?}")
            }
        };
        eprintln!("RUN AGAIN ({number} of {RUNS}): {case}: {reason}");
    }
    panic!("{case}: this machine is too busy: each of {RUNS} runs was disturbed")
}

/// Runs a test on hosts of its own; again, on new ones, if it fails and the kernel has dropped packets meanwhile. Nothing is run where there
/// can be no hosts.
///
/// # Panics
/// As the test does, if the kernel has dropped nothing, or each time.
pub fn on_hosts<H: AsRef<Net>>(hosts: impl Fn() -> Option<H>, test: impl Fn(&mut H)) {
    for number in 1..=RUNS {
        let Some(mut hosts) = hosts() else { return };
        let before = drops(hosts.as_ref());
        let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(&mut hosts))) else { return };
        let traces = more(&before, &drops(hosts.as_ref()));
        if traces.is_empty() || number == RUNS {
            resume_unwind(panic);
        }
        eprintln!("RUN AGAIN ({number} of {RUNS}): the kernel has dropped {traces:?}");
    }
}

/// Knows what had been dropped when it was made.
#[derive(Debug)]
pub struct Witness<'a> {
    net: &'a Net,
    before: Drops,
}

impl<'a> Witness<'a> {
    /// From now on.
    #[must_use]
    pub fn new(net: &'a Net) -> Self {
        Self { net, before: drops(net) }
    }

    /// What has been dropped since then, by namespace and place; nothing that has not.
    #[must_use]
    pub fn traces(&self) -> BTreeMap<String, u64> {
        more(&self.before, &drops(self.net))
    }
}

/// What the kernel has dropped on all hosts and between them so far.
fn drops(net: &Net) -> Drops {
    let mut drops = Drops::new();
    for namespace in net.namespaces() {
        let read = |name: &str| {
            net.inside(namespace, || {
                std::fs::read_to_string(format!("/proc/thread-self/net/{name}"))
            })
        };
        let sockets = read("snmp").map(|text| socket_drops(&text)).unwrap_or_default();
        let interfaces = read("dev").map(|text| interface_drops(&text)).unwrap_or_default();
        let all = sockets.into_iter().chain(interfaces);
        drops.extend(all.map(|(what, count)| (format!("{namespace} {what}"), count)));
        drops.insert(format!("{namespace} queues"), queue_drops(&net.queues(namespace)));
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
