//! The rules that a configuration of a connection must meet, wherever it came from.

mod compatibility;
pub(crate) mod stream;

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::connection::{ConnectionConfig, MAX_METADATA_SIZE, MAX_PAYLOAD_SIZE};
use crate::endpoint::Endpoint;
use crate::options::Options;
use crate::rules::stream::{check_payload, check_stream};
use crate::stream::{Codec, SecondPath};
use media::text::{is_unprintable, quoted};
use media::{Ancillary, ConfigError, Payload};

pub(crate) const QUEUE_CAPACITY: RangeInclusive<u16> = 2..=128;
pub(crate) const PAYLOAD_SIZE: RangeInclusive<u32> = 0..=MAX_PAYLOAD_SIZE;
pub(crate) const METADATA_SIZE: RangeInclusive<u32> = 0..=MAX_METADATA_SIZE;
pub(crate) const CREATION_DELAY_MS: RangeInclusive<u32> = 0..=u32::MAX;
pub(crate) const PORT: RangeInclusive<u16> = 1..=u16::MAX;
pub(crate) const PAYLOAD_TYPE: RangeInclusive<u8> = 0..=127;
pub(crate) const TTL: RangeInclusive<u8> = 1..=255;
pub(crate) const DSCP: RangeInclusive<u8> = 0..=63;
pub(crate) const SKEW_MS: RangeInclusive<u32> = 0..=SecondPath::MAX_SKEW.as_millis() as u32;
pub(crate) const NUM_ENDPOINTS: RangeInclusive<u8> = 1..=8;
pub(crate) const STALL_TIMEOUT_MS: RangeInclusive<u32> = 1..=60_000;
pub(crate) const WAIT_FOR_RECEIVERS: RangeInclusive<u32> = 0..=128;
const MAX_URN: usize = 1024;

impl ConnectionConfig {
    /// Checks every rule: the ranges of all numbers, and that the parts fit together.
    ///
    /// [`ConnectionConfig::from_json`] and [`ConnectionConfig::from_sdk`] have done so already; a
    /// configuration that a program has put together needs it.
    ///
    /// # Errors
    /// Invalid if a value is out of its range, Incompatible if values that are each fine do not fit
    /// together: 44.1 kHz with 1 ms, a blob with ST 2110, video in ST 2110-30, a `maxPayloadSize`
    /// below the size of a frame (except for codestreams, which are smaller, see
    /// [`ConnectionConfig::codec`]), audio that does not fit a packet.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("bufferQueueCapacity", self.queue_capacity, QUEUE_CAPACITY)?;
        within("maxPayloadSize", self.max_payload_size, PAYLOAD_SIZE)?;
        within("maxMetadataSize", self.max_metadata_size, METADATA_SIZE)?;
        within_ms("connCreationDelayMilliseconds", self.creation_delay, CREATION_DELAY_MS)?;
        check_endpoint(&self.endpoint)?;
        check_options(&self.options)?;
        match self.payload {
            Payload::Video(video) => video.rate.check()?,
            Payload::Ancillary(ancillary) => {
                let checked = ancillary.rate.check();
                checked.map_err(|error| error.at("payload.ancillary.fps"))?;
            }
            Payload::Audio(_) | Payload::Blob => {}
        }
        let raw = self.payload.size()?;
        check_transport(self)?;
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

pub(crate) fn within_ms(
    path: &str,
    value: Duration,
    range: RangeInclusive<u32>,
) -> Result<(), ConfigError> {
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
            // It is printed in logs and tables: nothing that could change how these look, and
            // something to see.
            let bad = urn.trim().is_empty() || urn.chars().any(is_unprintable);
            if bad || urn.len() > MAX_URN {
                let allowed = format!(
                    "1 to {MAX_URN} bytes, not only blanks, without control characters and marks of the writing direction"
                );
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

fn check_options(options: &Options) -> Result<(), ConfigError> {
    within("options.rdma.numEndpoints", options.rdma.num_endpoints, NUM_ENDPOINTS)?;
    within_ms("options.stallTimeoutMilliseconds", options.stall_timeout, STALL_TIMEOUT_MS)?;
    within("options.waitForReceivers", options.wait_for_receivers, WAIT_FOR_RECEIVERS)?;
    Ok(())
}

fn check_transport(config: &ConnectionConfig) -> Result<(), ConfigError> {
    match (&config.endpoint, &config.payload) {
        (Endpoint::St2110(stream), _) => check_payload(stream, config),
        (Endpoint::Rdma(_), Payload::Blob) => {
            let allowed = "video, audio or ancillary with rdma; a blob needs multipointGroup";
            Err(ConfigError::incompatible("payload", "blob", allowed))
        }
        (Endpoint::Rdma(_) | Endpoint::MultipointGroup { .. }, _) => Ok(()),
    }
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
    if let Payload::Ancillary(_) = config.payload {
        if size != 0 && size < Ancillary::MIN_SIZE as usize {
            let allowed = format!("0, or at least {} for ancillary data", Ancillary::MIN_SIZE);
            return Err(ConfigError::incompatible("maxPayloadSize", size, allowed));
        }
        return Ok(());
    }
    let compressed = config.codec() == Some(Codec::Application);
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
