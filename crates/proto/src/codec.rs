//! The codec of all services here: prost, behind a bound of how many fields a message may have.
//!
//! An empty element of a repeated field takes two bytes on the wire and some hundred in memory, so
//! a limit of bytes alone lets a peer multiply them. Fields are therefore counted before anything
//! is decoded.

use bytes::Buf;
use prost::Message;
use prost::bytes;
use prost::encoding::{WireType, decode_key, decode_varint};
use std::marker::PhantomData;
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// Length-delimited fields that a message may have, those of its submessages among them. A proxy
/// that registers ten thousand connections sends nearly as many.
pub const MAX_FIELDS: usize = 60_000;
/// How deep submessages are looked into.
const DEPTH: u8 = 3;

/// See the [module](self).
#[derive(Debug, Clone)]
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(ProstCodec::<T, U>::raw_decoder(BufferSettings::default()))
    }
}

/// Decodes messages that do not have too many fields.
#[derive(Debug, Clone)]
pub struct BoundedDecoder<U>(ProstDecoder<U>);

impl<U: Message + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buf: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // Tonic keeps a message in one piece.
        let message = buf.chunk();
        if message.len() < buf.remaining() {
            return Err(Status::internal("the message is in several pieces"));
        }
        check(message)?;
        self.0.decode(buf)
    }

    fn buffer_settings(&self) -> BufferSettings {
        self.0.buffer_settings()
    }
}

/// Refuses messages with too many fields.
fn check(message: &[u8]) -> Result<(), Status> {
    // Two bytes are the least that such a field takes.
    if message.len() / 2 <= MAX_FIELDS {
        return Ok(());
    }
    let mut left = MAX_FIELDS;
    count(message, DEPTH, &mut left).ok_or_else(|| {
        Status::resource_exhausted(format!(
            "message of {} bytes has more than {MAX_FIELDS} fields",
            message.len()
        ))
    })
}

/// Counts down for each length-delimited field; `None`: there are too many. What is no message
/// after all counts as far as it looks like one; whether it is right is found when it is decoded.
fn count(mut message: &[u8], depth: u8, left: &mut usize) -> Option<()> {
    while message.has_remaining() {
        let Ok((_, kind)) = decode_key(&mut message) else { return Some(()) };
        let skip = match kind {
            WireType::Varint => {
                if decode_varint(&mut message).is_err() {
                    return Some(());
                }
                continue;
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::StartGroup | WireType::EndGroup => continue,
            WireType::LengthDelimited => {
                let Ok(len) = decode_varint(&mut message) else { return Some(()) };
                let Some(len) = usize::try_from(len).ok().filter(|len| *len <= message.len())
                else {
                    return Some(());
                };
                *left = left.checked_sub(1)?;
                if depth > 1 {
                    count(&message[..len], depth - 1, left)?;
                }
                len
            }
        };
        if skip > message.len() {
            return Some(());
        }
        message.advance(skip);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mediaproxy as pb;

    fn registration(connections: usize, connection: &pb::RegisterConnectionRequest) -> Vec<u8> {
        let extension = pb::ProxyExtension {
            connections: vec![connection.clone(); connections],
            ..Default::default()
        };
        pb::RegisterMediaProxyRequest { extension: Some(extension), ..Default::default() }
            .encode_to_vec()
    }

    #[test]
    fn what_a_large_proxy_registers_passes() {
        let connection = pb::RegisterConnectionRequest {
            proxy_id: "p".repeat(32),
            kind: "rx".into(),
            config: vec![0xff; 200],
            conn_id: "c".repeat(32),
        };
        assert!(check(&registration(10_000, &connection)).is_ok());
    }

    #[test]
    fn multitudes_of_nothing_are_refused_at_every_depth() {
        let empty = pb::RegisterConnectionRequest::default();
        let refusal = check(&registration(MAX_FIELDS, &empty)).unwrap_err();
        assert_eq!(refusal.code(), tonic::Code::ResourceExhausted);
        assert_eq!(refusal.message(), "message of 120005 bytes has more than 60000 fields");
        assert!(check(&registration(MAX_FIELDS / 2, &empty)).is_ok());
        let fields = vec![pb::MetricField::default(); 1000];
        let metric = pb::Metric { fields, ..Default::default() };
        let metrics = pb::SendMetricsRequest { metrics: vec![metric; 60], ..Default::default() };
        assert!(check(&metrics.encode_to_vec()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_counted(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            let mut left = 1000;
            let _counted = count(&bytes, DEPTH, &mut left);
        }
    }
}
