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

/// The threads of one receiver that sleep, or are about to. Guarded by the receiver's lock.
#[derive(Debug, Default)]
pub(crate) struct Beds {
    last: u64,
    taken: Vec<Bed>,
}

#[derive(Debug)]
struct Bed {
    number: u64,
    /// The gate's value before the thread looked.
    gate: u32,
    reader: Arc<Reader>,
    head: Head,
}

impl Beds {
    /// A thread is about to sleep on a head. It must not where the gate has changed since it looked; else it gets the number
    /// to [`get_up`](Self::get_up) with.
    pub(crate) fn lie_down(
        &mut self,
        reader: &Arc<Reader>,
        head: Head,
        gate: Expected<'_>,
    ) -> Option<u64> {
        if gate.changed() {
            return None;
        }
        self.last += 1;
        let (number, reader) = (self.last, Arc::clone(reader));
        self.taken.push(Bed { number, gate: gate.value(), reader, head });
        Some(number)
    }

    /// The thread is awake.
    pub(crate) fn get_up(&mut self, number: u64) {
        self.taken.retain(|bed| bed.number != number);
    }

    /// Wakes everyone who lay down before the gate had its present value. Returns whether there was anybody: some may not
    /// have been asleep yet, so the caller comes again.
    pub(crate) fn knock(&self, gate: u32) -> bool {
        // The gate's value only grows, and may wrap.
        let before = |bed: &&Bed| gate.wrapping_sub(bed.gate).cast_signed() > 0;
        let mut any = false;
        for bed in self.taken.iter().filter(before) {
            futex::wake_all(bed.reader.head_word(bed.head).word());
            any = true;
        }
        any
    }
}
