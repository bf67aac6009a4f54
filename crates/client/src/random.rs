//! Random identifiers.

use rustix::rand::{GetRandomFlags, getrandom};

/// 128 random bits.
pub(crate) fn bytes() -> Result<[u8; 16], String> {
    let mut bytes = [0; 16];
    // Requests of up to 256 bytes are answered in full.
    getrandom(&mut bytes, GetRandomFlags::empty())
        .map_err(|errno| format!("getrandom: {errno}"))?;
    Ok(bytes)
}

/// 128 random bits in hexadecimal.
pub(crate) fn id() -> Result<String, String> {
    Ok(bytes()?.iter().map(|byte| format!("{byte:02x}")).collect())
}
