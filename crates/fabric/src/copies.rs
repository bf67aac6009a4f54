//! Copies of read-only memory, for kernels that cannot register it.
//!
//! Kernels before 6.2 pin all registered memory for writing, and so refuse pages that are mapped
//! read-only, as frames of other processes are.

use crate::buffer::{HeapBuffer, ReceiveBuffer, SendBuffer, bytes, bytes_mut};
use crate::domain::Domain;
use crate::error::FabricError;
use crate::provider::Provider;
use crate::regions::Regions;
use std::sync::{Arc, Once};

/// Whether an error of registering memory for sending means that it may only be read.
pub(crate) fn help_against(error: &FabricError, provider: Provider) -> bool {
    provider == Provider::Verbs
        && matches!(
            error,
            FabricError::Call { code: libc::EFAULT | libc::EACCES | libc::EPERM, .. }
        )
}

/// Registered memory for copies. What has been sent is used again.
#[derive(Debug)]
pub(crate) struct Copies {
    domain: Arc<Domain>,
    free: Vec<Copied>,
}

/// A copy, to be sent in place of the original.
#[derive(Debug)]
pub(crate) struct Copied {
    /// Goes before its memory.
    region: crate::domain::Region,
    memory: HeapBuffer,
}

impl Copies {
    /// Says once for each process that frames are copied.
    pub(crate) fn new(domain: Arc<Domain>) -> Self {
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            log::warn!(
                "the kernel does not let RDMA devices read memory of other processes, as it does from Linux 6.2 on: each frame that is sent \
                 over verbs is copied once"
            );
        });
        Self { domain, free: Vec::new() }
    }

    /// For the memory that these registrations are of.
    pub(crate) fn beside(regions: &Regions) -> Self {
        Self::new(regions.domain())
    }

    /// Copies the first bytes of a buffer.
    pub(crate) fn copy<S: SendBuffer>(
        &mut self,
        buffer: &S,
        len: usize,
    ) -> Result<Copied, FabricError> {
        let mut copied = match self.free.iter().position(|free| free.memory.len() >= len) {
            Some(index) => self.free.swap_remove(index),
            None => self.register(buffer.len())?,
        };
        let from = bytes(buffer, len);
        bytes_mut(&mut copied.memory, len).copy_from_slice(from);
        Ok(copied)
    }

    fn register(&self, len: usize) -> Result<Copied, FabricError> {
        let memory = HeapBuffer::new(len);
        // SAFETY: the memory is dropped after the region.
        let region = unsafe { self.domain.register(memory.start(), memory.len(), true) }?;
        Ok(Copied { region, memory })
    }

    /// It has been sent.
    pub(crate) fn give_back(&mut self, copied: Copied) {
        self.free.push(copied);
    }
}

impl Copied {
    pub(crate) fn start(&self) -> *const u8 {
        self.memory.start()
    }

    pub(crate) fn descriptor(&self) -> *mut libc::c_void {
        self.region.descriptor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::info::{Info, library_version};
    use crate::provider::Address;

    #[test]
    fn memory_is_used_again() {
        if let Err(error) = library_version() {
            testkit::skip(&error.to_string());
            return;
        }
        let info = Info::at(Provider::Tcp, &Address::Inet("127.0.0.1:0".parse().unwrap())).unwrap();
        let mut copies = Copies::new(Domain::open(&info).unwrap());
        let frame: Arc<[u8]> = (0..=255).collect();
        let first = copies.copy(&frame, 256).unwrap();
        assert_eq!(first.memory.bytes(), &frame[..]);
        let second = copies.copy(&frame, 256).unwrap();
        let place = first.start();
        assert_ne!(place, second.start());
        copies.give_back(first);
        let other: Arc<[u8]> = (0..=255).rev().collect();
        let third = copies.copy(&other, 3).unwrap();
        assert_eq!((third.start(), &third.memory.bytes()[..4]), (place, &[255, 254, 253, 3][..]));
    }

    #[test]
    fn only_read_only_memory_of_verbs_is_copied() {
        let refused = |code| FabricError::Call {
            call: "fi_mr_reg",
            code,
            reason: String::new(),
            about: String::new(),
        };
        assert!(help_against(&refused(libc::EFAULT), Provider::Verbs));
        assert!(!help_against(&refused(libc::ENOMEM), Provider::Verbs));
        assert!(!help_against(&refused(libc::EFAULT), Provider::Tcp));
    }
}
