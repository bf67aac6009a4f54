//! Unguessable bytes and identifiers, from the kernel's random number generator.

use rustix::rand::{GetRandomFlags, getrandom};

/// Random bytes, at most 256, fit for keys.
///
/// # Panics
/// If the kernel gives none: a sandbox forbids `getrandom(2)`. Nothing that relies on these bytes
/// would be safe without them.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    const { assert!(N <= 256, "longer requests may be answered in part") };
    let mut bytes = [0; N];
    let filled = rustix::io::retry_on_intr(|| getrandom(&mut bytes, GetRandomFlags::empty()));
    assert_eq!(filled, Ok(N), "getrandom(2) gives no random bytes");
    bytes
}

/// An identifier of 128 random bits: 32 hexadecimal digits.
///
/// # Panics
/// As [`bytes`].
#[must_use]
pub fn identifier() -> String {
    bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_differ() {
        let (one, other) = (identifier(), identifier());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
        assert_ne!(bytes::<32>(), [0; 32]);
    }
}
