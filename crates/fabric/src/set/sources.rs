//! Memory that a send reads from: the caller's, or a copy of it.

use super::EndpointSet;
use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::copies::{self, Copied, Copies};
use crate::domain::Region;
use crate::error::FabricError;
use std::sync::Arc;

impl<S: SendBuffer, R: ReceiveBuffer> EndpointSet<S, R> {
    /// Makes memory to send from known to the provider, or a copy of it.
    pub(super) fn register_to_send(
        &mut self,
        buffer: &S,
        len: usize,
    ) -> Result<(Option<Arc<Region>>, Option<Copied>), FabricError> {
        let Some(regions) = &mut self.regions else { return Ok((None, None)) };
        if self.copies.is_none() {
            // SAFETY: as the trait demands, the memory stays until the buffer is dropped, which is
            // after the operation.
            let known =
                unsafe { regions.region(buffer.memory(), buffer.start(), buffer.len(), false) };
            match known {
                Err(error) if copies::help_against(&error, self.options.provider) => {
                    log::debug!("{error}");
                    self.copies = Some(Copies::beside(regions));
                }
                known => return known.map(|region| (Some(region), None)),
            }
        }
        let copied = self.copies.as_mut().map(|copies| copies.copy(buffer, len)).transpose()?;
        Ok((None, copied))
    }

    /// A copy whose operation has ended is used again.
    pub(super) fn keep_copy(&mut self, copied: Option<Copied>) {
        if let (Some(copies), Some(copied)) = (&mut self.copies, copied) {
            copies.give_back(copied);
        }
    }
}
