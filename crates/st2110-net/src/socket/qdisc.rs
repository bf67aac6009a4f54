//! The queueing discipline of an interface. `fq` (sch_fq) is the one that lets packets leave at
//! their launch times.

use std::{io, net::IpAddr};

use super::netlink::{Attributes, ask, number, push};

/// Bytes of `struct tcmsg`: family 1, padding 3, interface 4, handle 4, parent 4, information 4.
const HEADER: usize = 20;
/// TCA_KIND and TCA_OPTIONS.
const KIND: u16 = 1;
const OPTIONS: u16 = 2;
/// TCA_FQ_FLOW_PLIMIT.
const FLOW_LIMIT: u16 = 2;
/// TC_H_ROOT, and the half of a handle that names the discipline and not one of its classes.
const ROOT: u32 = u32::MAX;
const MAJOR: u32 = 0xffff_0000;

/// An interface that lets packets leave when they are told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FairQueue {
    /// Packets of one socket that wait in it at most. A bundle counts as one. What is beyond is
    /// dropped.
    pub(super) flow_limit: u32,
}

impl FairQueue {
    /// The kernel's default.
    const FLOW_LIMIT: u32 = 100;

    /// Looks at an interface: its discipline is `fq`, or `mq` and that of each of its queues `fq`.
    ///
    /// # Errors
    /// The kernel does not say.
    pub(super) fn of(interface: u32) -> io::Result<Option<Self>> {
        let mut found = Vec::new();
        ask(libc::RTM_GETQDISC, libc::NLM_F_DUMP, &[0; HEADER], |body| {
            found.extend(Discipline::parse(body).filter(|one| one.interface == interface));
        })?;
        Ok(Self::among(&found))
    }

