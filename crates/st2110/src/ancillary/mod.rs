//! Ancillary data: ST 291-1 packets over RTP by RFC 8331 (ST 2110-40).
//!
//! # Bytes of a frame in the mesh
//!
//! A buffer of payload kind `ancillary`, and the metadata of video with an associated ancillary
//! stream, hold a *block*: the packets of one frame.
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 2 | number of packets of the frame, or of its first field if the picture is interlaced; big endian |
//! | 2 | 2 | number of packets of the second field; 0 if the picture is not interlaced |
//! | 4 | | the packets, those of the second field last, each as in RFC 8331 §2.1 from its C bit to its `word_align` |
//!
//! One packet, in bits: C 1, Line_Number 11, Horizontal_Offset 12, S 1, StreamNum 7, then words of
//! 10 bits: DID, SDID, Data_Count, that many user data words, checksum; then zero bits up to a
//! multiple of 32. An empty block is four zero bytes; so is no block at all.

mod bits;
mod block;
mod collector;
mod error;
mod packet;
mod payload;

pub use block::{Block, HEAD, write_block};
pub use collector::{Collected, Collector, Counts};
pub use error::{AncillaryError, AncillaryPacketError};
pub use packet::{MAX_PACKET, Packet, PacketView, parity_word};
pub use payload::{FieldMark, PAYLOAD_HEADER, PayloadHeader, Payloads, parse_payload};
