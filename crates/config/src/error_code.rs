//! The error numbers of the C ABI, which refusals in messages carry as well.

use std::ffi::CStr;

use media::ConfigErrorKind;

/// Declares each code with its number and its short text.
macro_rules! error_codes {
    ( $( $(#[$meta:meta])* $code:ident = $number:literal, $text:literal; )+ ) => {
        /// A `MESH_ERR_*` of `mesh_dp.h`. Numbers are stable; new ones are appended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $( $(#[$meta])* $code = $number, )+
        }

        impl ErrorCode {
            /// Every code, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$( Self::$code ),+];

            /// Short text for people.
            #[must_use]
            pub const fn text(self) -> &'static CStr {
                match self { $( Self::$code => $text, )+ }
            }
        }
    };
}

error_codes! {
    /// A client pointer is null.
    BadClientPtr = 1000, c"Bad client pointer";
    /// A connection pointer is null.
    BadConnPtr = 1001, c"Bad connection pointer";
    /// A configuration pointer is null, or the configuration is no UTF-8 text.
    BadConfigPtr = 1002, c"Bad configuration pointer";
    /// A buffer pointer or another output argument is null, or a size argument is too small.
    BadBufPtr = 1003, c"Bad buffer pointer";
    /// A length is larger than its partition of the buffer.
    BadBufLen = 1004, c"Bad buffer length";
    /// The client configuration is malformed, or a value in it is out of range.
    ClientConfigInval = 1005, c"Invalid parameters in client configuration";
    /// The client has `maxMediaConnections` connections, or the proxy as many as it serves.
    MaxConn = 1006, c"Reached max number of connections";
    /// The client still has connections.
    FoundAllocated = 1007, c"Found allocated resources";
    /// The media proxy cannot be reached, or the connection could not be set up.
    ConnFailed = 1008, c"Connection creation failed";
    /// The connection configuration is malformed, or a value in it is unknown or out of range.
    ConnConfigInval = 1009, c"Invalid parameters in connection configuration";
    /// Values of the connection configuration do not fit together, or not to the group.
    ConnConfigIncompat = 1010, c"Incompatible parameters in connection configuration";
    /// The connection is shut down, or its stream has ended.
    ConnClosed = 1011, c"Connection is closed";
    /// No frame came, or no buffer became free, in time.
    Timeout = 1012, c"Timeout occurred";
    /// The feature is part of the configuration language, but not of this version.
    NotImplemented = 1013, c"Feature not implemented yet";
    /// Another thread cancelled the call.
    Cancelled = 1014, c"Call was cancelled";
    /// The client belongs to the parent process.
    Forked = 1015, c"Client belongs to the parent process";
    /// The library failed within itself, which is a bug of the library.
    Internal = 1016, c"Internal error";
    /// The wait was ended by a signal for which the program has a handler.
    Interrupted = 1017, c"Interrupted by a signal";
}

impl ErrorCode {
    /// The positive number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The code of a positive number; `None` if there is none.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.number() == number)
    }
}

impl From<ErrorCode> for i32 {
    fn from(code: ErrorCode) -> Self {
        code.number()
    }
}

impl From<ErrorCode> for u32 {
    /// The number as messages carry it.
    fn from(code: ErrorCode) -> Self {
        code.number().unsigned_abs()
    }
}

impl From<ConfigErrorKind> for ErrorCode {
    /// The code of a refused connection configuration.
    fn from(kind: ConfigErrorKind) -> Self {
        match kind {
            ConfigErrorKind::Malformed | ConfigErrorKind::Invalid => Self::ConnConfigInval,
            ConfigErrorKind::Incompatible => Self::ConnConfigIncompat,
            ConfigErrorKind::NotImplemented => Self::NotImplemented,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_told_apart() {
        for (code, number) in ErrorCode::ALL.iter().zip(1000..) {
            assert_eq!((code.number(), ErrorCode::from_number(number)), (number, Some(*code)));
        }
        assert_eq!(ErrorCode::from_number(1018), None);
        let texts: std::collections::BTreeSet<_> =
            ErrorCode::ALL.iter().map(|code| code.text()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len(), "two numbers share a text");
    }
}
