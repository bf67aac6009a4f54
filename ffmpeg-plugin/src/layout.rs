//! Layout of FFmpeg's structures: offsets in bytes, on 64-bit machines.
//!
//! They are those of the headers of FFmpeg 5.1 to 9.0. `tests/layout.c` compares them with the
//! installed headers.

use std::ffi::{c_char, c_int, c_void};

/// `AVRational`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Rational {
    pub(crate) num: c_int,
    pub(crate) den: c_int,
}

/// `AVChannelLayout`, with room to spare: only its first two fields are looked at.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct AVChannelLayout {
    order: c_int,
    pub(crate) channels: c_int,
    rest: [u64; 14],
}

/// `AVClass`. The last field stands for those that were added later.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct AVClass {
    pub(crate) class_name: *const c_char,
    pub(crate) item_name: unsafe extern "C" fn(*mut c_void) -> *const c_char,
    pub(crate) option: *const AVOption,
    pub(crate) version: c_int,
    pub(crate) log_level_offset: c_int,
    pub(crate) parent_log_context_offset: c_int,
    pub(crate) category: c_int,
    pub(crate) rest: [usize; 8],
}

/// `AVOption`.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct AVOption {
    pub(crate) name: *const c_char,
    pub(crate) help: *const c_char,
    pub(crate) offset: c_int,
    pub(crate) kind: c_int,
    /// A union: an integer, or a pointer to a text.
    pub(crate) default: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) flags: c_int,
    pub(crate) unit: *const c_char,
}

/// `AVPacket`, up to the last field that is used.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct AVPacket {
    pub(crate) buf: *mut c_void,
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) data: *mut u8,
    pub(crate) size: c_int,
    pub(crate) stream_index: c_int,
    pub(crate) flags: c_int,
    side_data: *mut c_void,
    side_data_elems: c_int,
    pub(crate) duration: i64,
}

/// `AVFrame`, up to the last field that is used.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct AVFrame {
    pub(crate) data: [*const u8; 8],
    pub(crate) linesize: [c_int; 8],
    extended_data: *mut c_void,
    pub(crate) width: c_int,
    pub(crate) height: c_int,
    nb_samples: c_int,
    pub(crate) format: c_int,
}

/// `AVInputFormat`, with the fields that newer versions keep right behind it. Those that moved stay
/// zero.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct InputFormat {
    pub(crate) name: *const c_char,
    pub(crate) long_name: *const c_char,
    pub(crate) flags: c_int,
    pub(crate) extensions: *const c_char,
    pub(crate) codec_tag: *const c_void,
    pub(crate) priv_class: *const AVClass,
    pub(crate) mime_type: *const c_char,
    pub(crate) raw_codec_id: c_int,
    pub(crate) priv_data_size: c_int,
    pub(crate) flags_internal: c_int,
    pub(crate) read_probe: usize,
    pub(crate) read_header: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    pub(crate) read_packet: Option<unsafe extern "C" fn(*mut c_void, *mut AVPacket) -> c_int>,
    pub(crate) read_close: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    pub(crate) rest: [usize; 19],
}

// SAFETY: made once and never changed; what it points to lives for ever.
unsafe impl Sync for InputFormat {}

/// `AVOutputFormat`, with the fields that newer versions keep right behind it. Those that moved
/// stay zero.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct OutputFormat {
    pub(crate) name: *const c_char,
    pub(crate) long_name: *const c_char,
    pub(crate) mime_type: *const c_char,
    pub(crate) extensions: *const c_char,
    pub(crate) audio_codec: c_int,
    pub(crate) video_codec: c_int,
    pub(crate) subtitle_codec: c_int,
    pub(crate) flags: c_int,
    pub(crate) codec_tag: *const c_void,
    pub(crate) priv_class: *const AVClass,
    pub(crate) priv_data_size: c_int,
    pub(crate) flags_internal: c_int,
    pub(crate) write_header: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    pub(crate) write_packet: Option<unsafe extern "C" fn(*mut c_void, *mut AVPacket) -> c_int>,
    pub(crate) write_trailer: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    pub(crate) rest: [usize; 19],
}

// SAFETY: made once and never changed; what it points to lives for ever.
unsafe impl Sync for OutputFormat {}

