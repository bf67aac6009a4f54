//! Options of the devices, and the private data that FFmpeg writes them to.

use crate::error::Error;
use crate::layout::{AVClass, AVOption};
use crate::libav::Libav;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::offset_of;

/// An option that is a text, allocated and freed by FFmpeg.
pub(crate) type Text = *const c_char;

/// What FFmpeg allocates for each open device: class, options, and our state.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Private {
    class: *const AVClass,
    pub(crate) conn_type: Text,
    pub(crate) urn: Text,
    pub(crate) ip_addr: Text,
    pub(crate) mcast_sip_addr: Text,
    pub(crate) transport: Text,
    pub(crate) transport_pixel_format: Text,
    pub(crate) rdma_provider: Text,
    pub(crate) end_of_stream: Text,
    pub(crate) delivery: Text,
    pub(crate) video_size: Text,
    pub(crate) pixel_format: Text,
    pub(crate) frame_rate: Text,
    pub(crate) ptime: Text,
    pub(crate) port: c_int,
    pub(crate) payload_type: c_int,
    pub(crate) conn_delay: c_int,
    pub(crate) buf_queue_cap: c_int,
    pub(crate) rdma_num_endpoints: c_int,
    pub(crate) wait_receivers: c_int,
    pub(crate) stall_timeout: c_int,
    pub(crate) channels: c_int,
    pub(crate) sample_rate: c_int,
    /// A box of the demuxer or muxer, from header to close.
    pub(crate) state: *mut c_void,
}

/// The value of a text option; `None` if it was not given and has no default.
///
/// # Safety
/// `text` is a text option of a live [`Private`].
pub(crate) unsafe fn text(name: &'static str, text: Text) -> Result<Option<String>, Error> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: FFmpeg made it a C string.
    let text = unsafe { CStr::from_ptr(text) };
    match text.to_str() {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => Err(Error::option(name, text.to_string_lossy(), "UTF-8 is needed")),
    }
}

/// Which devices have an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Video.
    Video,
    /// Audio.
    Audio,
}

/// Which way the frames of a device go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// A muxer: a source of the mesh.
    Tx,
    /// A demuxer: a receiver of the mesh.
    Rx,
}

