//! Configurations of clients and connections.

use mcm::Client;
use serde_json::{Value, json};
use std::path::Path;

/// A client that finds the proxy by its unix socket.
#[must_use]
pub fn client(socket: &Path) -> Value {
    json!({
        "apiConnectionString": format!("Unix={}", socket.display()),
        "apiDefaultTimeoutMicroseconds": 30_000_000,
        "maxMediaConnections": 1000,
    })
}

/// A client that asks the proxy over TCP.
#[must_use]
pub fn tcp_client(port: u16) -> Value {
    json!({
        "apiConnectionString": format!("Server=127.0.0.1; Port={port}"),
        "apiDefaultTimeoutMicroseconds": 30_000_000,
    })
}

/// The client that a configuration describes.
///
/// # Panics
/// If it is wrong.
#[must_use]
pub fn build(client: &Value) -> Client {
    let builder = Client::builder().json(&client.to_string()).expect("a configuration");
    builder.build().expect("a client")
}

/// A connection that carries blobs of up to `payload` bytes with up to 64 bytes of metadata.
#[must_use]
pub fn blob(group: &str, payload: usize) -> Value {
    json!({
        "connection": { "multipointGroup": { "urn": group } },
        "payload": { "blob": {} },
        "maxPayloadSize": payload,
        "maxMetadataSize": 64,
    })
}

/// A connection that carries video.
#[must_use]
pub fn video(group: &str, width: u32, height: u32, format: &str) -> Value {
    json!({
        "connection": { "multipointGroup": { "urn": group } },
        "payload": { "video": { "width": width, "height": height, "fps": 59.94, "pixelFormat": format } },
    })
}

/// A connection that carries audio.
#[must_use]
pub fn audio(group: &str, channels: u32, rate: u32, format: &str, packet_time: &str) -> Value {
    json!({
        "connection": { "multipointGroup": { "urn": group } },
        "payload": { "audio": {
            "channels": channels, "sampleRate": rate, "format": format, "packetTime": packet_time,
        } },
    })
}

/// The same configuration with members added or replaced, down to single members of nested objects.
#[must_use]
pub fn with(mut config: Value, more: Value) -> Value {
    merge(&mut config, more);
    config
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
