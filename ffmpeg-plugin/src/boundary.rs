//! FFmpeg's entry points: catch panics, log an error as one line and return its number.

use crate::context::Context;
use crate::error::Error;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the body of a callback; a failure is logged as one line in the device's name.
pub(crate) fn call(
    name: &'static str,
    context: Context,
    body: impl FnOnce() -> Result<(), Error>,
) -> c_int {
    // State that a panic leaves behind is freed or never touched again.
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or(Err(Error::Panic(name)));
    match result {
        Ok(()) => 0,
        Err(error) => {
            if !error.is_expected() {
                context.log_error(&error.to_string());
            }
            error.averror()
        }
    }
}

/// Runs a callback that cannot fail.
pub(crate) fn quietly(body: impl FnOnce()) {
    // The panic itself has been reported by the panic hook.
    let _ = catch_unwind(AssertUnwindSafe(body));
}
