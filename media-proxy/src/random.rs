//! Unguessable numbers and identifiers.

use rustix::rand::{GetRandomFlags, getrandom};

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        // Without flags the call fails only by interruption.
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty()).unwrap_or(0);
    }
    bytes
}

/// A number.
pub(crate) fn number() -> u32 {
    u32::from_ne_bytes(bytes())
}

/// An identifier of 128 bits, in hexadecimal digits.
pub(crate) fn identifier() -> String {
    bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn identifiers_differ() {
        let (a, b) = (super::identifier(), super::identifier());
        assert_eq!(a.len(), 32);
        assert_ne!(a, b);
    }
}
