//! Control messages between two proxies of ours: 96 bytes each, authenticated with a key that both
//! got from the agent.
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 4 | `MCMC` |
//! | 4 | 1 | version, 1 |
//! | 5 | 1 | kind: see [`Kind`] |
//! | 6 | 2 | flags: 1 frames are sealed, 2 the stream has ended: see [`Control::ended`] |
//! | 8 | 8 | session |
//! | 16 | 8 | counter, greater in each message of one direction of a session |
//! | 24 | 8 | value: see [`Kind`] |
//! | 32 | 16 | nonce (Connect, Accept); Keepalive: frames received (8 bytes) |
//! | 48 | 4, 2 | IPv4 address and port (little-endian) of the sender's first endpoint (Connect) |
//! | 54 | 1 | endpoints (Connect) |
//! | 55 | 1 | unused |
//! | 56 | 4, 4 | payload size, metadata size (Connect) |
//! | 64 | 32 | HMAC-SHA-256 of all that |

use ring::hmac;

/// Bytes of a control message.
pub const CONTROL: usize = 96;
const SIGNED: usize = 64;
const MAGIC: [u8; 4] = *b"MCMC";
const VERSION: u8 = 1;
const SEALED: u16 = 1;
const ENDED: u16 = 2;

/// Kind of a control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Egress: opens a session. Signed with the link's key.
    Connect = 1,
    /// Ingress: answers a Connect. Signed with the session's key, as are all that follow.
    Accept = 2,
    /// Ingress: refuses the session. The value is a [`Refusal`].
    Refuse = 3,
    /// Keepalive and credit update. Egress: the value is the count of frames sent. Ingress: the
    /// value is the count of frames that may be sent, and the first half of the nonce that of
    /// frames received.
    Keepalive = 4,
    /// Ends the session.
    Close = 5,
}

/// Reason for which an ingress refuses a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The sizes of the partitions differ.
    #[error("the sizes of payload or metadata differ")]
    Sizes = 1,
    /// The number of endpoints differs.
    #[error("the number of endpoints differs")]
    Endpoints = 2,
    /// One side wants frames sealed and the other does not.
    #[error("one side has frames encrypted and the other has not")]
    Sealing = 3,
}

impl Refusal {
    /// The refusal with this number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::Sizes, Self::Endpoints, Self::Sealing]
            .into_iter()
            .find(|known| *known as u64 == number)
    }
}

/// A control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// Its kind.
    pub kind: Kind,
    /// Whether frames are sealed.
    pub sealed: bool,
    /// Keepalive and Close of an egress: the source has ended the stream, and the value is the
    /// count of frames in the session before that. Close of an ingress: it has passed the end on to
    /// its receivers. A proxy that does not know this flag ignores it.
    pub ended: bool,
    /// The session, of the egress' choice.
    pub session: u64,
    /// Greater in each message of one direction.
    pub counter: u64,
    /// See [`Kind`].
    pub value: u64,
    /// Random.
    pub nonce: [u8; 16],
    /// Address for the answer.
    pub address: std::net::SocketAddrV4,
    /// Number of endpoints.
    pub endpoints: u8,
    /// Bytes of the payload partition.
    pub payload_size: u32,
    /// Bytes of the metadata partition.
    pub metadata_size: u32,
}

impl Control {
    /// A message of a session with everything else empty.
    #[must_use]
    pub fn new(kind: Kind, session: u64) -> Self {
        Self {
            kind,
            sealed: false,
            ended: false,
            session,
            counter: 0,
            value: 0,
            nonce: [0; 16],
            address: std::net::SocketAddrV4::new(std::net::Ipv4Addr::UNSPECIFIED, 0),
            endpoints: 0,
            payload_size: 0,
            metadata_size: 0,
        }
    }

    /// Frames received, of an ingress' Keepalive.
    #[must_use]
    pub fn received(&self) -> u64 {
        u64::from_le_bytes(*self.nonce.first_chunk().unwrap_or(&[0; 8]))
    }

