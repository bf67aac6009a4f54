//! Ctrl-C in FFmpeg's own programs.
//!
//! The handlers of these programs only count signals, and a device that waits for the mesh would go
//! on waiting. So the plugin installs a handler that notes the signal and calls theirs. In other
//! programs it installs none and obeys the `interrupt_callback`.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

const SIGNALS: [c_int; 2] = [libc::SIGINT, libc::SIGTERM];
const PROGRAMS: [&CStr; 3] = [c"ffmpeg", c"ffprobe", c"ffplay"];

static SIGNALLED: AtomicBool = AtomicBool::new(false);
/// The handlers that were there before, in the order of [`SIGNALS`], and whether each takes three
/// arguments.
static BEFORE: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];
static WITH_INFO: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];

unsafe extern "C" {
    static program_invocation_short_name: *const c_char;
}

/// Whether the program was told to end.
pub(crate) fn signalled() -> bool {
    SIGNALLED.load(SeqCst)
}

/// Puts the handler before those of FFmpeg's programs, once.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: glibc sets it before main, to a C string.
        let program = unsafe { CStr::from_ptr(program_invocation_short_name) };
        if PROGRAMS.contains(&program) {
            for index in 0..SIGNALS.len() {
                chain(index);
            }
        }
    });
}

fn chain(index: usize) {
    // SAFETY: all zero is a valid sigaction; the handler that is installed does only what a handler
    // may do, and what it reads is written before it is installed.
    unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        let asked = libc::sigaction(SIGNALS[index], std::ptr::null(), &raw mut before);
        let theirs = before.sa_sigaction;
        if asked != 0 || theirs == libc::SIG_DFL || theirs == libc::SIG_IGN {
            // The signal ends the program, or is not meant to.
            return;
        }
        BEFORE[index].store(theirs, SeqCst);
        WITH_INFO[index].store(before.sa_flags & libc::SA_SIGINFO != 0, SeqCst);
        let ours: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_signal;
        before.sa_sigaction = ours as usize;
        before.sa_flags |= libc::SA_SIGINFO;
        libc::sigaction(SIGNALS[index], &raw const before, std::ptr::null_mut());
    }
}

extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    SIGNALLED.store(true, SeqCst);
    let Some(index) = SIGNALS.iter().position(|known| *known == signal) else { return };
    let theirs = BEFORE[index].load(SeqCst);
    // SAFETY: the address is a handler of this form, which was installed for this signal.
    unsafe {
        if WITH_INFO[index].load(SeqCst) {
            type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
            std::mem::transmute::<usize, Handler>(theirs)(signal, info, context);
        } else {
            std::mem::transmute::<usize, extern "C" fn(c_int)>(theirs)(signal);
        }
    }
}
