//! The options of an open device as Rust values.

use crate::context::Context;
use crate::description;
use crate::error::Error;
use crate::options::{Direction, Private, UNSET, text};
use ::config::sdp::Description;
use std::ffi::c_int;

/// The user's options; `None` where an option was not given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// The output or input URL.
    pub(crate) url: String,
    pub(crate) conn_type: Option<String>,
    pub(crate) urn: Option<String>,
    pub(crate) stream: Stream,
    pub(crate) earlier: Earlier,
    pub(crate) rdma_provider: Option<String>,
    pub(crate) rdma_num_endpoints: c_int,
    pub(crate) end_of_stream: Option<String>,
    pub(crate) delivery: Option<String>,
    pub(crate) conn_delay: c_int,
    pub(crate) buf_queue_cap: Option<u32>,
    pub(crate) wait_receivers: c_int,
    pub(crate) stall_timeout: c_int,
    /// Milliseconds.
    pub(crate) group_timeout: Option<u32>,
    /// Milliseconds.
    pub(crate) wait_timeout: Option<u32>,
    pub(crate) video_size: Option<String>,
    pub(crate) pixel_format: Option<String>,
    pub(crate) frame_rate: Option<String>,
    pub(crate) scan: Option<String>,
    pub(crate) sample_format: Option<String>,
    pub(crate) channels: Option<u32>,
    pub(crate) sample_rate: Option<u32>,
    pub(crate) ptime: Option<String>,
}

/// A stream of ST 2110.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) first: Path,
    pub(crate) second: Path,
    /// Milliseconds that the two may be apart.
    pub(crate) second_skew: Option<u32>,
    pub(crate) transport: Option<String>,
    pub(crate) payload_type: Option<String>,
    pub(crate) transport_pixel_format: Option<String>,
    pub(crate) sampling: Option<String>,
    pub(crate) depth: Option<u32>,
    pub(crate) pacing: Option<String>,
    pub(crate) packing: Option<String>,
    pub(crate) packet_mode: Option<String>,
    pub(crate) colorimetry: Option<String>,
    pub(crate) tcs: Option<String>,
    pub(crate) range: Option<String>,
    pub(crate) incomplete_frames: Option<String>,
    pub(crate) bits_per_pixel: Option<String>,
    pub(crate) coding_quality: Option<String>,
    pub(crate) max_udp: Option<u32>,
    pub(crate) ttl: Option<u32>,
    pub(crate) dscp: Option<u32>,
    pub(crate) sdp: Option<String>,
    /// Its contents, once it has been read.
    pub(crate) description: Option<Description>,
}

/// One of its ways through the network.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path {
    pub(crate) ip_addr: Option<String>,
    pub(crate) port: Option<u32>,
    pub(crate) mcast_sip_addr: Option<String>,
    pub(crate) interface: Option<String>,
}

/// Options of earlier releases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Earlier {
    pub(crate) protocol_type: Option<String>,
    pub(crate) socket_name: Option<String>,
    pub(crate) interface_id: Option<String>,
}

impl Settings {
    /// Reads them, and the session description that they name.
    pub(crate) fn of(context: Context, direction: Direction) -> Result<Self, Error> {
        let mut settings = Self::given(context)?;
        description::read(&mut settings, direction)?;
        Ok(settings)
    }

    fn given(context: Context) -> Result<Self, Error> {
        // SAFETY: FFmpeg has made the private data and set the options; they are read, by this
        // thread only.
        let private: &Private = unsafe { &*context.private() };
        // SAFETY: the same for each of the texts.
        let word = |name, value| unsafe { text(name, value) };
        Ok(Self {
            url: context.url(),
            conn_type: word("conn_type", private.conn_type)?,
            urn: word("urn", private.urn)?,
            stream: Stream {
                first: Path {
                    ip_addr: word("ip_addr", private.ip_addr)?,
                    port: number(private.port),
                    mcast_sip_addr: word("mcast_sip_addr", private.mcast_sip_addr)?,
                    interface: word("interface", private.interface)?,
                },
                second: Path {
                    ip_addr: word("second_ip_addr", private.second_ip_addr)?,
                    port: number(private.second_port),
                    mcast_sip_addr: word("second_mcast_sip_addr", private.second_mcast_sip_addr)?,
                    interface: word("second_interface", private.second_interface)?,
                },
                second_skew: number(private.second_skew),
                transport: word("transport", private.transport)?,
                payload_type: word("payload_type", private.payload_type)?,
                transport_pixel_format: word(
                    "transport_pixel_format",
                    private.transport_pixel_format,
                )?,
                sampling: word("sampling", private.sampling)?,
                // Audio devices have neither this nor max_udp, and so the zero of fresh memory.
                depth: number(private.depth).filter(|depth| *depth > 0),
                pacing: word("pacing", private.pacing)?,
                packing: word("packing", private.packing)?,
                packet_mode: word("packet_mode", private.packet_mode)?,
                colorimetry: word("colorimetry", private.colorimetry)?,
                tcs: word("tcs", private.tcs)?,
                range: word("range", private.range)?,
                incomplete_frames: word("incomplete_frames", private.incomplete_frames)?,
                bits_per_pixel: word("bits_per_pixel", private.bits_per_pixel)?,
                coding_quality: word("coding_quality", private.coding_quality)?,
                max_udp: number(private.max_udp).filter(|bytes| *bytes > 0),
                ttl: number(private.ttl),
                dscp: number(private.dscp),
                sdp: word("sdp", private.sdp)?,
                description: None,
            },
            earlier: Earlier {
                protocol_type: word("protocol_type", private.protocol_type)?,
                socket_name: word("socket_name", private.socket_name)?,
                interface_id: word("interface_id", private.interface_id)?,
            },
            rdma_provider: word("rdma_provider", private.rdma_provider)?,
            rdma_num_endpoints: private.rdma_num_endpoints,
            end_of_stream: word("end_of_stream", private.end_of_stream)?,
            delivery: word("delivery", private.delivery)?,
            conn_delay: private.conn_delay,
            buf_queue_cap: number(private.buf_queue_cap),
            wait_receivers: private.wait_receivers,
            stall_timeout: private.stall_timeout,
            group_timeout: number(private.group_timeout),
            wait_timeout: number(private.wait_timeout),
            video_size: word("video_size", private.video_size)?,
            pixel_format: word("pixel_format", private.pixel_format)?,
            frame_rate: word("frame_rate", private.frame_rate)?,
            scan: word("scan", private.scan)?,
            sample_format: word("sample_format", private.sample_format)?,
            channels: number(private.channels).filter(|channels| *channels > 0),
            sample_rate: number(private.sample_rate).filter(|rate| *rate > 0),
            ptime: word("ptime", private.ptime)?,
        })
    }
}

/// A number that FFmpeg keeps within its option's range, whose least one stands for none.
fn number(value: c_int) -> Option<u32> {
    const { assert!(UNSET < 0) };
    u32::try_from(value).ok()
}
