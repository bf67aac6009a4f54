//! The rules that a configuration of a connection must meet, wherever it came from.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::connection::{ConnectionConfig, MAX_METADATA_SIZE, MAX_PAYLOAD_SIZE};
use crate::endpoint::{Endpoint, St2110, Transport};
use crate::error::{ConfigError, quoted};
use crate::options::Options;
use crate::payload::Payload;
use crate::pixel::PixelFormat;

pub(crate) const QUEUE_CAPACITY: RangeInclusive<u16> = 2..=128;
pub(crate) const PAYLOAD_SIZE: RangeInclusive<u32> = 0..=MAX_PAYLOAD_SIZE;
pub(crate) const METADATA_SIZE: RangeInclusive<u32> = 0..=MAX_METADATA_SIZE;
pub(crate) const CREATION_DELAY_MS: RangeInclusive<u32> = 0..=u32::MAX;
pub(crate) const PORT: RangeInclusive<u16> = 1..=u16::MAX;
pub(crate) const PAYLOAD_TYPE: RangeInclusive<u8> = 0..=127;
pub(crate) const NUM_ENDPOINTS: RangeInclusive<u8> = 1..=8;
pub(crate) const STALL_TIMEOUT_MS: RangeInclusive<u32> = 1..=60_000;
pub(crate) const WAIT_FOR_RECEIVERS: RangeInclusive<u32> = 0..=128;
const MAX_URN: usize = 1024;

impl ConnectionConfig {
    /// Checks every rule: the ranges of all numbers, and that the parts fit together.
    ///
    /// [`ConnectionConfig::from_json`] has done so already; a configuration that came in another way, such as by gRPC, needs it.
    ///
    /// # Errors
    /// Invalid if a value is out of its range, Incompatible if values that are each fine do not fit together: 44.1 kHz with 1 ms, a
    /// blob with ST 2110, video in ST 2110-30, a `maxPayloadSize` below the size of a frame (except for ST 2110-22, whose frames are
    /// compressed).
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("bufferQueueCapacity", self.queue_capacity, QUEUE_CAPACITY)?;
        within("maxPayloadSize", self.max_payload_size, PAYLOAD_SIZE)?;
        within("maxMetadataSize", self.max_metadata_size, METADATA_SIZE)?;
        within_ms("connCreationDelayMilliseconds", self.creation_delay, CREATION_DELAY_MS)?;
        check_endpoint(&self.endpoint)?;
        check_options(&self.options)?;
        if let Payload::Video(video) = self.payload {
            video.rate.check()?;
        }
        let raw = self.payload.size()?;
        check_transport(&self.endpoint, &self.payload)?;
        check_size(self, raw)
    }
}

