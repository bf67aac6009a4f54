//! The ring's protocol in the model checker: every interleaving, and every value that weak memory
//! may return.
//!
//! The models run the functions of `shm::protocol` unchanged. Frames are `UnsafeCell`s of the
//! checker, so that it reports a torn frame as a data race. The futex is a lock and a condition, so
//! that it reports a lost wake-up as a deadlock. The positive controls run the same models with one
//! fence, ordering or step left out, and must fail.
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
