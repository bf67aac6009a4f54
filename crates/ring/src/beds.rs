//! Where threads of this process sleep on the heads of other processes' boards, and how this process wakes them.
//!
//! A source wakes its receivers through the head of its board. To interrupt a receiver for another reason, its own process
//! wakes the sleepers of that head too: waking needs no right to write, and whoever is woken in vain goes back to sleep.
//! That spares each sleep a second word, and with it a good part of what the kernel does for it. Nothing about the head
//! has changed then, so a thread that has looked but does not sleep yet would miss it; hence the list of those on their way.

use crate::futex::{self, Expected};
use crate::reader::Reader;
use crate::words::Head;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// Pause between two attempts to wake a thread that is on its way to sleep.
const AGAIN: Duration = Duration::from_micros(20);

/// The threads of one receiver that sleep.
#[derive(Debug, Default)]
pub(crate) struct Beds(Mutex<List>);

#[derive(Debug, Default)]
struct List {
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
    /// Sleeps on a head until it is no longer `head`, somebody wakes its sleepers, or `until`. Returns at once where the
    /// gate has changed since the caller looked.
    pub(crate) fn sleep(&self, reader: &Arc<Reader>, head: Head, gate: Expected<'_>, until: u64) {
        let number = {
            let mut list = self.0.lock();
            if gate.changed() {
                return;
            }
            list.last += 1;
            let number = list.last;
            list.taken.push(Bed { number, gate: gate.value(), reader: Arc::clone(reader), head });
            number
        };
        futex::wait_any(&[reader.head_word(head)], until);
        self.0.lock().taken.retain(|bed| bed.number != number);
    }

    /// Wakes everyone who went to sleep before the gate had its present value. The caller has changed the gate.
    pub(crate) fn wake(&self, gate: u32) {
        while self.knock(gate) {
            std::thread::sleep(AGAIN);
        }
    }

    /// Returns whether there is anybody to wake.
    fn knock(&self, gate: u32) -> bool {
        let list = self.0.lock();
        let mut any = false;
        // Those who went to sleep after that know better; the gate's value only grows, and may wrap.
        let before = |bed: &&Bed| gate.wrapping_sub(bed.gate).cast_signed() > 0;
        for bed in list.taken.iter().filter(before) {
            futex::wake_all(bed.reader.head_word(bed.head).word());
            any = true;
        }
        any
    }
}
