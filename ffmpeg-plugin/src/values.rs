//! Sizes and rates: parsing of the user's notation, and the ranges that both the mesh and FFmpeg
//! accept.

use crate::error::Error;
use crate::layout::Rational;
use crate::libav::Libav;
use crate::video::Repacking;
use media::FrameRate;
use std::ffi::{CString, c_int};

/// A frame size, as FFmpeg writes them.
pub(crate) fn parse_size(libav: &Libav, text: &str) -> Result<(u32, u32), Error> {
    let refuse = || {
        Error::option(
            "video_size",
            text,
            "needed: width x height, as 1920x1080, or a name, as hd720",
        )
    };
    let name = CString::new(text).map_err(|_| refuse())?;
    let (mut width, mut height) = (0, 0);
    // SAFETY: two outputs of ours; a C string.
    let code =
        unsafe { (libav.call.av_parse_video_size)(&raw mut width, &raw mut height, name.as_ptr()) };
    let size = u32::try_from(width).ok().zip(u32::try_from(height).ok());
    size.filter(|_| code >= 0).ok_or_else(refuse)
}

/// A frame rate, as FFmpeg writes them.
pub(crate) fn parse_rate(libav: &Libav, text: &str) -> Result<FrameRate, Error> {
    let refuse = || {
        Error::option("frame_rate", text, "needed: frames per second, as 25, 60000/1001 or ntsc")
    };
    let name = CString::new(text).map_err(|_| refuse())?;
    let mut rate = Rational::default();
    // SAFETY: an output of ours; a C string.
    let code = unsafe { (libav.call.av_parse_video_rate)(&raw mut rate, name.as_ptr()) };
    if code < 0 {
        return Err(refuse());
    }
    frame_rate(rate).ok_or_else(refuse)
}

/// The rate in the mesh's form, if it is one.
pub(crate) fn frame_rate(rate: Rational) -> Option<FrameRate> {
    let (num, den) = (u32::try_from(rate.num).ok()?, u32::try_from(rate.den).ok()?);
    FrameRate::new(num, den).ok()
}

/// Refuses sizes that FFmpeg and the mesh count differently, such as odd widths of yuv422p10le.
pub(crate) fn check_size(
    libav: &Libav,
    bytes: usize,
    format: &'static str,
    repacking: Option<&Repacking>,
    (width, height): (u32, u32),
) -> Result<(), Error> {
    let theirs = match (repacking, libav.call.pixel_format(format)) {
        (Some(repacking), _) => Some(repacking.mesh()),
        (None, None) => {
            return Err(Error::Data(format!("this FFmpeg has no pixel format {format}")));
        }
        (None, Some(number)) => {
            // SAFETY: numbers only.
            let size = unsafe {
                (libav.call.av_image_get_buffer_size)(number, width as c_int, height as c_int, 1)
            };
            usize::try_from(size).ok()
        }
    };
    if theirs != Some(bytes) {
        let found = format!("{width}x{height}");
        let reason =
            format!("a frame of {format} has {bytes} bytes in the mesh, but others in FFmpeg");
        return Err(Error::option("video_size", found, reason));
    }
    Ok(())
}
