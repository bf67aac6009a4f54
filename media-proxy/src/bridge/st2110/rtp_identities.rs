//! SSRCs and sequence numbers of RTP streams, for senders that continue a stream.

use st2110_net::send::Identity;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

/// Number of streams that are remembered.
const MOST: usize = 1024;

/// The streams that this host has sent, by destination. If another program continues a stream, its
/// receivers see one sender with contiguous sequence numbers (RFC 3550 puts a new sender on
/// probation).
#[derive(Debug, Default)]
pub(super) struct RtpIdentities(Mutex<HashMap<SocketAddr, Identity>>);

impl RtpIdentities {
    /// The identity for a sender to this destination: that of the last sender, or a new one.
    pub(super) fn take(&self, destination: SocketAddr, payload_type: u8) -> Identity {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.remove(&destination) {
            Some(identity) => Identity { payload_type, ..identity },
            None => Identity::random(payload_type),
        }
    }

    /// Keeps the identity of a sender that ends after this number of packets.
    pub(super) fn keep(&self, destination: SocketAddr, identity: Identity, packets: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            // Nothing depends on it; receivers get over a new sender within a frame.
            known.clear();
        }
        let sequence = identity.sequence.wrapping_add(packets as u32);
        known.insert(destination, Identity { sequence, ..identity });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_goes_on_where_the_last_ended() {
        let identities = RtpIdentities::default();
        let place = "239.1.1.1:5004".parse().unwrap();
        let first = identities.take(place, 96);
        identities.keep(place, first, 10);
        let second = identities.take(place, 97);
        let sequence = first.sequence.wrapping_add(10);
        assert_eq!(second, Identity { payload_type: 97, sequence, ..first });
        // While that one sends, a second one to the same place gets another SSRC.
        assert_ne!(identities.take(place, 97).ssrc, first.ssrc);
    }
}
