//! Configurations of sources and receivers, and the session descriptions that they may name.

use crate::OpenError;
use crate::warnings;
use config::{ConfigError, ConfigErrorKind, ConnectionConfig, Kind};

/// A configuration that [`Client::source`](crate::Client::source) and
/// [`Client::receiver`](crate::Client::receiver) accept: JSON text, or a [`ConnectionConfig`].
///
/// `docs/sdk.md` has the members of the JSON. Members that have no effect are told once through
/// [`log`]; [`last_warnings`](crate::last_warnings) has those of the thread's last configuration.
pub trait IntoConfig: sealed::Sealed {}

mod sealed {
    use crate::OpenError;
    use config::{ConnectionConfig, Kind};

    pub trait Sealed {
        /// The validated configuration of this end.
        fn read(self, end: Kind) -> Result<ConnectionConfig, OpenError>;
    }
}

impl IntoConfig for &str {}
impl sealed::Sealed for &str {
    fn read(self, end: Kind) -> Result<ConnectionConfig, OpenError> {
        read_json(end, self)
    }
}

impl IntoConfig for String {}
impl sealed::Sealed for String {
    fn read(self, end: Kind) -> Result<ConnectionConfig, OpenError> {
        read_json(end, &self)
    }
}

impl IntoConfig for &String {}
impl sealed::Sealed for &String {
    fn read(self, end: Kind) -> Result<ConnectionConfig, OpenError> {
        read_json(end, self)
    }
}

impl IntoConfig for ConnectionConfig {}
impl sealed::Sealed for ConnectionConfig {
    fn read(self, end: Kind) -> Result<ConnectionConfig, OpenError> {
        let checked = self.validate().and_then(|()| check_end(&self, end));
        checked.map_err(refused)?;
        Ok(self)
    }
}

impl IntoConfig for &ConnectionConfig {}
impl sealed::Sealed for &ConnectionConfig {
    fn read(self, end: Kind) -> Result<ConnectionConfig, OpenError> {
        self.clone().read(end)
    }
}

/// Reads and validates the configuration of one end.
pub(crate) fn read(config: impl IntoConfig, end: Kind) -> Result<ConnectionConfig, OpenError> {
    config.read(end)
}

/// A session description that the text names is read here: the proxy gets its text.
fn read_json(end: Kind, text: &str) -> Result<ConnectionConfig, OpenError> {
    let read = ConnectionConfig::from_json_with_warnings(text, end);
    let checked = read.and_then(|read| check_end(&read.0, end).map(|()| read));
    warnings::keep("connection", checked.as_ref().map_or(&[], |(_, warnings)| warnings));
    checked.map(|(config, _)| config).map_err(refused)
}

fn check_end(config: &ConnectionConfig, end: Kind) -> Result<(), ConfigError> {
    match end {
        Kind::Source => config.check_source(),
        Kind::Receiver => Ok(()),
    }
}

fn refused(error: ConfigError) -> OpenError {
    let text = error.to_string();
    match error.kind {
        ConfigErrorKind::Incompatible => OpenError::Incompatible(text),
        ConfigErrorKind::NotImplemented => OpenError::NotImplemented(text),
        ConfigErrorKind::Malformed | ConfigErrorKind::Invalid => OpenError::Config(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Endpoint;

    const SDP: &str = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=x\nc=IN IP4 239.0.0.1/9\nt=0 0\n\
        m=audio 5004 RTP/AVP 97\na=rtpmap:97 L24/48000/2\na=ptime:0.125\n";

    fn with_file(path: &str) -> Result<ConnectionConfig, OpenError> {
        let text = format!(r#"{{"connection": {{"st2110": {{"sdpFile": "{path}"}}}}}}"#);
        read_json(Kind::Receiver, &text)
    }

    #[test]
    fn a_file_is_read_and_its_text_goes_on() {
        let path = std::env::temp_dir().join(format!("mcm-{}.sdp", std::process::id()));
        std::fs::write(&path, SDP).unwrap();
        let config = with_file(path.to_str().unwrap());
        std::fs::write(&path, "v=0\nm=audio\n").unwrap();
        let bad = with_file(path.to_str().unwrap());
        std::fs::remove_file(&path).unwrap();
        let config = config.unwrap();
        let Endpoint::St2110(stream) = &config.endpoint else { panic!("{config:?}") };
        assert_eq!((stream.port, stream.payload_type, stream.ttl), (5004, 97, 9));
        assert_eq!(stream.sdp.as_deref(), Some(SDP));
        assert_eq!(config.payload_size(), 6 * 2 * 3);
        let error = bad.unwrap_err().to_string();
        assert!(error.contains("sdpFile") && error.contains("SDP line 2"), "{error}");
    }

    #[test]
    fn alpha_is_received_and_not_sent() {
        for (format, transport, sent) in [
            ("rgba", "st2110-20", false),
            ("bgra", "st2110-20", false),
            ("rgb24", "st2110-20", true),
        ] {
            let config = format!(
                r#"{{"connection": {{"st2110": {{"ipAddr": "239.0.0.1", "port": 5004, "transport": "{transport}"}}}},
                    "payload": {{"video": {{"pixelFormat": "{format}"}}}}}}"#
            );
            assert!(read_json(Kind::Receiver, &config).is_ok());
            match read_json(Kind::Source, &config) {
                Ok(_) => assert!(sent),
                Err(OpenError::Incompatible(text)) => {
                    let told = ["payload.video.pixelFormat", format, "rgb24 or bgr24"];
                    assert!(!sent && told.iter().all(|part| text.contains(part)), "{text}");
                }
                Err(error) => panic!("{error}"),
            }
        }
        // Within the mesh alpha is carried.
        let config = r#"{"connection": {"multipointGroup": {"urn": "x"}}, "payload": {"video": {"pixelFormat": "rgba"}}}"#;
        assert!(read_json(Kind::Source, config).is_ok());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for path in ["/nonexistent.sdp", "/dev/zero", "/"] {
            let error = with_file(path).unwrap_err();
            assert!(matches!(error, OpenError::Config(_)), "{error}");
            assert!(error.to_string().contains(path), "{error}");
        }
    }
}
