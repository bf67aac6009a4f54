//! Control messages: short, copied, and received in a queue of their own.

use super::operations::Operation;
use super::{EndpointSet, Peer};
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::error::FabricError;
use crate::event::MAX_CONTROL;
use libc::c_void;
use libfabric_sys::FI_ADDR_UNSPEC;

/// Control messages that may be received before one is read, for each endpoint.
pub(super) const CONTROL_RECEIVES: usize = 8;
/// Control messages under way, for each endpoint.
pub(super) const CONTROL_SENDS: usize = 8;
/// The tag of control messages: `MCM` and a version.
const CONTROL_TAG: u64 = 0x4d43_4d01;

impl<S: SendBuffer, R: ReceiveBuffer> EndpointSet<S, R> {
    /// Begins to send a control message of at most [`MAX_CONTROL`] bytes, which is copied. False:
    /// there is no room now or the connection is being made; try again after the next events.
    pub fn send_control(
        &mut self,
        endpoint: usize,
        peer: Peer,
        message: &[u8],
    ) -> Result<bool, FabricError> {
        self.check_endpoint(endpoint)?;
        if message.len() > MAX_CONTROL {
            return Err(FabricError::Length { len: message.len(), max: MAX_CONTROL });
        }
        if !self.options.control || self.control_sends[endpoint] == CONTROL_SENDS {
            return Ok(false);
        }
        let Some(number) = self.operations.free() else { return Ok(false) };
        let bytes = self.operations.put_bytes(number, message);
        let ep = self.endpoints[endpoint].as_ptr();
        // SAFETY: the endpoint is open and has tagged operations, which were asked for; bytes and
        // context stay.
        let code = unsafe {
            ((*(*ep).tagged).send)(
                ep,
                bytes.cast(),
                message.len(),
                self.operations.descriptor(),
                peer.0,
                CONTROL_TAG,
                self.operations.context(number),
            )
        };
        match self.error("fi_tsend", code) {
            Ok(()) => {
                self.operations.begin(number, endpoint, Operation::SendControl);
                self.control_sends[endpoint] += 1;
                Ok(true)
            }
            Err(error) => {
                self.operations.give_back(number);
                error.map_or(Ok(false), Err)
            }
        }
    }

    pub(super) fn receive_control(&mut self, endpoint: usize) -> Result<(), FabricError> {
        let Some(number) = self.operations.free() else { return Ok(()) };
        let ep = self.endpoints[endpoint].as_ptr();
        // SAFETY: as for `send_control`.
        let code = unsafe {
            ((*(*ep).tagged).recv)(
                ep,
                self.operations.put_bytes(number, &[]).cast::<c_void>(),
                MAX_CONTROL,
                self.operations.descriptor(),
                FI_ADDR_UNSPEC,
                CONTROL_TAG,
                0,
                self.operations.context(number),
            )
        };
        match self.error("fi_trecv", code) {
            Ok(()) => {
                self.operations.begin(number, endpoint, Operation::ReceiveControl);
                Ok(())
            }
            Err(error) => {
                self.operations.give_back(number);
                // Without room now: the set lives on with fewer buffers for control messages.
                error.map_or(Ok(()), Err)
            }
        }
    }
}
