//! The devices' private data, to which FFmpeg writes the options.

use crate::devices::{Device, Essence};
use crate::error::Error;
use crate::layout::{AVClass, AVOption};
use crate::libav::Libav;
use crate::option_table::{Value, rows};
use std::ffi::{CStr, c_char, c_int, c_void};

/// An option that is a text, allocated and freed by FFmpeg.
pub(crate) type Text = *const c_char;

/// The private data that FFmpeg allocates for each open device: class, options, and the plugin's
/// state. Texts that were not given and have no default are null; such numbers are [`UNSET`], or 0
/// where FFmpeg's own devices use 0.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Private {
    class: *const AVClass,
    pub(crate) conn_type: Text,
    pub(crate) urn: Text,
    pub(crate) ip_addr: Text,
    pub(crate) mcast_sip_addr: Text,
    pub(crate) interface: Text,
    pub(crate) second_ip_addr: Text,
    pub(crate) second_mcast_sip_addr: Text,
    pub(crate) second_interface: Text,
    pub(crate) transport: Text,
    pub(crate) payload_type: Text,
    pub(crate) transport_pixel_format: Text,
    pub(crate) sampling: Text,
    pub(crate) pacing: Text,
    pub(crate) packing: Text,
    pub(crate) packet_mode: Text,
    pub(crate) colorimetry: Text,
    pub(crate) tcs: Text,
    pub(crate) range: Text,
    pub(crate) incomplete_frames: Text,
    pub(crate) bits_per_pixel: Text,
    pub(crate) coding_quality: Text,
    pub(crate) sdp: Text,
    pub(crate) rdma_provider: Text,
    pub(crate) end_of_stream: Text,
    pub(crate) delivery: Text,
    pub(crate) protocol_type: Text,
    pub(crate) socket_name: Text,
    pub(crate) interface_id: Text,
    pub(crate) video_size: Text,
    pub(crate) pixel_format: Text,
    pub(crate) frame_rate: Text,
    pub(crate) scan: Text,
    pub(crate) sample_format: Text,
    pub(crate) ptime: Text,
    pub(crate) port: c_int,
    pub(crate) second_port: c_int,
    pub(crate) second_skew: c_int,
    pub(crate) depth: c_int,
    pub(crate) max_udp: c_int,
    pub(crate) ttl: c_int,
    pub(crate) dscp: c_int,
    pub(crate) conn_delay: c_int,
    pub(crate) buf_queue_cap: c_int,
    pub(crate) rdma_num_endpoints: c_int,
    pub(crate) wait_receivers: c_int,
    pub(crate) stall_timeout: c_int,
    pub(crate) group_timeout: c_int,
    pub(crate) wait_timeout: c_int,
    pub(crate) channels: c_int,
    pub(crate) sample_rate: c_int,
    /// A box of the demuxer or muxer, from header to close.
    pub(crate) state: *mut c_void,
}

/// A number that was not given.
pub(crate) const UNSET: c_int = -1;

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

/// Devices that have an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Video.
    Video,
    /// Audio.
    Audio,
}

/// Direction of a device's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// A muxer: a source of the mesh.
    Tx,
    /// A demuxer: a receiver of the mesh.
    Rx,
}

const ENCODING: c_int = 1;
const DECODING: c_int = 2;
const AUDIO: c_int = 8;
const VIDEO: c_int = 16;

/// Version of libavutil whose `AVClass` ours is: that of FFmpeg 5.1, the oldest.
const CLASS_VERSION: c_int = (57 << 16) | (28 << 8) | 100;

/// The class of a device. It lives for ever, as FFmpeg keeps it.
pub(crate) fn class(
    libav: &Libav,
    device: &'static Device,
    direction: Direction,
) -> &'static AVClass {
    let (kind, any_format) = match device.essence {
        Essence::Video => (Kind::Video, false),
        Essence::Audio(formats) => (Kind::Audio, formats.len() > 1),
    };
    let coding = if direction == Direction::Tx { ENCODING } else { DECODING };
    let flags = coding | if kind == Kind::Video { VIDEO } else { AUDIO };
    let mut options: Vec<AVOption> = rows(kind, direction, any_format)
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
    // AV_CLASS_CATEGORY_DEVICE_VIDEO_OUTPUT and those behind it. The general ones for devices are
    // not listed as devices.
    let category = match (kind, direction) {
        (Kind::Video, Direction::Tx) => 40,
        (Kind::Video, Direction::Rx) => 41,
        (Kind::Audio, Direction::Tx) => 42,
        (Kind::Audio, Direction::Rx) => 43,
    };
    Box::leak(Box::new(AVClass {
        class_name: device.name.as_ptr(),
        item_name: libav.call.av_default_item_name,
        option: options.leak().as_ptr(),
        version: CLASS_VERSION,
        log_level_offset: 0,
        parent_log_context_offset: 0,
        category,
        rest: [0; 8],
    }))
}
