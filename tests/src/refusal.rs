//! What a program learns when it is refused.

use mcm::{Client, OpenError};
use proto::Kind;
use serde_json::Value;

/// Why a source or receiver with this configuration is refused.
///
/// # Panics
/// If it is not.
#[must_use]
#[track_caller]
pub fn refusal(client: &Client, end: Kind, config: &Value) -> OpenError {
    let config = config.to_string();
    let opened = match end {
        Kind::Source => client.source(&config).map(drop),
        Kind::Receiver => client.receiver(&config).map(drop),
    };
    opened.expect_err("a refusal")
}
