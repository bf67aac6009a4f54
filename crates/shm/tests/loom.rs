//! The protocol of the ring in the model checker: every interleaving, and every value that weak memory may show.
//!
//! The models run the functions of `shm::protocol` as they are. Frames are `UnsafeCell`s of the checker, so that a torn frame
//! is a data race that it reports. The futex is a lock and a condition, so that a lost wake-up is a deadlock that it reports.
//! The positive controls run the same models with one fence, ordering or step left out, and must fail.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p mcm-shm --release --test loom`
#![cfg(loom)]

#[path = "loom/delivery.rs"]
mod delivery;
#[path = "loom/ring.rs"]
mod model;
#[path = "loom/rules.rs"]
mod rules;
#[path = "loom/sleep.rs"]
mod sleep;
