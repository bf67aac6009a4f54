//! The registry, event by event.

mod admission;
mod harness;
mod order;
mod restart;
mod walk;
