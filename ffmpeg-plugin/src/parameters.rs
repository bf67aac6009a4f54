//! Codec parameters. The offsets of their fields depend on FFmpeg's version, so they are set and
//! read by name, as options of a codec context.

use crate::context::{Context, Stream};
use crate::error::Error;
use crate::libav::Libav;
use std::ffi::{CStr, CString, c_int, c_void};

/// A codec context of our own.
struct CodecContext {
    libav: &'static Libav,
    pointer: *mut c_void,
}

impl CodecContext {
    /// One for a decoder, or for none.
    fn new(libav: &'static Libav, decoder: Option<c_int>) -> Result<Self, Error> {
        // SAFETY: a number of a codec; a codec of FFmpeg or null.
        let pointer = unsafe {
            let codec = decoder.map(|number| (libav.call.avcodec_find_decoder)(number));
            if codec.is_some_and(<*const c_void>::is_null) {
                return Err(Error::Data("this FFmpeg has no decoder for the format".into()));
            }
            (libav.call.avcodec_alloc_context3)(codec.unwrap_or(std::ptr::null()))
        };
        if pointer.is_null() {
            return Err(Error::Libav { call: "avcodec_alloc_context3", code: -libc::ENOMEM });
        }
        Ok(Self { libav, pointer })
    }

    fn set(&self, name: &'static CStr, value: &CStr) -> Result<(), Error> {
        // SAFETY: the context lives; C strings.
        let code =
            unsafe { (self.libav.call.av_opt_set)(self.pointer, name.as_ptr(), value.as_ptr(), 0) };
        if code < 0 {
            let what = format!("{} {}", name.to_string_lossy(), value.to_string_lossy());
            return Err(Error::Data(format!("FFmpeg does not take {what}")));
        }
        Ok(())
    }

    fn get(&self, name: &'static CStr) -> Result<String, Error> {
        // SAFETY: the context lives.
        unsafe { self.libav.call.get(self.pointer, name) }
            .ok_or_else(|| Error::Data(format!("FFmpeg does not tell {}", name.to_string_lossy())))
    }

    fn store(&self, stream: Stream) -> Result<(), Error> {
        // The default of encoders would be taken for the stream's.
        self.set(c"b", c"0")?;
        let call = "avcodec_parameters_from_context";
        // SAFETY: both live.
        let code = unsafe {
            (self.libav.call.avcodec_parameters_from_context)(stream.parameters(), self.pointer)
        };
        if code < 0 { Err(Error::Libav { call, code }) } else { Ok(()) }
    }
}

impl Drop for CodecContext {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { (self.libav.call.avcodec_free_context)(&raw mut self.pointer) };
    }
}

fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::Data("a zero byte in a text".into()))
}

/// Makes a stream one of video.
pub(crate) fn set_video(
    context: Context,
    stream: Stream,
    codec: c_int,
    (width, height): (u32, u32),
    format: Option<&str>,
    interlaced: bool,
) -> Result<(), Error> {
    let codec = CodecContext::new(context.libav(), Some(codec))?;
    codec.set(c"video_size", &c_string(&format!("{width}x{height}"))?)?;
    if let Some(format) = format {
        codec.set(c"pixel_format", &c_string(format)?)?;
    }
    if interlaced {
        // The field with the top line comes first.
        codec.set(c"field_order", c"tt")?;
    }
    codec.store(stream)
}

/// Makes a stream one of audio.
pub(crate) fn set_audio(
    context: Context,
    stream: Stream,
    codec: c_int,
    channels: c_int,
    sample_rate: c_int,
) -> Result<(), Error> {
    let codec = CodecContext::new(context.libav(), Some(codec))?;
    let layout = context.libav().call.channel_layout(channels);
    let layout = layout
        .ok_or_else(|| Error::Data(format!("FFmpeg has no layout of {channels} channels")))?;
    codec.set(c"ch_layout", &layout)?;
    codec.set(c"ar", &c_string(&sample_rate.to_string())?)?;
    codec.store(stream)
}

/// Field order of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fields {
    /// Nothing.
    Unknown,
    /// There are none: it is progressive.
    None,
    /// The field with the first line comes first.
    TopFirst,
    /// The field with the second line comes first.
    BottomFirst,
}

impl Fields {
    /// Whether frames have fields.
    pub(crate) fn are_there(self) -> bool {
        matches!(self, Self::TopFirst | Self::BottomFirst)
    }
}

/// The parameters of an output's stream.
pub(crate) struct Parameters {
    codec: c_int,
    context: CodecContext,
}

impl Parameters {
    /// Reads them.
    pub(crate) fn of(context: Context, stream: Stream) -> Result<Self, Error> {
        let parameters = stream.parameters();
        // SAFETY: parameters begin with type and codec.
        let codec = unsafe { crate::check::field::<c_int>(parameters, 4) };
        let made = CodecContext::new(context.libav(), None)?;
        let call = "avcodec_parameters_to_context";
        // SAFETY: both live.
        let code = unsafe {
            (context.libav().call.avcodec_parameters_to_context)(made.pointer, parameters)
        };
        if code < 0 {
            return Err(Error::Libav { call, code });
        }
        Ok(Self { codec, context: made })
    }

    /// The number of the codec.
    pub(crate) fn codec(&self) -> c_int {
        self.codec
    }

    /// Width and height.
    pub(crate) fn size(&self) -> Result<(u32, u32), Error> {
        let text = self.context.get(c"video_size")?;
        let size = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
        size.filter(|(w, h)| *w > 0 && *h > 0)
            .ok_or_else(|| Error::Data(format!("frame size of the stream: found {text}")))
    }

    /// The name of the pixel format.
    pub(crate) fn pixel_format(&self) -> Result<String, Error> {
        self.context.get(c"pixel_format")
    }

    /// Whether frames consist of fields, and which one comes first.
    pub(crate) fn fields(&self) -> Result<Fields, Error> {
        // FFmpeg's programs write TB and BT for what decoders call TT and BB.
        Ok(match self.context.get(c"field_order")?.as_str() {
            "1" | "progressive" => Fields::None,
            "2" | "tt" | "4" | "tb" => Fields::TopFirst,
            "3" | "bb" | "5" | "bt" => Fields::BottomFirst,
            _ => Fields::Unknown,
        })
    }

    /// Channels and samples per second.
    pub(crate) fn audio(&self) -> Result<(u32, u32), Error> {
        let layout = self.context.get(c"ch_layout")?;
        let channels = self.context.libav.call.channels(&layout);
        let rate = self.context.get(c"ar")?;
        channels
            .and_then(|channels| u32::try_from(channels).ok())
            .zip(rate.parse().ok())
            .ok_or_else(|| Error::Data(format!("audio of the stream: found {layout}, {rate} Hz")))
    }
}
