//! Uncompressed video: RFC 4175 packets as SMPTE ST 2110-20 profiles them.
//!
//! * [`WireFormat`], [`Scan`], [`Packing`], [`Picture`]: what a stream carries, with the names of
//!   its session description.
//! * [`Conversion`]: between the pgroups of the wire and frames in memory, in scalar code and AVX2.
//! * [`Packetiser`]: the packets of a frame, planned once, written straight into a sending buffer.
//! * [`Depacketiser`] and [`Arrival`]: places hostile packets into a frame, and knows what is
//!   missing.
//!
//! A frame in memory is always whole: the lines of both fields or segments lie in it in turn. The
//! first field has the even lines. On the wire each field numbers its own lines from 0.
//!
//! ```
//! use st2110::video::*;
//!
//! let picture = Picture::new(WireFormat::YCBCR_422_10, 1920, 1080, Scan::Progressive)?;
//! let layout = FrameLayout::Mesh(media::PixelFormat::Yuv422p10le);
//! let packetiser = Packetiser::new(picture, layout, Packing::General, MAX_UDP_PAYLOAD)?;
//! assert_eq!(packetiser.packets(Field::First), 4320);
//! let depacketiser = Depacketiser::new(picture, layout, RowNumbering::PerField)?;
//!
//! let sent = vec![1; packetiser.frame_size()];
//! let mut received = vec![0; depacketiser.frame_size()];
//! let mut arrival = Arrival::new(picture);
//! let mut datagrams = vec![0; 44 * 1452];
//! for first in (0..4320).step_by(40) {
//!     packetiser.write(&sent, Field::First, first..first + 40, 0, &mut datagrams)?;
//!     for datagram in datagrams[..40 * 1220].chunks(1220) {
//!         depacketiser.place(&datagram[12..], &mut received, &mut arrival)?;
//!     }
//! }
//! assert!(arrival.is_complete());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arrival;
mod colour;
mod conversion;
#[cfg(test)]
mod conversion_tests;
mod depacketiser;
mod divisor;
mod error;
mod format;
mod header;
mod kernels;
mod packetiser;
mod packing;
mod picture;
mod place;
mod plan;
#[cfg(test)]
mod properties;

pub use arrival::{Arrival, Missing};
pub use colour::{Colorimetry, Colour, SampleRange, TransferCharacteristic};
pub use conversion::{Conversion, Direction, FrameLayout};
pub use depacketiser::{Depacketiser, RowNumbering};
pub use error::{PacketError, VideoError};
pub use format::{Depth, Pgroup, Sampling, WireFormat};
pub use header::{PayloadHeader, RTP_HEADER};
pub use kernels::Simd;
pub use media::Scan;
pub use packetiser::Packetiser;
pub use packing::Packing;
pub use picture::{Field, Picture, Segment};
pub use plan::{LARGEST_UDP_PAYLOAD, MAX_UDP_PAYLOAD};
