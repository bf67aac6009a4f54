//! Cache of memory registrations.

use crate::buffer::MemoryId;
use crate::domain::{Domain, Region};
use crate::error::FabricError;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Memories whose registrations are kept: the present one in each direction, and the one before it,
/// which a group's receivers read to its end while the next has begun.
const KEPT: usize = 4;

/// Keeps registrations by memory and place.
#[derive(Debug)]
pub(crate) struct Regions {
    domain: Arc<Domain>,
    known: HashMap<(MemoryId, usize, usize), Arc<Region>>,
    /// In the order of their last use, the latest at the back.
    memories: VecDeque<MemoryId>,
}

impl Regions {
    pub(crate) fn new(domain: Arc<Domain>) -> Self {
        Self { domain, known: HashMap::new(), memories: VecDeque::new() }
    }

    pub(crate) fn domain(&self) -> Arc<Domain> {
        Arc::clone(&self.domain)
    }

    /// The registration of a piece of memory, made now if it is not known.
    ///
    /// # Safety
    ///
    /// The memory is mapped, and stays so as long as the region is used in operations. What has the
    /// same identifier lies in the same mapping.
    pub(crate) unsafe fn region(
        &mut self,
        memory: Option<MemoryId>,
        start: *const u8,
        len: usize,
        writable: bool,
    ) -> Result<Arc<Region>, FabricError> {
        let Some(memory) = memory else {
            // SAFETY: the caller vouches for the memory.
            return unsafe { self.domain.register(start, len, writable) }.map(Arc::new);
        };
        self.used(memory);
        let key = (memory, start as usize, len);
        if let Some(region) = self.known.get(&key) {
            return Ok(Arc::clone(region));
        }
        // SAFETY: the caller vouches for the memory.
        let region = Arc::new(unsafe { self.domain.register(start, len, writable) }?);
        self.known.insert(key, Arc::clone(&region));
        Ok(region)
    }

    /// Moves a memory to the back, and forgets the one at the front if they become too many.
    fn used(&mut self, memory: MemoryId) {
        if self.memories.back() == Some(&memory) {
            return;
        }
        self.memories.retain(|known| *known != memory);
        self.memories.push_back(memory);
        if self.memories.len() > KEPT
            && let Some(oldest) = self.memories.pop_front()
        {
            // Operations that are under way in it hold their regions themselves.
            self.known.retain(|(memory, ..), _| *memory != oldest);
        }
    }

    /// Registrations that are kept.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::info::{Info, library_version};
    use crate::provider::{Address, Provider};

    #[test]
    fn registrations_are_kept_for_the_memories_used_last() {
        if let Err(error) = library_version() {
            testkit::skip(&error.to_string());
            return;
        }
        let info = Info::at(Provider::Tcp, &Address::Inet("127.0.0.1:0".parse().unwrap())).unwrap();
        let mut regions = Regions::new(Domain::open(&info).unwrap());
        let memory = vec![0u8; 4096];
        let mut register = |id: u8, at: usize| {
            // SAFETY: the memory outlives the regions, and there are no operations.
            unsafe { regions.region(Some(MemoryId([id; 16])), &memory[at], 16, false) }.unwrap();
            regions.len()
        };
        assert_eq!([register(0, 0), register(0, 0), register(0, 64)], [1, 1, 2]);
        assert_eq!([register(1, 0), register(2, 0), register(3, 0)], [3, 4, 5]);
        // The first is used again, so that the second goes when a fifth comes.
        assert_eq!([register(0, 0), register(4, 0)], [5, 5]);
        assert_eq!([register(0, 64), register(1, 0)], [5, 5]);
    }
}
