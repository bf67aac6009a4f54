//! Datagrams of `mcm.exchange.v1`: size limits, and the number of descriptors that each message
//! carries.

use crate::error::ProtoError;
use crate::exchange::{FromClient, FromProxy, from_client, from_proxy};
use crate::sdk::ConnectionKind;
use prost::Message;

/// The version of the exchange protocol that this crate speaks.
pub const VERSION: u32 = 1;

/// The longest message in bytes; a receive buffer of this size takes every message.
pub const MAX_LEN: usize = 64 * 1024;

/// The most descriptors that one message carries.
pub const MAX_DESCRIPTORS: usize = 3;

/// Encodes what a client says.
///
/// # Errors
/// [`ProtoError::TooLong`] if the message exceeds [`MAX_LEN`].
pub fn encode_from_client(body: from_client::Body) -> Result<Vec<u8>, ProtoError> {
    encode(&FromClient { body: Some(body) })
}

/// Encodes what the proxy says.
///
/// # Errors
/// [`ProtoError::TooLong`] if the message exceeds [`MAX_LEN`].
pub fn encode_from_proxy(body: from_proxy::Body) -> Result<Vec<u8>, ProtoError> {
    encode(&FromProxy { body: Some(body) })
}

/// Decodes what a client said, and checks that it carries `descriptors` as the protocol wants it.
///
/// # Errors
/// The bytes are no known message, too many, or the number of descriptors does not fit.
pub fn decode_from_client(
    bytes: &[u8],
    descriptors: usize,
) -> Result<from_client::Body, ProtoError> {
    use from_client::Body;
    let body = decode::<FromClient>(bytes)?.body.ok_or(ProtoError::UnknownMessage)?;
    let (message, allowed, expected): (_, &[usize], _) = match &body {
        Body::Hello(_) => ("Hello", &[1], "1"),
        Body::Announce(announce) => {
            let source = announce
                .config
                .as_ref()
                .is_some_and(|config| config.kind == ConnectionKind::ConnKindTransmitter as i32);
            if source {
                ("Announce of a source", &[2], "2 (pool, board)")
            } else if announce.ring_id.is_empty() {
                ("Announce of a receiver", &[1], "1 (standby seat)")
            } else {
                ("Announce of a receiver with a ring", &[2], "2 (standby seat, seat in use)")
            }
        }
        Body::Standby(_) => ("Standby", &[1], "1"),
        Body::Joined(_) => ("Joined", &[0], "0"),
        Body::Goodbye(_) => ("Goodbye", &[0], "0"),
        Body::Ask(_) => ("Ask", &[0], "0"),
    };
    expect(message, descriptors, allowed, expected)?;
    Ok(body)
}

/// Decodes what the proxy said, and checks that it carries `descriptors` as the protocol wants it.
///
/// # Errors
/// The bytes are no known message, too many, or the number of descriptors does not fit.
pub fn decode_from_proxy(bytes: &[u8], descriptors: usize) -> Result<from_proxy::Body, ProtoError> {
    use from_proxy::Body;
    let body = decode::<FromProxy>(bytes)?.body.ok_or(ProtoError::UnknownMessage)?;
    let (message, allowed, expected): (_, &[usize], _) = match &body {
        Body::Join(_) => ("Join", &[2], "2 (seat, pidfd)"),
        Body::Ring(_) => ("Ring", &[3], "3 (pool, board, pidfd)"),
        Body::Welcome(_) => ("Welcome", &[0], "0"),
        Body::Created(_) => ("Created", &[0], "0"),
        Body::Refused(_) => ("Refused", &[0], "0"),
        Body::Part(_) => ("Part", &[0], "0"),
        Body::NeedSeat(_) => ("NeedSeat", &[0], "0"),
        Body::Closed(_) => ("Closed", &[0], "0"),
        Body::Told(_) => ("Told", &[0], "0"),
    };
    expect(message, descriptors, allowed, expected)?;
    Ok(body)
}

fn encode(message: &impl Message) -> Result<Vec<u8>, ProtoError> {
    let len = message.encoded_len();
    if len > MAX_LEN {
        return Err(ProtoError::TooLong { len, max: MAX_LEN });
    }
    Ok(message.encode_to_vec())
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, ProtoError> {
    if bytes.len() > MAX_LEN {
        return Err(ProtoError::TooLong { len: bytes.len(), max: MAX_LEN });
    }
    Ok(M::decode(bytes)?)
}

fn expect(
    message: &'static str,
    found: usize,
    allowed: &[usize],
    expected: &'static str,
) -> Result<(), ProtoError> {
    if allowed.contains(&found) {
        Ok(())
    } else {
        Err(ProtoError::Descriptors { message, found, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Announce, Goodbye, Hello, Refused, Ring};
    use crate::sdk::ConnectionConfig;

    #[test]
    fn messages_survive_the_way() {
        let hello = Hello { version: 1, client_id: "c".into(), program: "p".into(), pid: 7 };
        let bytes = encode_from_client(from_client::Body::Hello(hello.clone())).unwrap();
        assert_eq!(decode_from_client(&bytes, 1).unwrap(), from_client::Body::Hello(hello));
        let ring = Ring { key: 1, ring_id: vec![1; 16], start: 9 };
        let bytes = encode_from_proxy(from_proxy::Body::Ring(ring.clone())).unwrap();
        assert_eq!(decode_from_proxy(&bytes, 3).unwrap(), from_proxy::Body::Ring(ring));
    }

    #[test]
    fn descriptors_are_counted() {
        let bytes = encode_from_client(from_client::Body::Goodbye(Goodbye { key: 1 })).unwrap();
        assert!(decode_from_client(&bytes, 0).is_ok());
        let error = decode_from_client(&bytes, 1).unwrap_err().to_string();
        assert_eq!(error, "Goodbye carries 1 file descriptors, 0 are expected");

        let mut announce = Announce { key: 1, ..Default::default() };
        announce.config = Some(ConnectionConfig { kind: 0, ..Default::default() });
        let bytes = encode_from_client(from_client::Body::Announce(announce.clone())).unwrap();
        assert!(decode_from_client(&bytes, 2).is_ok());
        assert!(decode_from_client(&bytes, 1).is_err());
        announce.config = Some(ConnectionConfig { kind: 1, ..Default::default() });
        let bytes = encode_from_client(from_client::Body::Announce(announce.clone())).unwrap();
        assert!(decode_from_client(&bytes, 1).is_ok());
        assert!(decode_from_client(&bytes, 2).is_err());
        announce.ring_id = vec![0; 16];
        let bytes = encode_from_client(from_client::Body::Announce(announce)).unwrap();
        assert!(decode_from_client(&bytes, 2).is_ok());
    }

    #[test]
    fn garbage_and_excess_are_errors() {
        assert!(matches!(decode_from_client(&[], 0), Err(ProtoError::UnknownMessage)));
        assert!(matches!(decode_from_client(&[0xff; 9], 0), Err(ProtoError::Malformed(_))));
        let long = vec![0; MAX_LEN + 1];
        assert!(matches!(decode_from_proxy(&long, 0), Err(ProtoError::TooLong { .. })));
        let refused = Refused { key: 1, code: 1010, reason: "x".repeat(MAX_LEN) };
        let error = encode_from_proxy(from_proxy::Body::Refused(refused)).unwrap_err();
        assert!(matches!(error, ProtoError::TooLong { .. }));
    }
}
