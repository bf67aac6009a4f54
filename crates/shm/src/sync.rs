//! Atomics of the standard library, or of the model checker under `cfg(loom)`.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// A sequentially consistent fence right after a sequentially consistent read-modify-write.
///
/// On x86-64 the locked instruction is that fence already, also for non-temporal stores, and only
/// the compiler must be held back. Elsewhere, and for the model checker, it is spelled out.
#[inline(always)]
pub(crate) fn fence_after_rmw() {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    fence(Ordering::SeqCst);
}
