//! Keys of a link and of its sessions; encryption and authentication of frames.

use super::wire_layout::{SYSDATA, TAG, TRAILER, Trailer};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use std::fmt;
use std::sync::Arc;

/// The secret of a link: 32 random bytes that both ends get from the agent.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkKey(pub [u8; 32]);

impl fmt::Debug for LinkKey {
    /// Keys are not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey")
    }
}

impl LinkKey {
    pub(super) fn connect_key(&self) -> hmac::Key {
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
        // The keys have the length of the algorithm's keys.
        let aead = |purpose: &[u8]| {
            let key = self.bytes(purpose, &nonces);
            UnboundKey::new(&AES_256_GCM, &key).ok().map(LessSafeKey::new).map(Arc::new)
        };
        SessionKeys {
            from_egress: self.derive(b"mcm link egress", &nonces),
            from_ingress: self.derive(b"mcm link ingress", &nonces),
            frames: aead(b"mcm link frames"),
            trailers: aead(b"mcm link trailers"),
        }
    }
}

/// The keys of one session.
#[derive(Clone)]
pub(super) struct SessionKeys {
    pub(super) from_egress: hmac::Key,
    pub(super) from_ingress: hmac::Key,
    /// Encrypts frames.
    frames: Option<Arc<LessSafeKey>>,
    /// Authenticates what frames in the clear say of themselves.
    trailers: Option<Arc<LessSafeKey>>,
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKeys")
    }
}

impl SessionKeys {
    /// Encrypts a frame in place, and returns the tag. Each number of a frame must be used once
    /// only.
    pub(super) fn seal(&self, frame: &mut [u8], trailer: &Trailer) -> Option<[u8; TAG]> {
        let aad = Aad::from(trailer.bytes());
        let key = self.frames.as_ref()?;
        let tag = key.seal_in_place_separate_tag(nonce(trailer), aad, frame).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Decrypts a frame, with its tag behind it, in place. Returns the bytes of the frame, if they
    /// are what was sent.
    pub(super) fn open(&self, frame_and_tag: &mut [u8], trailer: &Trailer) -> Option<usize> {
        let aad: Aad<[u8; TRAILER]> = Aad::from(trailer.bytes());
        let frame = self.frames.as_ref()?.open_in_place(nonce(trailer), aad, frame_and_tag).ok()?;
        Some(frame.len())
    }
}

impl SessionKeys {
    /// The tag of a frame in the clear: it authenticates system data and trailer, so the frame's
    /// number, time and lengths. The payload is not covered: that would cost a pass over it. Each
    /// number of a frame must be used once only.
    pub(super) fn sign(&self, sysdata: &[u8; SYSDATA], trailer: &Trailer) -> Option<[u8; TAG]> {
        let aad = Aad::from(signed(sysdata, trailer));
        let key = self.trailers.as_ref()?;
        let tag = key.seal_in_place_separate_tag(nonce(trailer), aad, &mut []).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Whether system data and trailer are those that the other side has signed with this tag.
    pub(super) fn verify(
        &self,
        sysdata: &[u8; SYSDATA],
        trailer: &Trailer,
        tag: &[u8; TAG],
    ) -> bool {
        let aad = Aad::from(signed(sysdata, trailer));
        // An empty plaintext: only the tag is needed.
        let mut tag = *tag;
        self.trailers
            .as_ref()
            .is_some_and(|key| key.open_in_place(nonce(trailer), aad, &mut tag).is_ok())
    }
}

fn signed(sysdata: &[u8; SYSDATA], trailer: &Trailer) -> [u8; SYSDATA + TRAILER] {
    let mut bytes = [0; SYSDATA + TRAILER];
    bytes[..SYSDATA].copy_from_slice(sysdata);
    bytes[SYSDATA..].copy_from_slice(&trailer.bytes());
    bytes
}

/// Each session has keys of its own, and each of its frames a number of its own.
fn nonce(trailer: &Trailer) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&trailer.sequence.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::wire_layout::Origin;
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

    #[test]
    fn what_a_frame_in_the_clear_says_is_signed_by_its_session() {
        let link = LinkKey([7; 32]);
        let keys = link.session(&[1; 16], &[2; 16]);
        let origin = Origin { mark: 8, sequence: 9 };
        let trailer = Trailer { sequence: 5, tai_ns: 6, session: 7, origin, incomplete: false };
        let sysdata = [3; SYSDATA];
        let tag = keys.sign(&sysdata, &trailer).unwrap();
        assert!(keys.verify(&sysdata, &trailer, &tag));
        for bit in 0..SYSDATA * 8 {
            let mut changed = sysdata;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!keys.verify(&changed, &trailer, &tag), "bit {bit}");
        }
        for other in [
            Trailer { sequence: 6, ..trailer },
            Trailer { tai_ns: 7, ..trailer },
            Trailer { session: 8, ..trailer },
            Trailer { origin: Origin { mark: 9, ..origin }, ..trailer },
            Trailer { incomplete: true, ..trailer },
        ] {
            assert!(!keys.verify(&sysdata, &other, &tag), "{other:?}");
        }
        assert!(!link.session(&[1; 16], &[3; 16]).verify(&sysdata, &trailer, &tag));
        assert!(!keys.verify(&sysdata, &trailer, &[0; TAG]));
    }
}
