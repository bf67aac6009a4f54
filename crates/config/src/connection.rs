//! The configuration of a connection.

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::options::Options;
use crate::stream::Codec;
use media::Payload;
use st2110::Transport;
use st2110::video::WireFormat;

/// The largest payload of a buffer, in bytes: 1 GiB.
pub const MAX_PAYLOAD_SIZE: u32 = 1 << 30;
/// The largest metadata of a buffer, in bytes: 16 MiB.
pub const MAX_METADATA_SIZE: u32 = 16 << 20;

/// The configuration of one connection of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionConfig {
    /// Buffers in the queue, 2 to 128.
    pub queue_capacity: u16,
    /// Bytes for the payload in each buffer; 0 means the size that follows from the payload.
    pub max_payload_size: u32,
    /// Bytes for metadata in each buffer.
    pub max_metadata_size: u32,
    /// Pause between the creation of the connection and its first buffer. Kept for old programs;
    /// nothing needs it.
    pub creation_delay: Duration,
    /// Where the connection leads.
    pub endpoint: Endpoint,
    /// What it carries.
    pub payload: Payload,
    /// How it behaves.
    pub options: Options,
}

impl ConnectionConfig {
    /// The default of [`ConnectionConfig::queue_capacity`].
    pub const DEFAULT_QUEUE_CAPACITY: u16 = 16;

    /// A configuration with every default.
    pub fn new(endpoint: Endpoint, payload: Payload) -> Self {
        Self {
            queue_capacity: Self::DEFAULT_QUEUE_CAPACITY,
            max_payload_size: 0,
            max_metadata_size: 0,
            creation_delay: Duration::ZERO,
            endpoint,
            payload,
            options: Options::default(),
        }
    }

    /// Who encodes and decodes; `None` unless the transport is ST 2110-22.
    ///
    /// Where the configuration does not say, it is the mesh, unless `max_payload_size` is too small
    /// for a raw frame: such buffers can only be meant for codestreams of the program.
    pub fn codec(&self) -> Option<Codec> {
        let Endpoint::St2110(stream) = &self.endpoint else { return None };
        if stream.transport != Transport::St2110_22 {
            return None;
        }
        let raw = self.payload.size().ok().flatten().unwrap_or(0);
        let small = self.max_payload_size != 0 && (self.max_payload_size as usize) < raw;
        Some(stream.codec.unwrap_or(if small { Codec::Application } else { Codec::JpegXs }))
    }

    /// Sampling and depth on the wire; `None` unless this is video over ST 2110.
    pub fn wire_format(&self) -> Option<WireFormat> {
        let (Endpoint::St2110(stream), Payload::Video(video)) = (&self.endpoint, &self.payload)
        else {
            return None;
        };
        Some(stream.wire_format.unwrap_or(WireFormat::of(video.pixel_format)))
    }

    /// Bytes of the payload partition of each buffer: `max_payload_size`, or what follows from the
    /// payload if that is 0.
    ///
    /// Meaningful for a validated configuration; 0 if no size can be given.
    pub fn payload_size(&self) -> u32 {
        if self.max_payload_size != 0 {
            return self.max_payload_size;
        }
        let size = self.payload.size().ok().flatten().unwrap_or(0);
        u32::try_from(size).unwrap_or(0)
    }

    /// Bytes of the metadata partition of each buffer.
    pub fn metadata_size(&self) -> u32 {
        self.max_metadata_size
    }

    /// How long a source waits for one receiver before it stops counting it:
    /// [`Options::stall_timeout`], and for an ST 2110 stream at least four frame periods. The
    /// network takes one frame each period and no more, however long that is.
    pub fn stall_time(&self) -> Duration {
        const PERIODS: u64 = 4;
        let rate = match (&self.endpoint, &self.payload) {
            (Endpoint::St2110(_), Payload::Video(video)) => Some(video.rate),
            (Endpoint::St2110(_), Payload::Ancillary(ancillary)) => Some(ancillary.rate),
            _ => None,
        };
        let least = rate.map_or(0, |rate| rate.period_ns().saturating_mul(PERIODS));
        self.options.stall_timeout.max(Duration::from_nanos(least))
    }

    /// The name under which the connections of one group find each other; see
    /// [`Endpoint::group_id`].
    pub fn group_id(&self) -> String {
        self.endpoint.group_id()
    }
}
