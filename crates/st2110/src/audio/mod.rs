//! Audio: PCM by ST 2110-30 (AES67, RFC 3190, RFC 3551) and AES3 by ST 2110-31 (AM824).
//!
//! A frame of the mesh is one packet time of interleaved samples. Sending, it becomes the payload
//! of one packet ([`Packetiser`]). Receiving, packets of any packet time are cut anew into frames
//! by their RTP timestamps ([`Reslicer`]).
//!
//! | in memory | -30 on the wire | -31 on the wire |
//! |---|---|---|
//! | `pcm_s8` | L8: samples offset by 128 (RFC 3551 §4.5.10), not part of ST 2110-30 | – |
//! | `pcm_s16be` | L16, the same bytes | – |
//! | `pcm_s24be` | L24, the same bytes | AM824, with channel status made here |
//! | `am824` | – | AM824, the same bytes |

mod aes3;
mod coding;
mod error;
mod packetiser;
mod reslicer;
mod window;

pub use aes3::{BLOCK_FRAMES, Subframe};
pub use coding::{Coding, StreamFormat};
pub use error::{AudioError, AudioPacketError};
pub use packetiser::Packetiser;
pub use reslicer::{Counts, Reslicer, Slice};

/// Bytes of samples that fit a packet: 1460 bytes of UDP (ST 2110-10, standard UDP size limit) less
/// the headers of UDP and RTP.
pub const MAX_PAYLOAD: usize = 1460 - 8 - 12;
