//! JPEG XS encoding and decoding of frames, by SVT-JPEG-XS (`libSvtJpegxs.so.0`).
//!
//! The library is no dependency: [`Library::load`] looks for it at run time, and says what to
//! install where there is none. Codestreams can be sent and received without it, see
//! [`st2110::jpegxs`].
//!
//! [`Encoder`] and [`Decoder`] take one picture after the other and return when it is done; the
//! library spreads the work over threads. A picture is a frame, or one of the two fields of a frame
//! in memory whose lines alternate.

mod abi;
mod decoder;
mod encoder;
mod error;
mod library;
mod planes;

pub use decoder::Decoder;
pub use encoder::{Encoder, EncoderOptions};
pub use error::JpegXsCodecError;
pub use library::Library;
pub use planes::Layout;
