//! Frames that are being received: which frame a packet belongs to, and when a frame is finished.
//!
//! The engine keeps one [`FrameWindow`] for each stream and gives it a slot for each frame, for
//! example a slot of a ring. For every packet that redundancy lets through:
//!
//! 1. [`FrameWindow::packet`] with its timestamp, field bit and marker. It gives the slot to place
//!    the payload in, or says that the packet is late, implausible or without a slot.
//! 2. When the depacketiser finds that nothing is missing any more: [`FrameWindow::complete`].
//! 3. [`FrameWindow::pop`] until it gives nothing: finished frames, in the order of their
//!    timestamps.
//!
//! [`FrameWindow::deadline`] is the latest moment to call `pop` again even if no packet comes; so a
//! stream that stops leaves no frame open. When the sender has started again
//! ([`crate::redundancy::Use::First`] with `restart`), call [`FrameWindow::restart`] before that
//! packet.

mod frames;
mod limits;
#[cfg(test)]
mod tests;

pub use frames::{Counts, End, Finished, FrameId, FrameWindow, Place};
pub use limits::{Fields, WindowLimits};
