//! Configurations in JSON: of clients and of connections. What is accepted survives the wire.
#![no_main]

use libfuzzer_sys::fuzz_target;
use config::{ClientConfig, ConnectionConfig};
use proto::Kind;
use config::{from_sdk, to_sdk};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = ClientConfig::from_json(text) {
        assert!(!error.to_string().is_empty());
    }
    match ConnectionConfig::from_json(text) {
        Ok(config) => {
            assert!(config.payload_size() > 0 && !config.group_id().is_empty());
            for kind in [Kind::Source, Kind::Receiver] {
                assert_eq!(from_sdk(&to_sdk(&config, kind)), Ok((kind, config.clone())));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
