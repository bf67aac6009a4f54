//! The configuration of a client: which media proxy, and how many connections.

use std::path::PathBuf;
use std::time::Duration;

use crate::ConfigWarning;
use crate::json::document::read_document;
use media::ConfigError;
use media::text::quoted;

/// The media proxy's host when nothing names one.
pub const DEFAULT_PROXY_HOST: &str = "127.0.0.1";
/// The media proxy's port for programs when nothing names one.
pub const DEFAULT_PROXY_PORT: u16 = 8002;

/// What a connection's configuration has. Existing programs give one text to client and connection.
const CONNECTION_KEYS: [&str; 7] = [
    "bufferQueueCapacity",
    "maxPayloadSize",
    "maxMetadataSize",
    "connCreationDelayMilliseconds",
    "connection",
    "options",
    "payload",
];

/// What a client's configuration has.
pub(crate) const CLIENT_KEYS: [&str; 4] =
    ["apiVersion", CONNECTION_STRING, "apiDefaultTimeoutMicroseconds", "maxMediaConnections"];

const CONNECTION_STRING: &str = "apiConnectionString";
const CONNECTION_STRING_KEYS: &str = "Server=ADDRESS; Port=NUMBER, or Unix=PATH";
/// Longest time that an `int` of milliseconds can say, in microseconds.
const MAX_TIMEOUT_US: u64 = i32::MAX as u64 * 1000;

/// Where the media proxy is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ProxyAddress {
    /// The configuration names none: the run directory's socket is tried first, then
    /// [`ClientConfig::resolve_env`] tells.
    #[default]
    Unspecified,
    /// A host and the port where it serves programs.
    Tcp {
        /// Name or address.
        host: String,
        /// Port, not zero.
        port: u16,
    },
    /// The proxy's unix socket.
    Unix(PathBuf),
}

/// The configuration of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Where the media proxy is.
    pub proxy: ProxyAddress,
    /// What the default timeout of a call means.
    pub default_timeout: Duration,
    /// Connections that may exist at once.
    pub max_connections: usize,
}

impl Default for ClientConfig {
    /// What an empty object `{}` says: no address, one second, 32 connections.
    fn default() -> Self {
        Self {
            proxy: ProxyAddress::Unspecified,
            default_timeout: Duration::from_micros(1_000_000),
            max_connections: 32,
        }
    }
}

impl ClientConfig {
    /// Reads the JSON that a program gives. Trailing commas and comments are accepted.
    ///
    /// # Errors
    /// Malformed if the text is not JSON, Invalid if a value is wrong.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        Self::from_json_with_warnings(text).map(|(config, _)| config)
    }

    /// As [`ClientConfig::from_json`], with what the text says in vain.
    ///
    /// # Errors
    /// As [`ClientConfig::from_json`].
    pub fn from_json_with_warnings(text: &str) -> Result<(Self, Vec<ConfigWarning>), ConfigError> {
        read_document(text, |root| {
            root.tolerate(&CONNECTION_KEYS);
            if let Some(version) = root.get("apiVersion")
                && version.text()? != "v1"
            {
                return Err(version.refuse("\"v1\""));
            }
            let default = Self::default();
            Ok(Self {
                proxy: root.get_or(CONNECTION_STRING, default.proxy, |node| {
                    parse_connection_string(node.text()?)
                })?,
                default_timeout: root.get_or(
                    "apiDefaultTimeoutMicroseconds",
                    default.default_timeout,
                    |node| node.integer(0..=MAX_TIMEOUT_US).map(Duration::from_micros),
                )?,
                max_connections: root.get_or(
                    "maxMediaConnections",
                    default.max_connections,
                    |node| node.integer(1..=u16::MAX).map(usize::from),
                )?,
            })
        })
    }

    /// The address to use: the configured one, else what `MCM_MEDIA_PROXY_IP` and
    /// `MCM_MEDIA_PROXY_PORT` say, each with its default of 127.0.0.1 and 8002. It never returns
    /// [`ProxyAddress::Unspecified`].
    ///
    /// `lookup` gives an environment variable, such as `|name| std::env::var(name).ok()`.
    ///
    /// # Errors
    /// Invalid if the port in the environment is not a port.
    pub fn resolve_env(
        &self,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<ProxyAddress, ConfigError> {
        if self.proxy != ProxyAddress::Unspecified {
            return Ok(self.proxy.clone());
        }
        let lookup = |name: &str| {
            lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let host = lookup("MCM_MEDIA_PROXY_IP").unwrap_or_else(|| DEFAULT_PROXY_HOST.to_owned());
        let port = match lookup("MCM_MEDIA_PROXY_PORT") {
            Some(text) => parse_port("MCM_MEDIA_PROXY_PORT", &text)?,
            None => DEFAULT_PROXY_PORT,
        };
        Ok(ProxyAddress::Tcp { host, port })
    }
}

fn parse_port(path: &str, text: &str) -> Result<u16, ConfigError> {
    match text.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(ConfigError::invalid(path, quoted(text), "a port from 1 to 65535")),
    }
}

