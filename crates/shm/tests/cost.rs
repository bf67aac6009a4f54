//! The cost of a hand-off does not depend on the frame's size: only the programs touch payloads.
#![cfg(not(loom))]

mod common;

use common::{Group, options};
use rustix::mm::{MprotectFlags, mprotect};
use shm::Deadline;

const PAGE: usize = 4096;

/// Takes the access to the pages that lie wholly within a payload away, for the rest of the
/// process.
fn forbid(payload: *const u8, len: usize) {
    let start = (payload as usize).next_multiple_of(PAGE);
    let end = (payload as usize + len) / PAGE * PAGE;
    let pages = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: the pages are those of a mapped payload that no reference points to. An access after
    // this ends the process, which is the test's purpose.
    unsafe { mprotect(pages, end - start, MprotectFlags::empty()) }.unwrap();
}

#[test]
fn put_get_and_release_touch_no_payload() {
    for size in [1 << 10, 8_294_400, 33_177_600] {
        let group = Group::new(options(size, 4));
        let receivers = [group.receiver(false), group.receiver(true)];
        // All slots that a hand-off in step uses are forbidden as they are met, in the mappings of
        // both sides.
        for _ in 0..100 {
            let slot = group.source.get(Deadline::Now).unwrap();
            if size > PAGE {
                forbid(slot.payload_ptr(), size);
            }
            group.source.put(slot, Deadline::Now, || 0).unwrap();
            for receiver in &receivers {
                let frame = receiver.get(Deadline::Now).unwrap();
                assert_eq!(frame.payload_len(), size);
                if size > PAGE {
                    forbid(frame.payload_ptr(), size);
                }
            }
        }
    }
}
