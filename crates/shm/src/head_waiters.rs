//! In-process list of futex waiters, by the board whose head they wait on.
//!
//! A source wakes its receivers through the head of its board. To interrupt a receiver for another
//! reason, its own process wakes the waiters of that head too: a wake needs no right to write, and
//! a thread that is woken without need waits again. That spares each wait a second word, and with
//! it a good part of its cost in the kernel. Such a wake does not change the head, so a thread that
//! has checked the head but does not wait yet would miss it. Threads therefore register before they
//! check, and the waker repeats until all of them have been removed from the list.

use crate::futex::{self, Expected};
use crate::reader::Reader;
use crate::words::Head;
use std::sync::Arc;

/// The threads of one receiver that wait on a head, or are about to. Guarded by the receiver's
/// lock.
#[derive(Debug, Default)]
pub(crate) struct HeadWaiters {
    last: u64,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// The interrupt's value before the thread checked the head.
    interrupt: u32,
    reader: Arc<Reader>,
    head: Head,
}

impl HeadWaiters {
    /// Registers a thread that is about to wait on a head, and returns the number to
    /// [`remove`](Self::remove) it by; `None` if the interrupt has changed since the thread read
    /// it, in which case the thread must not wait.
    pub(crate) fn register(
        &mut self,
        reader: &Arc<Reader>,
        head: Head,
        interrupt: Expected<'_>,
    ) -> Option<u64> {
        if interrupt.changed() {
            return None;
        }
        self.last += 1;
        let (number, reader) = (self.last, Arc::clone(reader));
        self.entries.push(Entry { number, interrupt: interrupt.value(), reader, head });
        Some(number)
    }

    /// Removes a thread that is awake again.
    pub(crate) fn remove(&mut self, number: u64) {
        self.entries.retain(|entry| entry.number != number);
    }

    /// Wakes all threads that registered before the interrupt had this value. Returns whether there
    /// were any: a thread may not have been waiting yet, so the caller repeats the call until none
    /// is left.
    pub(crate) fn wake_before(&self, interrupt: u32) -> bool {
        // The interrupt's value only grows, and may wrap.
        let before = |entry: &&Entry| interrupt.wrapping_sub(entry.interrupt).cast_signed() > 0;
        let mut any = false;
        for entry in self.entries.iter().filter(before) {
            futex::wake_all(entry.reader.head_word(entry.head).word());
            any = true;
        }
        any
    }
}
