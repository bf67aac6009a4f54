//! The `AVFormatContext` of an open device.

use crate::check::field;
use crate::error::Error;
use crate::layout::{Layout, NON_BLOCK, Rational, context};
use crate::libav::Libav;
use crate::options::Private;
use std::ffi::{CStr, CString, c_char, c_int, c_void};

const LOG_ERROR: c_int = 16;
const LOG_WARNING: c_int = 24;

/// A context that FFmpeg has called us with. Valid for that call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    libav: &'static Libav,
    pointer: *mut c_void,
}

impl Context {
    /// `None` before registration, which cannot be.
    ///
    /// # Safety
    /// `pointer` is an `AVFormatContext` of one of our devices, and is not used after the
    /// callback's end.
    pub(crate) unsafe fn new(pointer: *mut c_void) -> Option<Self> {
        Some(Self { libav: Libav::get()?, pointer })
    }

    pub(crate) fn libav(self) -> &'static Libav {
        self.libav
    }

    /// The device's options, and what it keeps.
    pub(crate) fn private(self) -> *mut Private {
        // SAFETY: the context has this field; FFmpeg has made our private data there.
        unsafe { field(self.pointer, context::PRIV_DATA) }
    }

    /// The output or input URL, which is the group's name.
    pub(crate) fn url(self) -> String {
        // SAFETY: the offset has been verified at registration; null or a C string.
        unsafe {
            let url = field::<*const c_char>(self.pointer, self.libav.layout.url);
            if url.is_null() { String::new() } else { CStr::from_ptr(url).to_string_lossy().into() }
        }
    }

    /// Whether a read may not block.
    pub(crate) fn may_not_block(self) -> bool {
        // SAFETY: the offset is FFmpeg's own.
        unsafe { field::<c_int>(self.pointer, self.libav.layout.flags) & NON_BLOCK != 0 }
    }

    /// Whether the program's callback asks to end.
    pub(crate) fn wants_to_end(self) -> bool {
        type Callback = Option<unsafe extern "C" fn(*mut c_void) -> c_int>;
        let offset = self.libav.layout.interrupt_callback;
        // SAFETY: the offset has been verified at registration; FFmpeg's contract for the callback.
        unsafe {
            let callback = field::<Callback>(self.pointer, offset);
            let opaque = field::<*mut c_void>(self.pointer, offset + 8);
            callback.is_some_and(|callback| callback(opaque) != 0)
        }
    }

    /// The only stream of an output.
    pub(crate) fn stream(self) -> Result<Stream, Error> {
        // SAFETY: the offsets have been verified at registration.
        unsafe {
            match field::<u32>(self.pointer, context::NB_STREAMS) {
                1 => {
                    let streams = field::<*const *mut c_void>(self.pointer, context::STREAMS);
                    Ok(Stream { libav: self.libav, pointer: *streams })
                }
                other => Err(Error::Data(format!("{other} streams; this device takes one"))),
            }
        }
    }

    /// A new stream of an input.
    pub(crate) fn new_stream(self) -> Result<Stream, Error> {
        let call = "avformat_new_stream";
        // SAFETY: the context is an input being opened.
        let pointer =
            unsafe { (self.libav.call.avformat_new_stream)(self.pointer, std::ptr::null()) };
        if pointer.is_null() {
            return Err(Error::Libav { call, code: -libc::ENOMEM });
        }
        Ok(Stream { libav: self.libav, pointer })
    }

    /// Lets the opening of an input end before its first frame is there.
    ///
    /// Otherwise FFmpeg would read until it knows the first time. A program that opens two devices
    /// would not open the second one before the first one has a frame, which its source may not
    /// send before there are two. The programs of FFmpeg would also begin each input at 0, and so
    /// tear video and audio apart. Where the options are missing, that is all.
    pub(crate) fn open_without_a_frame(self) {
        for option in [c"max_ts_probe", c"fpsprobesize"] {
            // SAFETY: the context begins with its class; C strings.
            unsafe {
                (self.libav.call.av_opt_set)(self.pointer, option.as_ptr(), c"0".as_ptr(), 0)
            };
        }
    }

    pub(crate) fn log_error(self, text: &str) {
        self.log(LOG_ERROR, text);
    }

    pub(crate) fn log_warning(self, text: &str) {
        self.log(LOG_WARNING, text);
    }

    fn log(self, level: c_int, text: &str) {
        // One line, whatever it is made of.
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let Ok(line) = CString::new(line) else { return };
        // SAFETY: the context begins with its class; the format takes one C string.
        unsafe { (self.libav.log)(self.pointer, level, c"%s\n".as_ptr(), line.as_ptr()) };
    }
}

/// An `AVStream`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    libav: &'static Libav,
    pointer: *mut c_void,
}

impl Stream {
    /// Its `AVCodecParameters`.
    pub(crate) fn parameters(self) -> *mut c_void {
        // SAFETY: the offset has been verified at registration.
        unsafe { field(self.pointer, self.libav.layout.codecpar) }
    }

    /// Sets the unit of its times: so many ticks in `seconds`.
    pub(crate) fn set_time_base(self, ticks: u32, seconds: u32) {
        // SAFETY: a stream of FFmpeg.
        unsafe { (self.libav.call.avpriv_set_pts_info)(self.pointer, 64, seconds, ticks) };
    }

    /// Its frame rate; 0/0 or 0/1 if that is not known.
    pub(crate) fn frame_rate(self) -> Rational {
        // SAFETY: the offset follows from the version that has been verified at registration.
        unsafe { field(self.pointer, self.libav.layout.avg_frame_rate) }
    }

    /// The unit of its times, in seconds; 0/0 or 0/1 if that is not known.
    pub(crate) fn time_base(self) -> Rational {
        // SAFETY: the offset has been verified at registration.
        unsafe { field(self.pointer, self.libav.layout.time_base) }
    }

    /// Sets its frame rate, both the average and the one that FFmpeg would guess from the unit of
    /// its times.
    pub(crate) fn set_frame_rate(self, rate: Rational) {
        let Layout { avg_frame_rate, r_frame_rate, .. } = self.libav.layout;
        for offset in [Some(avg_frame_rate), r_frame_rate].into_iter().flatten() {
            // SAFETY: as above; we are the one who makes this stream.
            unsafe { self.pointer.byte_add(offset).cast::<Rational>().write(rate) };
        }
    }
}
