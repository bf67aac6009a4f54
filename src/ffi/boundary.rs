//! The boundary that no panic crosses, and the last error of each thread.
//!
//! Waits within a call end when a signal handler of the program has run, see [`shm::signals`].
use super::failure::Error;
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_int};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

/// The last failure of a thread. Its text is made when somebody asks: a poll that times out should not pay for it.
#[derive(Default)]
struct LastError {
    error: Option<Error>,
    text: CString,
}

thread_local! {
    static LAST_ERROR: RefCell<LastError> = RefCell::default();
    /// Where the text lives that the program was given.
    static LAST_WARNINGS: RefCell<CString> = RefCell::default();
    /// Where the panic of this thread's current call began; `None` outside of calls.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Runs the body of an exported function: 0 for success, else the negative error number. A panic becomes
/// `Error::Internal`, and the error is kept for `mesh_get_last_error`.
pub(super) fn guard(function: &'static str, body: impl FnOnce() -> Result<(), Error>) -> c_int {
    quiet_panics();
    let _inside = Inside::enter();
    // A panic leaves nothing half-done that a caller could see: bodies change the caller's memory last,
    // and the client's state is guarded by locks that do not poison.
    let body = AssertUnwindSafe(|| mcm::signals::ending_waits(body));
    let result = catch_unwind(body).unwrap_or_else(|_| {
        let what = PANIC.with(|text| text.borrow_mut().take());
        Err(Error::Internal(what.unwrap_or_else(|| "panic".into())))
    });
    match result {
        Ok(()) => 0,
        Err(error) => {
            if error.is_usual() {
                log::debug!("{function}: {error}");
            } else {
                log::error!("{function}: {error}");
            }
            let number = -error.code();
            // Fails only while the thread ends, when nobody can ask any more.
            let _ = LAST_ERROR.try_with(|last| last.borrow_mut().error = Some(error));
            number
        }
    }
}

/// Hands the text of this thread's last error to `read`; an empty text if there was none.
pub(super) fn with_last_error<R>(read: impl FnOnce(&CStr) -> R) -> Option<R> {
    LAST_ERROR
        .try_with(|last| {
            let mut last = last.borrow_mut();
            if let Some(error) = last.error.take() {
                let mut text = error.to_string();
                text.retain(|c| c != '\0');
                last.text = CString::new(text).unwrap_or_default();
            }
            read(&last.text)
        })
        .ok()
}

/// Hands the warnings of this thread's last configuration to `read`.
pub(super) fn with_last_warnings<R>(read: impl FnOnce(&CStr) -> R) -> Option<R> {
    let text = CString::new(mcm::last_warnings()).unwrap_or_default();
    LAST_WARNINGS
        .try_with(|last| {
            let mut last = last.borrow_mut();
            *last = text;
            read(&last)
        })
        .ok()
}

/// Marks the thread as being within a call.
struct Inside;

impl Inside {
    fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// The library prints nothing by itself, so a panic within a call is kept for the error's text instead of
/// going to standard error. All other panics go on to the hook that was there before.
fn quiet_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if DEPTH.try_with(Cell::get).unwrap_or(0) > 0 {
                PANIC.with(|text| *text.borrow_mut() = Some(describe(info)));
            } else {
                previous(info);
            }
        }));
    });
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let what = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic");
    info.location().map_or_else(|| what.to_owned(), |place| format!("{what} ({place})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcm::OpenError;

    fn last() -> String {
        with_last_error(|text| text.to_str().unwrap().to_owned()).unwrap()
    }

    #[test]
    fn success_is_zero_and_keeps_the_last_error() {
        assert_eq!(guard("test", || Err(Error::Cancelled)), -1014);
        assert_eq!(guard("test", || Ok(())), 0);
        assert_eq!(last(), Error::Cancelled.to_string());
        assert_eq!(last(), Error::Cancelled.to_string());
    }

    #[test]
    fn a_panic_becomes_an_error_that_says_where() {
        assert_eq!(guard("test", || panic!("slot {} is gone", 7)), -1016);
        let text = last();
        assert!(text.contains("slot 7 is gone") && text.contains("boundary.rs"), "{text}");
        assert_eq!(guard("test", || Err(Error::Internal("second".into()))), -1016);
        assert_eq!(last(), "internal error: second");
    }

    #[test]
    fn each_thread_has_its_own_last_error() {
        assert_eq!(guard("test", || Err(Error::BadClient)), -1000);
        std::thread::spawn(|| assert_eq!(last(), "")).join().unwrap();
        assert_eq!(last(), Error::BadClient.to_string());
    }

    #[test]
    fn a_zero_byte_does_not_cut_the_text() {
        assert_eq!(guard("test", || Err(OpenError::Failed("a\0b".into()).into())), -1008);
        assert!(last().ends_with("ab"));
    }
}
