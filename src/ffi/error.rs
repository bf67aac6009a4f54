//! The error numbers of the C ABI, as literals for the generated header, and their texts.
use super::boundary;
use config::ErrorCode;
use std::ffi::{CStr, c_char, c_int};

/// A client pointer is NULL.
pub const MESH_ERR_BAD_CLIENT_PTR: c_int = 1000;
/// A connection pointer is NULL.
pub const MESH_ERR_BAD_CONN_PTR: c_int = 1001;
/// A configuration pointer is NULL, or the configuration is no UTF-8 text.
pub const MESH_ERR_BAD_CONFIG_PTR: c_int = 1002;
/// A buffer pointer or another output argument is NULL, or a size argument is too small.
pub const MESH_ERR_BAD_BUF_PTR: c_int = 1003;
/// A length is larger than its partition of the buffer.
pub const MESH_ERR_BAD_BUF_LEN: c_int = 1004;
/// The client configuration is malformed, or a value in it is out of range.
pub const MESH_ERR_CLIENT_CONFIG_INVAL: c_int = 1005;
/// The client has `maxMediaConnections` connections.
pub const MESH_ERR_MAX_CONN: c_int = 1006;
/// The client still has connections.
pub const MESH_ERR_FOUND_ALLOCATED: c_int = 1007;
/// The media proxy cannot be reached, or the connection could not be set up.
pub const MESH_ERR_CONN_FAILED: c_int = 1008;
/// The connection configuration is malformed, or a value in it is unknown or out of range.
pub const MESH_ERR_CONN_CONFIG_INVAL: c_int = 1009;
/// Values of the connection configuration do not fit together, or not to the multipoint group.
pub const MESH_ERR_CONN_CONFIG_INCOMPAT: c_int = 1010;
/// The connection is shut down, or its stream has ended.
pub const MESH_ERR_CONN_CLOSED: c_int = 1011;
/// No frame came, or no buffer became free, in time.
pub const MESH_ERR_TIMEOUT: c_int = 1012;
/// The feature is part of the configuration language, but not of this version.
pub const MESH_ERR_NOT_IMPLEMENTED: c_int = 1013;
/// The call was ended by `mesh_cancel_connection()`.
pub const MESH_ERR_CANCELLED: c_int = 1014;
/// The client belongs to the parent process: a forked child has to create its own.
pub const MESH_ERR_FORKED: c_int = 1015;
/// The library failed within itself, which is a bug of the library.
pub const MESH_ERR_INTERNAL: c_int = 1016;
/// The wait was ended by a signal for which the program has a handler; the call can be made again.
pub const MESH_ERR_INTERRUPTED: c_int = 1017;

/// Short text for an error number, positive or negative.
///
/// `mesh_get_last_error()` says more: which field or argument, what was found, what is accepted.
///
/// @return a static text, never NULL: "Success" for 0, "Unknown error code" for a number that is no error.
#[unsafe(no_mangle)]
pub extern "C" fn mesh_err2str(err: c_int) -> *const c_char {
    text(err.saturating_abs()).as_ptr()
}

/// Full text of the last failed call of the calling thread: the field or argument, the value found, what
/// would be accepted.
///
/// @return a text that is valid until the thread's next call of this library, never NULL; an empty text
/// if no call of the thread has failed yet. A successful call does not clear it.
#[unsafe(no_mangle)]
pub extern "C" fn mesh_get_last_error() -> *const c_char {
    // The text lives in the thread's storage and changes only when the same thread asks again.
    boundary::with_last_error(CStr::as_ptr).unwrap_or(c"".as_ptr())
}

/// What the calling thread's last created client or connection was told in vain by its configuration: a key that does not exist, a
/// number that was brought to the nearest possible one. The same lines appear once on standard error, unless the environment variable
/// MCM_LOG is `off`. With the member `"strict": true` a configuration with such things is refused instead.
///
/// @return lines that are separated by newlines, valid until the thread's next call of this library, never NULL; an empty text if there
/// was nothing.
#[unsafe(no_mangle)]
pub extern "C" fn mesh_get_last_warnings() -> *const c_char {
    // The text lives in the thread's storage and changes only when the same thread asks again.
    boundary::with_last_warnings(CStr::as_ptr).unwrap_or(c"".as_ptr())
}