/// Refuses a number outside its range.
pub(crate) fn within<T: PartialOrd + Display>(
    path: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<T, ConfigError> {
    if range.contains(&value) {
        return Ok(value);
    }
    Err(ConfigError::invalid(path, value, format!("{} to {}", range.start(), range.end())))
}

fn within_ms(path: &str, value: Duration, range: RangeInclusive<u32>) -> Result<(), ConfigError> {
    let ms = |ms: &u32| Duration::from_millis(u64::from(*ms));
    if (ms(range.start())..=ms(range.end())).contains(&value) {
        return Ok(());
    }
    let allowed = format!("{} to {} ms", range.start(), range.end());
    Err(ConfigError::invalid(path, format!("{value:?}"), allowed))
}

fn check_endpoint(endpoint: &Endpoint) -> Result<(), ConfigError> {
    match endpoint {
        Endpoint::MultipointGroup { urn } => {
            if urn.is_empty() || urn.len() > MAX_URN || urn.chars().any(char::is_control) {
                let allowed = format!("1 to {MAX_URN} bytes without control characters");
                return Err(ConfigError::invalid(
                    "connection.multipointGroup.urn",
                    quoted(urn),
                    allowed,
                ));
            }
            Ok(())
        }
        Endpoint::St2110(stream) => check_stream(stream),
        Endpoint::Rdma(_) => Ok(()),
    }
}

fn check_stream(stream: &St2110) -> Result<(), ConfigError> {
    if stream.ip_addr.is_unspecified() {
        let path = "connection.st2110.ipAddr";
        return Err(ConfigError::invalid(path, stream.ip_addr, "the address of a host or group"));
    }
    within("connection.st2110.port", stream.port, PORT)?;
    within("connection.st2110.payloadType", stream.payload_type, PAYLOAD_TYPE)?;
    if let Some(sender) = stream.mcast_sip_addr {
        let path = "connection.st2110.multicastSourceIpAddr";
        if sender.is_unspecified() || sender.is_multicast() {
            return Err(ConfigError::invalid(path, sender, "the address of one host"));
        }
        if sender.is_ipv4() != stream.ip_addr.is_ipv4() {
            let allowed = format!("an address of the same IP version as {}", stream.ip_addr);
            return Err(ConfigError::incompatible(path, sender, allowed));
        }
    }
    if stream.transport_pixel_format != PixelFormat::Yuv422p10Rfc4175 {
        return Err(ConfigError::invalid(
            "connection.st2110.transportPixelFormat",
            quoted(stream.transport_pixel_format.name()),
            PixelFormat::Yuv422p10Rfc4175,
        ));
    }
    Ok(())
}

fn check_options(options: &Options) -> Result<(), ConfigError> {
    within("options.rdma.numEndpoints", options.rdma.num_endpoints, NUM_ENDPOINTS)?;
    within_ms("options.stallTimeoutMilliseconds", options.stall_timeout, STALL_TIMEOUT_MS)?;
    within("options.waitForReceivers", options.wait_for_receivers, WAIT_FOR_RECEIVERS)?;
    Ok(())
}

fn check_transport(endpoint: &Endpoint, payload: &Payload) -> Result<(), ConfigError> {
    let needed = match endpoint {
        Endpoint::MultipointGroup { .. } => return Ok(()),
        Endpoint::Rdma(_) => match payload {
            Payload::Blob => "video or audio with rdma; a blob needs multipointGroup",
            Payload::Video(_) | Payload::Audio(_) => return Ok(()),
        },
        Endpoint::St2110(stream) => match (stream.transport, payload) {
            (Transport::St2110_20 | Transport::St2110_22, Payload::Video(_))
            | (Transport::St2110_30, Payload::Audio(_)) => return Ok(()),
            (Transport::St2110_20, _) => "video with transport st2110-20",
            (Transport::St2110_22, _) => "video with transport st2110-22",
            (Transport::St2110_30, _) => "audio with transport st2110-30",
        },
    };
    Err(ConfigError::incompatible("payload", payload.kind(), needed))
}

/// `raw` is the size that follows from the payload, if one does.
fn check_size(config: &ConnectionConfig, raw: Option<usize>) -> Result<(), ConfigError> {
    let size = config.max_payload_size as usize;
    let Some(raw) = raw else {
        if size == 0 {
            let allowed = format!("1 to {MAX_PAYLOAD_SIZE} for a blob");
            return Err(ConfigError::invalid("maxPayloadSize", 0, allowed));
        }
        return Ok(());
    };
    let path = format!("payload.{}", config.payload.kind());
    let compressed = matches!(&config.endpoint, Endpoint::St2110(stream) if stream.transport == Transport::St2110_22);
    if raw > MAX_PAYLOAD_SIZE as usize && (size == 0 || !compressed) {
        let found = format!("{raw} bytes a buffer");
        let allowed = format!("at most {MAX_PAYLOAD_SIZE} bytes (1 GiB)");
        return Err(ConfigError::incompatible(path, found, allowed));
    }
    if size != 0 && size < raw && !compressed {
        let allowed = format!("0, or at least {raw}, the size that follows from {path}");
        return Err(ConfigError::incompatible("maxPayloadSize", size, allowed));
    }
    Ok(())
}