/// Reads `Server=127.0.0.1; Port=8002` or `Unix=/run/mcm/media_proxy.sock`. White space around keys
/// and values does not count, keys may be in any case, and an empty text names no address. A part
/// that is left out, or has no value, takes its default.
fn parse_connection_string(text: &str) -> Result<ProxyAddress, ConfigError> {
    let refuse = |found: &str, allowed: &str| {
        Err(ConfigError::invalid(CONNECTION_STRING, quoted(found), allowed))
    };
    let (mut server, mut port, mut unix) = (None, None, None);
    for item in text.split(';').map(str::trim).filter(|item| !item.is_empty()) {
        let Some((key, value)) = item.split_once('=') else {
            return refuse(item, CONNECTION_STRING_KEYS);
        };
        let (key, value) = (key.trim(), value.trim());
        let place = match key.to_ascii_lowercase().as_str() {
            "server" => &mut server,
            "port" => &mut port,
            "unix" => &mut unix,
            _ => return refuse(item, CONNECTION_STRING_KEYS),
        };
        if value.contains('\0') {
            return refuse(item, "a value without a zero byte");
        }
        // Existing programs have "Server=; Port=" built in: not given.
        if value.is_empty() {
            continue;
        }
        if place.replace(value).is_some() {
            return refuse(item, "each key once");
        }
    }
    match (server, port, unix) {
        (None, None, None) => Ok(ProxyAddress::Unspecified),
        (None, None, Some(path)) => Ok(ProxyAddress::Unix(PathBuf::from(path))),
        (_, _, Some(_)) => refuse(text, "Unix alone, or Server and Port"),
        (server, port, None) => Ok(ProxyAddress::Tcp {
            host: server.unwrap_or(DEFAULT_PROXY_HOST).to_owned(),
            port: match port {
                Some(text) => parse_port(CONNECTION_STRING, text)?,
                None => DEFAULT_PROXY_PORT,
            },
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use media::ConfigErrorKind;

    fn tcp(host: &str, port: u16) -> ProxyAddress {
        ProxyAddress::Tcp { host: host.into(), port }
    }

    #[test]
    fn an_empty_object_is_all_defaults() {
        let config = ClientConfig::from_json("{}").unwrap();
        assert_eq!(config, ClientConfig::default());
        assert_eq!(config.default_timeout, Duration::from_secs(1));
        assert_eq!(config.max_connections, 32);
    }

    #[test]
    fn every_field() {
        let text = r#"{
            "apiVersion": "v1",
            "apiConnectionString": "Server=192.168.96.1; Port=8003",
            "apiDefaultTimeoutMicroseconds": 250,
            "maxMediaConnections": 10000,
        }"#;
        let config = ClientConfig::from_json(text).unwrap();
        assert_eq!(config.proxy, tcp("192.168.96.1", 8003));
        assert_eq!(config.default_timeout, Duration::from_micros(250));
        assert_eq!(config.max_connections, 10_000);
    }

    #[test]
    fn wrong_values_name_their_path() {
        for (text, path) in [
            (r#"{"apiVersion": "v2"}"#, "apiVersion"),
            (r#"{"apiVersion": 1}"#, "apiVersion"),
            (r#"{"apiConnectionString": 8002}"#, "apiConnectionString"),
            (r#"{"apiConnectionString": "Sever=1.2.3.4"}"#, "apiConnectionString"),
            (r#"{"apiDefaultTimeoutMicroseconds": -1}"#, "apiDefaultTimeoutMicroseconds"),
            (r#"{"apiDefaultTimeoutMicroseconds": "1"}"#, "apiDefaultTimeoutMicroseconds"),
            (r#"{"maxMediaConnections": 0}"#, "maxMediaConnections"),
            (r#"{"maxMediaConnections": 65536}"#, "maxMediaConnections"),
        ] {
            let error = ClientConfig::from_json(text).expect_err(text);
            assert_eq!((error.kind, error.path.as_str()), (ConfigErrorKind::Invalid, path));
        }
        let error = ClientConfig::from_json("{").unwrap_err();
        assert_eq!(error.kind, ConfigErrorKind::Malformed);
    }

    #[test]
    fn connection_strings() {
        let unix = |path: &str| ProxyAddress::Unix(path.into());
        for (text, address) in [
            ("", ProxyAddress::Unspecified),
            (" ; ", ProxyAddress::Unspecified),
            ("Server=; Port=", ProxyAddress::Unspecified),
            ("Server=node1; Port=", tcp("node1", 8002)),
            ("Server= ;Port=9000; Unix=", tcp("127.0.0.1", 9000)),
            ("Server=127.0.0.1; Port=8002", tcp("127.0.0.1", 8002)),
            ("  server = node1 ;PORT= 9000 ;", tcp("node1", 9000)),
            ("Server=::1", tcp("::1", 8002)),
            ("Port=1", tcp("127.0.0.1", 1)),
            ("Unix=/run/mcm/media_proxy.sock", unix("/run/mcm/media_proxy.sock")),
            ("unix = /tmp/my dir/a=b ;", unix("/tmp/my dir/a=b")),
        ] {
            assert_eq!(parse_connection_string(text), Ok(address), "{text}");
        }
        for text in [
            "127.0.0.1:8002",
            "Port=0",
            "Port=65536",
            "Port=-1",
            "Server=a; Server=b",
            "Unix=/a; Port=1",
            "Server=a; Unix=/a",
            "Host=a",
            "Unix=a\0b",
        ] {
            let error = parse_connection_string(text).expect_err(text);
            assert_eq!(error.kind, ConfigErrorKind::Invalid);
        }
    }

    #[test]
    fn the_environment_fills_in_for_a_missing_address_only() {
        let resolve = |proxy: ProxyAddress, ip: Option<&str>, port: Option<&str>| {
            let config = ClientConfig { proxy, ..ClientConfig::default() };
            config.resolve_env(|name| match name {
                "MCM_MEDIA_PROXY_IP" => ip.map(str::to_owned),
                "MCM_MEDIA_PROXY_PORT" => port.map(str::to_owned),
                _ => None,
            })
        };
        let none = ProxyAddress::Unspecified;
        assert_eq!(resolve(none.clone(), None, None), Ok(tcp("127.0.0.1", 8002)));
        assert_eq!(resolve(none.clone(), Some("10.0.0.1"), None), Ok(tcp("10.0.0.1", 8002)));
        assert_eq!(resolve(none.clone(), Some(""), Some("9000")), Ok(tcp("127.0.0.1", 9000)));
        assert_eq!(resolve(tcp("a", 1), Some("b"), Some("2")), Ok(tcp("a", 1)));
        let unix = ProxyAddress::Unix("/a".into());
        assert_eq!(resolve(unix.clone(), Some("b"), Some("x")), Ok(unix));
        let error = resolve(none, None, Some("many")).unwrap_err();
        assert_eq!(error.path, "MCM_MEDIA_PROXY_PORT");
    }

    proptest! {
        #[test]
        fn no_connection_string_panics(text in "\\PC*") {
            let _ = parse_connection_string(&text);
        }

        #[test]
        fn server_and_port_are_read_back(host in "[a-z0-9.:-]{1,20}", port in 1_u16..) {
            let text = format!("Server={host}; Port={port}");
            prop_assert_eq!(parse_connection_string(&text), Ok(tcp(&host, port)));
        }
    }
}
