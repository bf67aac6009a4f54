//! Threads that the library starts in the host program.

use std::thread::JoinHandle;

/// Enough for what such threads do, asking a proxy over gRPC included; memory is used only as far
/// as it is touched.
const STACK: usize = 1 << 20;

/// Starts a thread that takes none of the host program's signals.
pub fn quiet_thread(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let mut all = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: fills a set that is then valid, swaps this thread's mask for it, and keeps the old
    // one.
    let masked = unsafe {
        libc::sigfillset(all.as_mut_ptr()) == 0
            && libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) == 0
    };
    let thread = std::thread::Builder::new().name(name.into()).stack_size(STACK).spawn(work);
    if masked {
        // SAFETY: restores the mask saved above.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    }
    thread
}
