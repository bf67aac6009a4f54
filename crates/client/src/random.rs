//! Random identifiers.

use crate::error::Error;
use rustix::rand::{GetRandomFlags, getrandom};

/// 128 random bits.
pub(super) fn bytes() -> Result<[u8; 16], Error> {
    let mut bytes = [0; 16];
    // Requests of up to 256 bytes are answered in full.
    getrandom(&mut bytes, GetRandomFlags::empty())
        .map_err(|errno| Error::Internal(format!("getrandom: {errno}")))?;
    Ok(bytes)
}
