//! Keys of a link and of its sessions, and the encryption of frames.

use super::image::{TAG, TRAILER, Trailer};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use std::fmt;

/// What the two ends of a link share: 32 random bytes that the agent has told both.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkKey(pub [u8; 32]);

impl fmt::Debug for LinkKey {
    /// Keys are not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey")
    }
}

impl LinkKey {
    pub(super) fn hello(&self) -> hmac::Key {
        self.derive(b"mcm link hello", &[])
    }

    fn derive(&self, purpose: &[u8], more: &[&[u8]]) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.bytes(purpose, more))
    }

    fn bytes(&self, purpose: &[u8], more: &[&[u8]]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        // Each part with its length: no two lists of parts have the same bytes.
        for part in std::iter::once(&purpose).chain(more) {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.sign().as_ref());
        bytes
    }

    /// The keys of a session.
    pub(super) fn session(&self, egress: &[u8; 16], ingress: &[u8; 16]) -> SessionKeys {
        let nonces: [&[u8]; 2] = [egress, ingress];
        let frames = self.bytes(b"mcm link frames", &nonces);
        // The key has the length of the algorithm's keys.
        let frames = UnboundKey::new(&AES_256_GCM, &frames).ok().map(LessSafeKey::new);
        SessionKeys {
            from_egress: self.derive(b"mcm link egress", &nonces),
            from_ingress: self.derive(b"mcm link ingress", &nonces),
            frames: frames.map(std::sync::Arc::new),
        }
    }
}

/// The keys of one session.
#[derive(Clone)]
pub(super) struct SessionKeys {
    pub(super) from_egress: hmac::Key,
    pub(super) from_ingress: hmac::Key,
    frames: Option<std::sync::Arc<LessSafeKey>>,
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKeys")
    }
}

impl SessionKeys {
    /// Encrypts an image in place, and returns the tag. Each number of a frame must be used once only.
    pub(super) fn seal(&self, image: &mut [u8], trailer: &Trailer) -> Option<[u8; TAG]> {
        let aad = Aad::from(trailer.bytes());
        let key = self.frames.as_ref()?;
        let tag = key.seal_in_place_separate_tag(nonce(trailer), aad, image).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Decrypts an image, with its tag behind it, in place. Returns the bytes of the image, if they are what was sent.
    pub(super) fn open(&self, image_and_tag: &mut [u8], trailer: &Trailer) -> Option<usize> {
        let aad: Aad<[u8; TRAILER]> = Aad::from(trailer.bytes());
        let image = self.frames.as_ref()?.open_in_place(nonce(trailer), aad, image_and_tag).ok()?;
        Some(image.len())
    }
}

/// Each session has a key of its own, and each of its frames a number of its own.
fn nonce(trailer: &Trailer) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&trailer.sequence.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::image::Origin;
    use super::*;

    #[test]
    fn sealed_frames_are_opened_by_the_same_session_only() {
        let link = LinkKey([7; 32]);
        let keys = link.session(&[1; 16], &[2; 16]);
        let origin = Origin { mark: 8, sequence: 9 };
        let trailer = Trailer { sequence: 5, tai_ns: 6, session: 7, origin, incomplete: false };
        let clear = [0x55u8; 100];
        let mut message = clear.to_vec();
        let tag = keys.seal(&mut message, &trailer).unwrap();
        assert_ne!(message, clear);
        message.extend(tag);
        let attempt = |keys: &SessionKeys, trailer: &Trailer, change: Option<usize>| {
            let mut message = message.clone();
            if let Some(at) = change {
                message[at] ^= 1;
            }
            let len = keys.open(&mut message, trailer)?;
            assert_eq!(message[..len], clear);
            Some(len)
        };
        assert_eq!(attempt(&keys, &trailer, None), Some(100));
        assert_eq!(attempt(&keys, &trailer, Some(50)), None);
        assert_eq!(attempt(&keys, &trailer, Some(100)), None);
        assert_eq!(attempt(&keys, &Trailer { sequence: 6, ..trailer }, None), None);
        assert_eq!(attempt(&keys, &Trailer { tai_ns: 7, ..trailer }, None), None);
        assert_eq!(attempt(&keys, &Trailer { incomplete: true, ..trailer }, None), None);
        let origin = Origin { sequence: 10, ..origin };
        assert_eq!(attempt(&keys, &Trailer { origin, ..trailer }, None), None);
        for other in
            [link.session(&[1; 16], &[3; 16]), LinkKey([8; 32]).session(&[1; 16], &[2; 16])]
        {
            assert_eq!(attempt(&other, &trailer, None), None);
        }
        assert_eq!(keys.open(&mut [0; 15], &trailer), None);
    }
}
