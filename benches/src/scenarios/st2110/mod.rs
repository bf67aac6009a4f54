//! ST 2110 streams between two hosts: CPU time of the threads that send and receive.
//!
//! Two bare senders and receivers, the floors of video, move the same datagrams a whole frame at
//! once, without pacing, packing, headers or frames: one in the largest bundles that the kernel
//! takes, to which the target refers, and one in bundles as large as the stream's bursts, whose
//! size ST 2110-21 limits (Cmax). The difference between the floors is the cost of small bursts;
//! anything above the second floor is ours: a sleep for each burst, pixels, headers, compliance
//! analysis. The floor of audio is one system call for each packet.

mod audio;
mod bare;
mod stream;
mod video;

use super::Options;
use crate::case::{Case, Figure, Unit};
use crate::error::BenchError;
use crate::hosts::Hosts;
use std::net::IpAddr;

const NAME: &str = "st2110";

pub(super) fn run(options: &Options, report: &mut impl FnMut(Case)) -> Result<(), BenchError> {
    let hosts = Hosts::new(1)?;
    video::run(options, &hosts, report)?;
    audio::run(options, &hosts, report)
}

/// Shares of a processor that sender and receiver used.
#[derive(Clone, Copy, Debug, Default)]
struct Shares {
    send: f64,
    receive: f64,
}

impl Shares {
    fn midpoint(self, other: Self) -> Self {
        Self { send: self.send.midpoint(other.send), receive: self.receive.midpoint(other.receive) }
    }
}

/// The address at which the second host is reached.
fn address(hosts: &Hosts) -> IpAddr {
    IpAddr::V4(hosts.addresses(1)[1])
}

/// A line of the table.
fn case(name: String, ours: f64, floor_name: &'static str, floor: f64) -> Case {
    let figure = |median| Figure { median, p99: None };
    let (ring, floor, ratio) = (figure(ours), figure(floor), ours / floor);
    let unit = Unit::Percent;
    Case {
        scenario: NAME,
        case: name,
        unit,
        ring,
        floor_name,
        floor,
        ratio,
        target: None,
        met: None,
    }
}