    fn among(disciplines: &[Discipline]) -> Option<Self> {
        let root = disciplines.iter().find(|one| one.parent == ROOT)?;
        if root.kind != Kind::Multiple {
            return root.fair();
        }
        let mut leaves = disciplines
            .iter()
            .filter(|one| one.parent & MAJOR == root.handle & MAJOR && one.parent & !MAJOR != 0)
            .map(Discipline::fair);
        let first = leaves.next()??;
        leaves.try_fold(first, |least, leaf| {
            Some(Self { flow_limit: least.flow_limit.min(leaf?.flow_limit) })
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fair { flow_limit: u32 },
    Multiple,
    Other,
}

/// A queueing discipline of an interface, or of one of its queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Discipline {
    interface: u32,
    handle: u32,
    parent: u32,
    kind: Kind,
}

impl Discipline {
    fn parse(body: &[u8]) -> Option<Self> {
        let word = |at: usize| body.get(at..).and_then(number);
        let kind = match Attributes::behind(body, HEADER).find(KIND)? {
            b"fq\0" => {
                let options = Attributes::behind(body, HEADER).find(OPTIONS).unwrap_or_default();
                let limit = Attributes::behind(options, 0).find(FLOW_LIMIT).and_then(number);
                Kind::Fair { flow_limit: limit.unwrap_or(FairQueue::FLOW_LIMIT) }
            }
            b"mq\0" => Kind::Multiple,
            _ => Kind::Other,
        };
        Some(Self { interface: word(4)?, handle: word(8)?, parent: word(12)?, kind })
    }

    fn fair(&self) -> Option<FairQueue> {
        match self.kind {
            Kind::Fair { flow_limit } => Some(FairQueue { flow_limit }),
            Kind::Multiple | Kind::Other => None,
        }
    }
}

/// The number of the interface by which packets from `source` to `destination` leave, as the routes
/// are now. `interface` is the one that the destination is only valid on, or 0.
///
/// # Errors
/// There is no route, or the kernel does not say.
pub(super) fn leaves_by(destination: IpAddr, source: IpAddr, interface: u32) -> io::Result<u32> {
    /// Bytes of `struct rtmsg`, which begins with the family and the prefixes' lengths.
    const HEADER: usize = 12;
    let octets = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let family = if destination.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let to = octets(destination);
    let mut question = vec![0; HEADER];
    question[0] = family as u8;
    question[1] = (to.len() * 8) as u8;
    push(&mut question, libc::RTA_DST, &to);
    if !source.is_unspecified() {
        let from = octets(source);
        question[2] = (from.len() * 8) as u8;
        push(&mut question, libc::RTA_SRC, &from);
    }
    if interface != 0 {
        push(&mut question, libc::RTA_OIF, &interface.to_ne_bytes());
    }
    let mut found = None;
    ask(libc::RTM_GETROUTE, 0, &question, |body| {
        found = Attributes::behind(body, HEADER).find(libc::RTA_OIF).and_then(number);
    })?;
    found.ok_or_else(|| io::Error::other("a route without an interface"))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::{super::netlink::bodies, *};

    /// What Linux 6.1 answered: 1 and 2 noqueue, 3 mq with two times fq, 5 fq with a flow_limit of
    /// 50.
    const RECORDED: &[u8] = include_bytes!("recorded/qdiscs.bin");

    fn recorded(interface: u32) -> Vec<Discipline> {
        let all = bodies(RECORDED).into_iter().map(|body| Discipline::parse(body).unwrap());
        all.filter(|one| one.interface == interface).collect()
    }

    #[test]
    fn recorded_interfaces_are_told_apart() {
        assert_eq!(FairQueue::among(&recorded(1)), None);
        assert_eq!(FairQueue::among(&recorded(3)), Some(FairQueue { flow_limit: 100 }));
        assert_eq!(FairQueue::among(&recorded(4)), None);
        let fair = recorded(5);
        assert_eq!(fair.len(), 1);
        assert_eq!(FairQueue::among(&fair), Some(FairQueue { flow_limit: 50 }));
    }

    #[test]
    fn every_queue_has_to_be_fair() {
        let leaf = |parent, kind| Discipline { interface: 3, handle: 0, parent, kind };
        // The mq that the kernel makes itself has the handle 0.
        for handle in [0, 0x8001_0000] {
            let root = Discipline { handle, ..leaf(ROOT, Kind::Multiple) };
            let fair = |queue, flow_limit| leaf(handle | queue, Kind::Fair { flow_limit });
            let both = [root, fair(1, 100), fair(2, 30)];
            assert_eq!(FairQueue::among(&both), Some(FairQueue { flow_limit: 30 }));
            assert_eq!(
                FairQueue::among(&[root, fair(1, 100), leaf(handle | 2, Kind::Other)]),
                None
            );
            assert_eq!(FairQueue::among(&[root]), None);
            // What filters incoming packets stands beside the root.
            let ingress = leaf(0xffff_fff1, Kind::Other);
            assert!(FairQueue::among(&[ingress, root, fair(1, 100)]).is_some());
            assert_eq!(FairQueue::among(&[ingress]), None);
        }
        // fq below a discipline that shapes does not decide alone.
        let shaper = Discipline { handle: 0x1_0000, ..leaf(ROOT, Kind::Other) };
        let fair = leaf(0x1_0001, Kind::Fair { flow_limit: 100 });
        assert_eq!(FairQueue::among(&[shaper, fair]), None);
    }

    #[test]
    fn loopback_has_a_route_and_no_queue() {
        let local = IpAddr::from(Ipv4Addr::LOCALHOST);
        let interface = leaves_by(local, local, 0).unwrap();
        assert_ne!(interface, 0);
        assert_eq!(leaves_by(local, Ipv4Addr::UNSPECIFIED.into(), 0).unwrap(), interface);
        assert_eq!(FairQueue::of(interface).unwrap(), None);
        assert_eq!(FairQueue::of(u32::MAX).unwrap(), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_no_discipline_or_one(
            bytes in prop::collection::vec(any::<u8>(), 0..120),
        ) {
            let found = Discipline::parse(&bytes);
            prop_assert!(found.is_none() || bytes.len() >= HEADER);
        }
    }
}
