//! Addresses of the egress's endpoints, for replies.

use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::error::FabricError;
use crate::provider::Address;
use crate::set::{EndpointSet, Peer};
use std::collections::VecDeque;
use std::net::SocketAddrV4;

/// Peers that are remembered: the one that sends now, and those that called last.
const KNOWN: usize = 8;

/// Peers by address, those used last at the back.
#[derive(Debug, Default)]
pub(super) struct Peers(VecDeque<(SocketAddrV4, Peer)>);

impl Peers {
    pub(super) fn number<S: SendBuffer, R: ReceiveBuffer>(
        &mut self,
        set: &mut EndpointSet<S, R>,
        address: SocketAddrV4,
    ) -> Result<Peer, FabricError> {
        if let Some(at) = self.0.iter().position(|(known, _)| *known == address) {
            let known = self.0.remove(at);
            self.0.extend(known);
        } else {
            if self.0.len() == KNOWN
                && let Some((_, oldest)) = self.0.pop_front()
            {
                set.remove(oldest)?;
            }
            self.0.push_back((address, set.insert(&Address::Inet(address))?));
        }
        self.0.back().map(|(_, peer)| *peer).ok_or(FabricError::Parameter {
            name: "known peers",
            value: 0,
            accepted: "one and more",
        })
    }
}
