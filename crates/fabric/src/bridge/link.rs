//! Configuration and state that both ends of a bridge share.

use super::control::CONTROL;
use super::keys::LinkKey;
use super::session::{Patience, Terms};
use super::wire_layout::{SYSDATA, WireLayout};
use crate::error::FabricError;
use crate::provider::{Address, Provider};
use crate::set::{EndpointOptions, MAX_ENDPOINTS, Registration};
use ring::rand::{SecureRandom, SystemRandom};
use std::time::Duration;

/// Polling interval where no descriptor reports readiness.
pub(super) const NO_DESCRIPTOR: Duration = Duration::from_micros(200);
/// Time for which frames that were put before the end are still carried.
const DRAIN: Duration = Duration::from_secs(2);
/// Round trips that are added to that: connections are slow at first, and the last frame is
/// confirmed.
const DRAIN_ROUND_TRIPS: u32 = 8;

/// The other end is a proxy of this project, and the agent has given both a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extended {
    /// The key.
    pub key: LinkKey,
    /// Whether frames are encrypted. The ends must agree.
    pub sealed: bool,
}

/// A link between two proxies.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// The kind of network.
    pub provider: Provider,
    /// Egress: where to send from, usually with port 0. Ingress: where the first endpoint receives.
    pub local: Address,
    /// Number of endpoints of each end, 1 to 8. The ends must agree.
    pub endpoints: usize,
    /// Sizes of the group's partitions. The ends must agree.
    pub layout: WireLayout,
    /// The extended form, with sessions and credits; `None`: the plain form, which existing peers
    /// understand.
    pub extended: Option<Extended>,
}

impl LinkOptions {
    pub(super) fn check(&self) -> Result<(), FabricError> {
        if !(1..=MAX_ENDPOINTS).contains(&self.endpoints) {
            let (name, value) = ("number of endpoints", self.endpoints);
            return Err(FabricError::Parameter { name, value, accepted: "1 to 8" });
        }
        if u32::try_from(self.layout.size()).is_err() {
            let (name, value) = ("size of a frame", self.layout.size() - SYSDATA);
            return Err(FabricError::Parameter { name, value, accepted: "less than 4 GiB" });
        }
        Ok(())
    }

    pub(super) fn set(&self, sends: usize, receives: usize) -> EndpointOptions {
        EndpointOptions {
            provider: self.provider,
            local: self.local.clone(),
            endpoints: self.endpoints,
            sends,
            receives,
            control: self.extended.is_some(),
            registration: Registration::AsNeeded,
        }
    }

    pub(super) fn terms(&self) -> Terms {
        Terms {
            payload_size: self.layout.payload_size as u32,
            metadata_size: self.layout.metadata_size as u32,
            endpoints: self.endpoints as u8,
            sealed: self.extended.as_ref().is_some_and(|extended| extended.sealed),
        }
    }

    /// The first patience. One frame may keep a connection busy for as long as it takes at 1 Gb/s,
    /// less overhead.
    pub(super) fn patience(&self) -> Patience {
        Patience::new(Duration::from_nanos(self.layout.size() as u64 * 10))
    }
}

/// Time for which frames that were put before the end are still carried.
pub(super) fn drain(round_trip: Duration) -> Duration {
    DRAIN + round_trip * DRAIN_ROUND_TRIPS
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], FabricError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| FabricError::Call {
        call: "getrandom",
        code: libc::EIO,
        reason: "the system gives no random bytes".to_owned(),
        about: String::new(),
    })?;
    Ok(bytes)
}

/// A control message that waits for its connection, the latest only: all of them tell of the
/// present.
#[derive(Debug, Default)]
pub(super) struct Outbox<A>(Option<(A, [u8; CONTROL])>);

impl<A> Outbox<A> {
    pub(super) fn new() -> Self {
        Self(None)
    }

    pub(super) fn put(&mut self, to: A, message: [u8; CONTROL]) {
        self.0 = Some((to, message));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Tries to send what there is.
    pub(super) fn send(
        &mut self,
        send: impl FnOnce(&A, &[u8; CONTROL]) -> Result<bool, FabricError>,
    ) -> Result<(), FabricError> {
        if let Some((to, message)) = &self.0
            && send(to, message)?
        {
            self.0 = None;
        }
        Ok(())
    }
}

/// Pause before the next attempt: longer each time, up to a second.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LAST: Duration = Duration::from_secs(1);

    pub(super) fn new() -> Self {
        Self(Self::FIRST)
    }

    pub(super) fn reset(&mut self) {
        self.0 = Self::FIRST;
    }

    pub(super) fn next(&mut self) -> Duration {
        let this = self.0;
        self.0 = (this * 2).min(Self::LAST);
        this
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_rarer_up_to_one_a_second() {
        let mut backoff = Backoff::new();
        let waits: Vec<u128> = (0..7).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.next().as_millis(), 50);
    }

    #[test]
    fn messages_wait_for_their_connection_and_newer_ones_replace_them() {
        let mut outbox = Outbox::new();
        outbox.put(1, [1; CONTROL]);
        outbox.put(2, [2; CONTROL]);
        outbox.send(|_, _| Ok(false)).unwrap();
        assert!(!outbox.is_empty());
        outbox.send(|to, message| Ok(*to == 2 && message[0] == 2)).unwrap();
        assert!(outbox.is_empty());
    }
}
