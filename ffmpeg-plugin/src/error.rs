//! Errors, and their FFmpeg error numbers.

use ::config::ErrorCode;
use std::ffi::c_int;

/// Why a call of FFmpeg into a device failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An option, or what the stream is, cannot be.
    #[error("{name}: found {found}; {allowed}")]
    Option { name: &'static str, found: String, allowed: String },
    /// The mesh refused, with its own text.
    #[error("{text}")]
    Mesh { code: c_int, text: String },
    /// `libmcm_dp.so.1` cannot be used.
    #[error("{0}")]
    Library(String),
    /// FFmpeg's own function failed.
    #[error("{call} failed")]
    Libav { call: &'static str, code: c_int },
    /// FFmpeg handed over something that cannot be sent.
    #[error("{0}")]
    Data(String),
    /// A wait exceeded the time limit of an option.
    #[error("waited {ms} ms for {what} (-{option})")]
    TimedOut { what: String, option: &'static str, ms: u32 },
    /// The program wants to end.
    #[error("interrupted")]
    Exit,
    /// Nothing is there now.
    #[error("no frame yet")]
    Again,
    /// The stream has ended.
    #[error("end of stream")]
    End,
    /// A bug here.
    #[error("panic in {0}")]
    Panic(&'static str),
}

const fn tag(text: [u8; 4]) -> c_int {
    -i32::from_le_bytes(text)
}

/// `AVERROR_EOF`.
pub(crate) const EOF: c_int = tag(*b"EOF ");
/// `AVERROR_EXIT`.
const EXIT: c_int = tag(*b"EXIT");
/// `AVERROR_BUG`.
const BUG: c_int = tag(*b"BUG!");
/// `AVERROR_EXTERNAL`.
const EXTERNAL: c_int = tag(*b"EXT ");

impl Error {
    /// The number that FFmpeg expects.
    pub(crate) fn averror(&self) -> c_int {
        match self {
            Self::Option { .. } | Self::Data(_) => -libc::EINVAL,
            Self::Mesh { code, .. } => match ErrorCode::from_number(-code) {
                Some(
                    ErrorCode::ClientConfigInval
                    | ErrorCode::ConnConfigInval
                    | ErrorCode::ConnConfigIncompat,
                ) => -libc::EINVAL,
                Some(ErrorCode::MaxConn) => -libc::EMFILE,
                Some(ErrorCode::ConnFailed) => -libc::ECONNREFUSED,
                Some(ErrorCode::ConnClosed) => -libc::ECONNRESET,
                Some(ErrorCode::NotImplemented) => -libc::ENOSYS,
                _ => EXTERNAL,
            },
            Self::TimedOut { .. } => -libc::ETIMEDOUT,
            Self::Library(_) => EXTERNAL,
            Self::Libav { code, .. } => *code,
            Self::Exit => EXIT,
            Self::Again => -libc::EAGAIN,
            Self::End => EOF,
            Self::Panic(_) => BUG,
        }
    }

    /// Whether it is a condition that FFmpeg expects, rather than a failure.
    pub(crate) fn is_expected(&self) -> bool {
        matches!(self, Self::Exit | Self::Again | Self::End)
    }

    /// An option whose value is none of the allowed ones.
    pub(crate) fn option(
        name: &'static str,
        found: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self::Option { name, found: found.into(), allowed: allowed.into() }
    }
}
