//! The configuration of a connection.

use std::time::Duration;

use crate::connection_json;
use crate::endpoint::Endpoint;
use crate::error::ConfigError;
use crate::options::Options;
use crate::payload::Payload;

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
    /// Pause between the creation of the connection and its first buffer. Kept for old programs; nothing needs it.
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

    /// Reads and validates the JSON that a program gives. Trailing commas and comments are accepted.
    ///
    /// Unknown keys are accepted, and reported through [`log`] as warnings with their path.
    ///
    /// # Errors
    /// Malformed if the text is not JSON; otherwise as [`ConnectionConfig::validate`], and Invalid for wrong types, unknown words and
    /// missing or repeated keys.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let config = connection_json::read(text)?;
        config.validate()?;
        Ok(config)
    }

    /// Bytes of the payload partition of each buffer: `max_payload_size`, or what follows from the payload if that is 0.
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

    /// The name under which the connections of one group find each other; see [`Endpoint::group_id`].
    pub fn group_id(&self) -> String {
        self.endpoint.group_id()
    }
}