    /// The same with a count of frames received.
    #[must_use]
    pub fn with_received(mut self, received: u64) -> Self {
        self.nonce[..8].copy_from_slice(&received.to_le_bytes());
        self
    }

    /// Its bytes, signed.
    #[must_use]
    pub fn sign(&self, key: &hmac::Key) -> [u8; CONTROL] {
        let mut bytes = [0; CONTROL];
        let flag = |set, flag| if set { flag } else { 0 };
        let flags = flag(self.sealed, SEALED) | flag(self.ended, ENDED);
        let mut at = 0;
        let mut put = |part: &[u8]| {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        };
        put(&MAGIC);
        put(&[VERSION, self.kind as u8]);
        put(&flags.to_le_bytes());
        put(&self.session.to_le_bytes());
        put(&self.counter.to_le_bytes());
        put(&self.value.to_le_bytes());
        put(&self.nonce);
        put(&self.address.ip().octets());
        put(&self.address.port().to_le_bytes());
        put(&[self.endpoints, 0]);
        put(&self.payload_size.to_le_bytes());
        put(&self.metadata_size.to_le_bytes());
        let (signed, place) = bytes.split_at_mut(SIGNED);
        place.copy_from_slice(hmac::sign(key, signed).as_ref());
        bytes
    }

    /// Reads a message, whose signature remains to be checked with [`verify`].
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; CONTROL] = bytes.try_into().ok()?;
        if bytes[..4] != MAGIC || bytes[4] != VERSION {
            return None;
        }
        let kinds = [Kind::Connect, Kind::Accept, Kind::Refuse, Kind::Keepalive, Kind::Close];
        let kind = kinds.into_iter().find(|kind| *kind as u8 == bytes[5])?;
        let two = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let four = |at: usize| u32::from(two(at)) | u32::from(two(at + 2)) << 16;
        let eight = |at: usize| u64::from(four(at)) | u64::from(four(at + 4)) << 32;
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&bytes[32..48]);
        let ip = std::net::Ipv4Addr::new(bytes[48], bytes[49], bytes[50], bytes[51]);
        Some(Self {
            kind,
            sealed: two(6) & SEALED != 0,
            ended: two(6) & ENDED != 0,
            session: eight(8),
            counter: eight(16),
            value: eight(24),
            nonce,
            address: std::net::SocketAddrV4::new(ip, two(52)),
            endpoints: bytes[54],
            payload_size: four(56),
            metadata_size: four(60),
        })
    }
}

/// Whether a message was signed with this key.
#[must_use]
pub fn verify(bytes: &[u8], key: &hmac::Key) -> bool {
    bytes.len() == CONTROL && hmac::verify(key, &bytes[..SIGNED], &bytes[SIGNED..]).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(byte: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
    }

    #[test]
    fn messages_come_back_and_every_bit_is_signed() {
        let message = Control {
            kind: Kind::Connect,
            sealed: true,
            ended: true,
            session: 0x0102_0304_0506_0708,
            counter: 9,
            value: 10,
            nonce: [11; 16],
            address: "192.0.2.1:9002".parse().unwrap(),
            endpoints: 3,
            payload_size: 8_294_400,
            metadata_size: 12,
        };
        let bytes = message.sign(&key(1));
        assert_eq!(Control::read(&bytes), Some(message));
        assert!(verify(&bytes, &key(1)) && !verify(&bytes, &key(2)));
        for bit in 0..CONTROL * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!verify(&changed, &key(1)), "bit {bit}");
        }
        assert!(Control::read(&bytes[..95]).is_none() && !verify(&bytes[..95], &key(1)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 90..100)) {
            prop_assert!(!verify(&bytes, &key(1)));
            let mut bytes = bytes;
            bytes[..5].copy_from_slice(b"MCMC\x01");
            let read = Control::read(&bytes);
            prop_assert_eq!(read.is_some(), bytes.len() == CONTROL && (1..=5).contains(&bytes[5]));
        }
    }
}
