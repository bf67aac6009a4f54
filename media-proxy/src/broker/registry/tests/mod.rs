//! The registry, event by event.

mod admission;
mod harness;
mod order;
mod placement;
mod restart;
mod walk;
