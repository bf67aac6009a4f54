//! Unguessable identifiers and keys.

use crate::topology::SessionKey;
use ring::rand::{SecureRandom, SystemRandom};

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // The kernel's generator does not fail once the system has started; without it nothing here would be safe.
    SystemRandom::new().fill(&mut bytes).expect("random bytes from the kernel");
    bytes
}

/// A new key.
#[must_use]
pub fn session_key() -> SessionKey {
    SessionKey(bytes())
}

/// A new identifier: 32 hexadecimal digits.
#[must_use]
pub fn identifier() -> String {
    bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn they_differ() {
        assert_ne!(super::session_key(), super::session_key());
        assert_ne!(super::identifier(), super::identifier());
        assert_eq!(super::identifier().len(), 32);
    }
}
