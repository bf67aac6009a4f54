//! Names, defaults, ranges and descriptions of the devices' options.

use crate::options::{Direction, Kind, Private, UNSET};
use std::ffi::{CStr, c_int};
use std::mem::offset_of;

/// Kind, default and range of an option.
pub(crate) enum Value {
    Text(Option<&'static CStr>),
    Int(c_int, c_int, c_int),
}

/// An option.
pub(crate) struct Row {
    pub(crate) name: &'static CStr,
    pub(crate) help: &'static CStr,
    pub(crate) offset: usize,
    pub(crate) value: Value,
}

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
    ($name:ident, $default:expr, $min:expr, $max:expr, $help:expr) => {
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

/// The options of a device. `any_format` is for the audio device that carries every sample format.
pub(crate) fn rows(kind: Kind, direction: Direction, any_format: bool) -> Vec<Row> {
    let mut rows = mesh(kind);
    rows.extend(st2110(kind));
    rows.extend(earlier());
    rows.extend(match direction {
        Direction::Tx => sending(),
        Direction::Rx => receiving(),
    });
    rows.extend(match kind {
        Kind::Video => video(),
        Kind::Audio => audio(),
    });
    if any_format {
        rows.push(text!(
            sample_format,
            None,
            c"pcm_s8, pcm_s16be or pcm_s24be (default: the group's or the stream's)"
        ));
    }
    rows
}

fn mesh(kind: Kind) -> Vec<Row> {
    vec![
        text!(conn_type, Some(c"multipoint-group"), c"connection type: multipoint-group or st2110"),
        text!(urn, None, c"name of the multipoint group (default: the URL, or 192.168.97.1)"),
        int!(conn_delay, 0, 0, 10000, c"connection creation delay in ms, for old commands"),
        int!(
            buf_queue_cap,
            UNSET,
            UNSET,
            128,
            if kind == Kind::Video {
                c"frames that may be sent and not yet received; the source's value counts (default: 8)"
            } else {
                c"packets that may be sent and not yet received; the source's value counts (default: 16, of a received ST 2110 stream 128)"
            }
        ),
        text!(rdma_provider, Some(c"tcp"), c"RDMA provider between hosts: tcp or verbs"),
        int!(rdma_num_endpoints, 1, 1, 8, c"RDMA endpoints between hosts"),
        text!(
            end_of_stream,
            Some(c"close"),
            c"when the source ends: close, or wait for the next one"
        ),
        text!(delivery, None, c"reliable, or live: a late receiver misses frames"),
    ]
}

fn st2110(kind: Kind) -> Vec<Row> {
    let mut rows = vec![
        text!(
            ip_addr,
            None,
            c"ST 2110: destination, or a receiver's multicast group or sender (default: 192.168.96.1)"
        ),
        int!(port, UNSET, UNSET, 65535, c"ST 2110: UDP port (default: 9001)"),
        text!(mcast_sip_addr, None, c"ST 2110: multicast source filter IP address"),
        text!(interface, None, c"ST 2110: IP address of the network interface (default: the proxy's)"),
        text!(second_ip_addr, None, c"ST 2022-7: address of the second path"),
        int!(second_port, UNSET, UNSET, 65535, c"ST 2022-7: UDP port of the second path"),
        text!(second_mcast_sip_addr, None, c"ST 2022-7: source filter of the second path"),
        text!(second_interface, None, c"ST 2022-7: interface of the second path"),
        int!(
            second_skew,
            UNSET,
            UNSET,
            450,
            c"ST 2022-7, input: milliseconds that the paths may be apart (default: 10)"
        ),
        text!(transport, None, c"ST 2110: st2110-20, st2110-22 or st2110-30 (default: as the device)"),
        text!(
            payload_type,
            None,
            c"ST 2110: RTP payload type (default: 112, audio 111); or st20, st22, st30"
        ),
        int!(ttl, UNSET, UNSET, 255, c"ST 2110: hops that multicast packets may make"),
        int!(dscp, UNSET, UNSET, 63, c"ST 2110: DSCP of the packets"),
        text!(incomplete_frames, None, c"ST 2110, input: deliver, repeat or drop"),
        text!(sdp, None, c"ST 2110: SDP, or the name of its file, instead of single options"),
    ];
    if kind == Kind::Video {
        rows.extend([
            text!(
                transport_pixel_format,
                None,
                c"ST 2110: pixel format on the wire: yuv422p10rfc4175 (default: as the frames)"
            ),
            text!(
                sampling,
                None,
                c"ST 2110: samples on the wire, as YCbCr-4:2:2; with depth (default: as the frames)"
            ),
            int!(depth, 0, 0, 16, c"ST 2110: bits of a sample on the wire: 8, 10, 12 or 16"),
            text!(pacing, None, c"ST 2110-21: narrow, linear or wide"),
            text!(packing, None, c"ST 2110-20: gpm or bpm"),
            int!(
                max_udp,
                0,
                0,
                8960,
                c"ST 2110, output: bytes of the largest UDP datagrams (default: 1460)"
            ),
            text!(colorimetry, None, c"ST 2110, output: what the SDP says, as BT2020"),
            text!(tcs, None, c"ST 2110, output: transfer characteristics in the SDP, as PQ"),
            text!(range, None, c"ST 2110, output: range of the samples in the SDP, as FULL"),
            text!(packet_mode, None, c"ST 2110-22, output: codestream or slice"),
            text!(bits_per_pixel, None, c"ST 2110-22, output: bits of JPEG XS for each pixel"),
            text!(coding_quality, None, c"ST 2110-22, output: what the encoder prefers, as speed"),
        ]);
    }
    rows
}

/// Options of releases before 25.03.
fn earlier() -> Vec<Row> {
    vec![
        text!(protocol_type, None, c"of old commands: auto; see conn_type"),
        text!(socket_name, None, c"of old commands: see urn"),
        text!(interface_id, None, c"of old commands: see urn"),
    ]
}

fn sending() -> Vec<Row> {
    vec![
        int!(wait_receivers, 0, 0, 128, c"wait for so many receivers before the first frame"),
        int!(
            stall_timeout,
            1000,
            1,
            60000,
            c"ms that one receiver may keep this source waiting before it misses frames"
        ),
        int!(
            wait_timeout,
            UNSET,
            UNSET,
            c_int::MAX,
            c"ms to wait for the receivers of wait_receivers, then fail (default: for ever)"
        ),
    ]
}

fn receiving() -> Vec<Row> {
    vec![
        int!(
            group_timeout,
            UNSET,
            UNSET,
            c_int::MAX,
            c"ms to wait for the group, to learn the format; then fail if no part of it is given (default: for ever, else 0)"
        ),
        int!(
            wait_timeout,
            UNSET,
            UNSET,
            c_int::MAX,
            c"ms to wait for the group and for each frame, then fail (default: for ever)"
        ),
    ]
}

fn video() -> Vec<Row> {
    vec![
        text!(
            video_size,
            None,
            c"frame size, as 1920x1080 or hd720 (default: the group's, stream's or SDP's)"
        ),
        text!(pixel_format, None, c"pixel format (default: the group's, stream's or SDP's)"),
        text!(
            frame_rate,
            None,
            c"frames per second, as 25, 60000/1001 or ntsc (default: the group's, stream's or SDP's)"
        ),
        text!(framerate as frame_rate, None, c"the same as frame_rate"),
        text!(scan, None, c"progressive, interlaced or psf (default: the group's or SDP's, or progressive)"),
    ]
}

fn audio() -> Vec<Row> {
    vec![
        int!(channels, 0, 0, 64, c"number of channels (default: the group's, stream's or SDP's)"),
        int!(
            sample_rate,
            0,
            0,
            192_000,
            c"samples per second (default: the group's, stream's or SDP's)"
        ),
        text!(
            ptime,
            None,
            c"packet time: audio in one frame of the mesh (default: the group's or SDP's, or 1ms)"
        ),
    ]
}