enum Value {
    Text(Option<&'static CStr>),
    Int(c_int, c_int, c_int),
}

struct Row {
    name: &'static CStr,
    help: &'static CStr,
    offset: usize,
    value: Value,
}

const ENCODING: c_int = 1;
const DECODING: c_int = 2;
const AUDIO: c_int = 8;
const VIDEO: c_int = 16;

/// Version of libavutil whose `AVClass` ours is: that of FFmpeg 5.1, the oldest.
const CLASS_VERSION: c_int = (57 << 16) | (28 << 8) | 100;

macro_rules! text {
    ($name:ident, $default:expr, $help:literal) => {
        text!($name as $name, $default, $help)
    };
    ($name:ident as $field:ident, $default:expr, $help:literal) => {
        Row {
            name: c_name(concat!(stringify!($name), "\0")),
            help: $help,
            offset: offset_of!(Private, $field),
            value: Value::Text($default),
        }
    };
}

macro_rules! int {
    ($name:ident, $default:expr, $min:expr, $max:expr, $help:literal) => {
        Row {
            name: c_name(concat!(stringify!($name), "\0")),
            help: $help,
            offset: offset_of!(Private, $name),
            value: Value::Int($default, $min, $max),
        }
    };
}

/// A C string from a literal that ends in a zero byte.
fn c_name(text: &'static str) -> &'static CStr {
    CStr::from_bytes_with_nul(text.as_bytes()).unwrap_or(c"")
}

/// The options of a device.
fn rows(kind: Kind, direction: Direction) -> Vec<Row> {
    let video = kind == Kind::Video;
    let tx = direction == Direction::Tx;
    // A muxer takes these from its stream, where they are not given.
    let unless_tx = |default: &'static CStr| (!tx).then_some(default);
    let mut rows = vec![
        text!(conn_type, Some(c"multipoint-group"), c"connection type: multipoint-group or st2110"),
        text!(urn, None, c"name of the multipoint group (default: the URL, or 192.168.97.1)"),
        text!(ip_addr, Some(c"192.168.96.1"), c"ST 2110: IP address"),
        int!(port, 9001, 1, 65535, c"ST 2110: UDP port"),
        text!(mcast_sip_addr, None, c"ST 2110: multicast source filter IP address"),
        text!(
            transport,
            Some(if video { c"st2110-20" } else { c"st2110-30" }),
            c"ST 2110: transport type"
        ),
        int!(payload_type, if video { 112 } else { 111 }, 0, 127, c"ST 2110: RTP payload type"),
        int!(conn_delay, 0, 0, 10000, c"connection creation delay in ms, for old commands"),
        int!(
            buf_queue_cap,
            if video { 8 } else { 16 },
            2,
            128,
            c"frames that may be sent and not yet received; the source's value counts"
        ),
        text!(rdma_provider, Some(c"tcp"), c"RDMA provider between hosts: tcp or verbs"),
        int!(rdma_num_endpoints, 1, 1, 8, c"RDMA endpoints between hosts"),
        text!(
            end_of_stream,
            Some(c"close"),
            c"when the source ends: close, or wait for the next one"
        ),
        text!(delivery, None, c"reliable, or live: a late receiver misses frames"),
    ];
    if tx {
        rows.extend([
            int!(wait_receivers, 0, 0, 128, c"wait for so many receivers before the first frame"),
            int!(
                stall_timeout,
                1000,
                1,
                60000,
                c"ms that one receiver may keep this source waiting before it misses frames"
            ),
        ]);
    }
    if video {
        rows.extend([
            text!(
                transport_pixel_format,
                Some(c"yuv422p10rfc4175"),
                c"ST 2110: pixel format on the wire"
            ),
            text!(video_size, unless_tx(c"1920x1080"), c"frame size, as 1920x1080 or hd720"),
            text!(pixel_format, unless_tx(c"yuv422p10le"), c"pixel format"),
            text!(frame_rate, unless_tx(c"25"), c"frames per second, as 25, 60000/1001 or ntsc"),
            text!(framerate as frame_rate, unless_tx(c"25"), c"the same as frame_rate"),
        ]);
    } else {
        let (channels, rate) = if tx { (0, 0) } else { (2, 48000) };
        rows.extend([
            int!(channels, channels, if tx { 0 } else { 1 }, 64, c"number of channels"),
            int!(sample_rate, rate, if tx { 0 } else { 1 }, 192_000, c"samples per second"),
            text!(ptime, Some(c"1ms"), c"packet time: audio in one frame of the mesh"),
        ]);
    }
    rows
}

/// The class of a device. It lives for ever, as FFmpeg keeps it.
pub(crate) fn class(
    libav: &Libav,
    name: &'static CStr,
    kind: Kind,
    direction: Direction,
) -> &'static AVClass {
    let coding = if direction == Direction::Tx { ENCODING } else { DECODING };
    let flags = coding | if kind == Kind::Video { VIDEO } else { AUDIO };
    let mut options: Vec<AVOption> = rows(kind, direction)
        .into_iter()
        .map(|row| {
            let (kind, default, min, max) = match row.value {
                Value::Text(default) => {
                    let default = default.map_or(0, |text| text.as_ptr().expose_provenance());
                    (libav.layout.string_option, default as u64, 0, 0)
                }
                Value::Int(default, min, max) => {
                    (libav.layout.int_option, default as u64, min, max)
                }
            };
            AVOption {
                name: row.name.as_ptr(),
                help: row.help.as_ptr(),
                offset: row.offset as c_int,
                kind,
                default,
                min: f64::from(min),
                max: f64::from(max),
                flags,
                unit: std::ptr::null(),
            }
        })
        .collect();
    options.push(AVOption {
        name: std::ptr::null(),
        help: std::ptr::null(),
        offset: 0,
        kind: 0,
        default: 0,
        min: 0.0,
        max: 0.0,
        flags: 0,
        unit: std::ptr::null(),
    });
    // AV_CLASS_CATEGORY_DEVICE_VIDEO_OUTPUT and those behind it. The general ones for devices are not listed as devices.
    let category = match (kind, direction) {
        (Kind::Video, Direction::Tx) => 40,
        (Kind::Video, Direction::Rx) => 41,
        (Kind::Audio, Direction::Tx) => 42,
        (Kind::Audio, Direction::Rx) => 43,
    };
    Box::leak(Box::new(AVClass {
        class_name: name.as_ptr(),
        item_name: libav.call.av_default_item_name,
        option: options.leak().as_ptr(),
        version: CLASS_VERSION,
        log_level_offset: 0,
        parent_log_context_offset: 0,
        category,
        rest: [0; 8],
    }))
}
