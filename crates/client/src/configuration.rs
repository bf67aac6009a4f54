//! The configuration of a connection, with the session description that it may name.

use super::session::Direction;
use super::warnings;
use crate::error::Error;
use config::ConnectionConfig;
use media::ConfigErrorKind;

/// Reads and validates a configuration. A file that it names is read here: the proxy gets its text.
pub(super) fn read(direction: Direction, config: &str) -> Result<ConnectionConfig, Error> {
    let read = ConnectionConfig::from_json_with_warnings(config, direction.into());
    let checked = read.and_then(|(config, warnings)| {
        if direction == Direction::Send {
            config.check_source()?;
        }
        Ok((config, warnings))
    });
    let read = checked.map_err(|error| {
        let text = error.to_string();
        match error.kind {
            ConfigErrorKind::Incompatible => Error::Incompatible(text),
            ConfigErrorKind::NotImplemented => Error::NotImplemented(text),
            ConfigErrorKind::Malformed | ConfigErrorKind::Invalid => Error::ConnectionConfig(text),
        }
    });
    warnings::keep("connection", read.as_ref().map_or(&[], |(_, warnings)| warnings));
    read.map(|(config, _)| config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::Endpoint;

    const SDP: &str = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=x\nc=IN IP4 239.0.0.1/9\nt=0 0\n\
        m=audio 5004 RTP/AVP 97\na=rtpmap:97 L24/48000/2\na=ptime:0.125\n";

    fn with_file(path: &str) -> Result<ConnectionConfig, Error> {
        let text = format!(r#"{{"connection": {{"st2110": {{"sdpFile": "{path}"}}}}}}"#);
        read(Direction::Receive, &text)
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
            assert!(read(Direction::Receive, &config).is_ok());
            match read(Direction::Send, &config) {
                Ok(_) => assert!(sent),
                Err(Error::Incompatible(text)) => {
                    let told = ["payload.video.pixelFormat", format, "rgb24 or bgr24"];
                    assert!(!sent && told.iter().all(|part| text.contains(part)), "{text}");
                }
                Err(error) => panic!("{error}"),
            }
        }
        // Within the mesh alpha is carried.
        let config = r#"{"connection": {"multipointGroup": {"urn": "x"}}, "payload": {"video": {"pixelFormat": "rgba"}}}"#;
        assert!(read(Direction::Send, config).is_ok());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for path in ["/nonexistent.sdp", "/dev/zero", "/"] {
            let error = with_file(path).unwrap_err();
            assert!(matches!(error, Error::ConnectionConfig(_)), "{error}");
            assert!(error.to_string().contains(path), "{error}");
        }
    }
}
