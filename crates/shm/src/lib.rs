//! The shared-memory exchange of frames between the processes of one host.
//!
//! A **source** owns a pool of frame slots and a board on which it publishes; each **receiver**
//! owns a seat that holds its read position and its leases. Each process writes only its own memory
//! and maps that of the others read-only; file seals enforce it. `docs/architecture.md` describes
//! the protocol; [`protocol`] is the part that is model-checked.

#[cfg(not(target_endian = "little"))]
compile_error!("the layout of boards and seats is little-endian");

#[cfg(not(loom))]
pub mod layout;
pub mod protocol;
mod sync;
pub mod words;

#[cfg(not(loom))]
mod clock;
#[cfg(not(loom))]
mod delay;
#[cfg(not(loom))]
mod error;
#[cfg(not(loom))]
pub mod fork;
#[cfg(not(loom))]
mod futex;
#[cfg(not(loom))]
mod head_waiters;
#[cfg(not(loom))]
mod interrupt;
#[cfg(not(loom))]
mod memory;
#[cfg(not(loom))]
mod monitor;
#[cfg(not(loom))]
mod pages;
#[cfg(not(loom))]
mod reader;
#[cfg(not(loom))]
mod receiver;
#[cfg(not(loom))]
mod region;
#[cfg(not(loom))]
mod seat;
#[cfg(not(loom))]
pub mod signals;
#[cfg(not(loom))]
mod source;
#[cfg(not(loom))]
mod spin;
#[cfg(not(loom))]
mod stall;
#[cfg(not(loom))]
mod stats;
#[cfg(not(loom))]
mod thread;

#[cfg(not(loom))]
pub use {
    clock::{Deadline, monotonic_ns},
    delay::{APART_NS, DELAY_BOUNDS_NS, Delays},
    error::RingError,
    layout::{Geometry, Origin, RingId},
    memory::{REQUIRED_SEALS, check_seals},
    monitor::{BoardMonitor, SeatMonitor},
    reader::{Frame, FrameInfo, Reader},
    receiver::{GRACE, Receiver},
    region::Region,
    seat::Seat,
    source::{AtEnd, Source, SourceOptions, WriteSlot},
    stats::Stats,
    thread::quiet_thread,
};