fn text(number: c_int) -> &'static CStr {
    match (number, ErrorCode::from_number(number)) {
        (_, Some(code)) => code.text(),
        (0, None) => c"Success",
        (_, None) => c"Unknown error code",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::failure::Error;
    use mcm::{ClientError, GroupError, LengthError, OpenError, WaitError};
    use std::time::Duration;

    #[test]
    fn each_error_has_its_number_and_text() {
        let text_of = String::new;
        let timeout = WaitError::Timeout { after: Duration::ZERO, reason: "frame" };
        let length = LengthError { partition: "payload", len: 2, max: 1 };
        let table: [(Error, c_int); 18] = [
            (Error::BadClient, MESH_ERR_BAD_CLIENT_PTR),
            (Error::BadConnection, MESH_ERR_BAD_CONN_PTR),
            (Error::BadConfig(text_of()), MESH_ERR_BAD_CONFIG_PTR),
            (Error::BadBuffer(text_of()), MESH_ERR_BAD_BUF_PTR),
            (length.into(), MESH_ERR_BAD_BUF_LEN),
            (ClientError::Config(text_of()).into(), MESH_ERR_CLIENT_CONFIG_INVAL),
            (OpenError::TooMany(1).into(), MESH_ERR_MAX_CONN),
            (Error::FoundAllocated(1), MESH_ERR_FOUND_ALLOCATED),
            (OpenError::Failed(text_of()).into(), MESH_ERR_CONN_FAILED),
            (OpenError::Config(text_of()).into(), MESH_ERR_CONN_CONFIG_INVAL),
            (OpenError::Incompatible(text_of()).into(), MESH_ERR_CONN_CONFIG_INCOMPAT),
            (WaitError::Closed("").into(), MESH_ERR_CONN_CLOSED),
            (timeout.into(), MESH_ERR_TIMEOUT),
            (OpenError::NotImplemented(text_of()).into(), MESH_ERR_NOT_IMPLEMENTED),
            (WaitError::Cancelled.into(), MESH_ERR_CANCELLED),
            (WaitError::Forked.into(), MESH_ERR_FORKED),
            (WaitError::System(text_of()).into(), MESH_ERR_INTERNAL),
            (WaitError::Interrupted.into(), MESH_ERR_INTERRUPTED),
        ];
        assert_eq!(table.len(), ErrorCode::ALL.len());
        for (error, number) in &table {
            assert_eq!(error.code(), *number, "{error}");
            let code = ErrorCode::from_number(*number).unwrap();
            assert_eq!(text(*number), code.text());
        }
    }

    /// Errors that several functions return have one number, whichever part of the client they come from.
    #[test]
    fn the_same_failure_has_the_same_number() {
        let text_of = String::new;
        let same: [(Error, c_int); 10] = [
            (OpenError::Forked.into(), MESH_ERR_FORKED),
            (GroupError::Forked.into(), MESH_ERR_FORKED),
            (GroupError::Interrupted.into(), MESH_ERR_INTERRUPTED),
            (GroupError::Failed(text_of()).into(), MESH_ERR_CONN_FAILED),
            (GroupError::NotFound(Duration::ZERO).into(), MESH_ERR_TIMEOUT),
            (GroupError::Name { len: 0, max: 1 }.into(), MESH_ERR_BAD_CONFIG_PTR),
            (OpenError::Closed(text_of()).into(), MESH_ERR_CONN_CLOSED),
            (Error::Ended, MESH_ERR_CONN_CLOSED),
            (OpenError::System(text_of()).into(), MESH_ERR_INTERNAL),
            (Error::Internal(text_of()), MESH_ERR_INTERNAL),
        ];
        for (error, number) in same {
            assert_eq!(error.code(), number, "{error}");
        }
    }

    #[test]
    fn any_sign_and_any_number_gives_a_text() {
        assert_eq!(mesh_err2str(1012), mesh_err2str(-1012));
        for number in [1, 999, 1018, c_int::MAX, c_int::MIN] {
            assert_eq!(mesh_err2str(number), text(1).as_ptr());
        }
        assert_eq!(text(0), c"Success");
    }
}