/// `AVFMT_NOFILE`: there is no file to open.
pub(crate) const NO_FILE: c_int = 1;
/// `AVFMT_FLAG_NONBLOCK`.
pub(crate) const NON_BLOCK: c_int = 4;
/// `AV_NOPTS_VALUE`.
pub(crate) const NO_PTS: i64 = i64::MIN;
/// `AV_PKT_FLAG_KEY`.
pub(crate) const KEY: c_int = 1;
/// `AV_PKT_FLAG_CORRUPT`.
pub(crate) const CORRUPT: c_int = 2;
/// `AV_BUFFER_FLAG_READONLY`.
pub(crate) const READ_ONLY: c_int = 1;
/// `AV_INPUT_BUFFER_PADDING_SIZE`: bytes behind a packet that may be read.
pub(crate) const PADDING: usize = 64;

/// Fields of `AVFormatContext` that are at the same place everywhere.
pub(crate) mod context {
    pub(crate) const PRIV_DATA: usize = 24;
    pub(crate) const NB_STREAMS: usize = 44;
    pub(crate) const STREAMS: usize = 48;
}

/// Layout that depends on the major version of libavformat, and on options that FFmpeg itself
/// describes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// `AVFormatContext.url`.
    pub(crate) url: usize,
    /// `AVFormatContext.flags`.
    pub(crate) flags: usize,
    /// `AVFormatContext.interrupt_callback`.
    pub(crate) interrupt_callback: usize,
    /// `AVStream.codecpar`.
    pub(crate) codecpar: usize,
    /// `AVStream.time_base`.
    pub(crate) time_base: usize,
    /// `AVStream.avg_frame_rate`.
    pub(crate) avg_frame_rate: usize,
    /// `AVStream.r_frame_rate`; `None` if the self-check did not find it there.
    pub(crate) r_frame_rate: Option<usize>,
    /// The number of `AV_OPT_TYPE_INT`.
    pub(crate) int_option: c_int,
    /// The number of `AV_OPT_TYPE_STRING`.
    pub(crate) string_option: c_int,
}

impl Layout {
    /// The layout of a major version of libavformat, without what the options tell; `None` if it is
    /// not known.
    pub(crate) fn of(major: u32) -> Option<Self> {
        let oldest = Self {
            url: 56,
            flags: 0,
            interrupt_callback: 200,
            codecpar: 208,
            time_base: 16,
            avg_frame_rate: 72,
            r_frame_rate: Some(200),
            int_option: 0,
            string_option: 0,
        };
        let streams_have_a_class = Self {
            codecpar: 16,
            time_base: 32,
            avg_frame_rate: 88,
            r_frame_rate: Some(216),
            ..oldest
        };
        let contexts_changed = Self { url: 88, interrupt_callback: 216, ..streams_have_a_class };
        match major {
            59 => Some(oldest),
            60 => Some(streams_have_a_class),
            61 => Some(contexts_changed),
            // Streams have no side data any more.
            62 | 63 => Some(Self { r_frame_rate: Some(204), ..contexts_changed }),
            _ => None,
        }
    }
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<AVOption>() == 64);
    assert!(offset_of!(AVClass, category) == 36);
    assert!(offset_of!(AVPacket, duration) == 64);
    assert!(offset_of!(AVFrame, format) == 116);
    assert!(offset_of!(InputFormat, raw_codec_id) == 56);
    assert!(offset_of!(InputFormat, priv_data_size) == 60);
    assert!(offset_of!(InputFormat, read_header) == 80);
    assert!(offset_of!(InputFormat, read_close) == 96);
    assert!(offset_of!(OutputFormat, priv_data_size) == 64);
    assert!(offset_of!(OutputFormat, write_header) == 72);
    assert!(offset_of!(OutputFormat, write_trailer) == 88);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_major_versions_have_a_layout() {
        for major in 0..100 {
            assert_eq!(Layout::of(major).is_some(), (59..=63).contains(&major), "{major}");
        }
    }

    #[test]
    fn streams_changed_in_60_and_contexts_in_61() {
        let layouts = [59, 60, 61].map(|major| Layout::of(major).unwrap());
        assert_eq!(layouts.map(|layout| layout.codecpar), [208, 16, 16]);
        assert_eq!(layouts.map(|layout| layout.interrupt_callback), [200, 200, 216]);
        let layouts = [59, 60, 61, 62, 63].map(|major| Layout::of(major).unwrap());
        assert_eq!(
            layouts.map(|layout| layout.r_frame_rate),
            [Some(200), Some(216), Some(216), Some(204), Some(204)]
        );
    }
}
