//! Configurations in JSON: of clients and of connections. What is accepted survives the wire.
#![no_main]

use config::{ClientConfig, ConnectionConfig, Kind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = ClientConfig::from_json(text) {
        assert!(!error.to_string().is_empty());
    }
    for kind in [Kind::Source, Kind::Receiver] {
        match ConnectionConfig::from_json(text, kind) {
            Ok(config) => {
                assert!(config.payload_size() > 0 && !config.group_id().is_empty());
                assert_eq!(ConnectionConfig::from_sdk(&config.to_sdk()), Ok(config));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
