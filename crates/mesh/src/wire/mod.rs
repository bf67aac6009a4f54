//! Conversion of the state to protobuf messages and back.

mod bridge;
mod desired;
mod group;
mod metric;
mod registration;
#[cfg(test)]
mod tests;

pub use bridge::{bridge, bridge_message, session_key};
pub use desired::{apply_config, desired};
pub use group::{fleet_group, fleet_group_message};
pub use metric::{metric, metric_message};
pub use registration::{connection, connection_request, proxy, proxy_request};

use crate::error::AgentError;
use proto::Kind;
use std::net::IpAddr;

/// Length limit of identifiers, in bytes.
const MAX_ID: usize = 128;

/// The word of a connection's kind, from the proxy's point of view.
#[must_use]
pub fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Source => "rx",
        Kind::Receiver => "tx",
    }
}

fn invalid(field: &'static str, found: &str, allowed: &'static str) -> AgentError {
    AgentError::Invalid { field, found: found.chars().take(64).collect(), allowed }
}

fn kind(word: &str) -> Result<Kind, AgentError> {
    match word {
        "rx" => Ok(Kind::Source),
        "tx" => Ok(Kind::Receiver),
        _ => Err(invalid("kind", word, "rx (the program sends), tx (it receives)")),
    }
}

/// Checks an identifier of a peer's choice: it goes into paths, keys and logs.
pub fn identifier<'a>(field: &'static str, text: &'a str) -> Result<&'a str, AgentError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if (1..=MAX_ID).contains(&text.len()) && text.chars().all(fine) {
        return Ok(text);
    }
    Err(invalid(field, text, "1 to 128 letters, digits and -_.:"))
}

fn ip(field: &'static str, text: &str) -> Result<IpAddr, AgentError> {
    text.parse().map_err(|_| invalid(field, text, "an IP address"))
}
