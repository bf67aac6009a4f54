//! Datagrams of the unix socket in both directions, and the configuration of a connection on the
//! wire.
#![no_main]

use config::ConnectionConfig;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use proto::datagram::{
    decode_from_client, decode_from_proxy, encode_from_client, encode_from_proxy,
};
use proto::exchange::from_client;
use proto::sdk;

fuzz_target!(|data: &[u8]| {
    let Some((&descriptors, bytes)) = data.split_first() else { return };
    let descriptors = usize::from(descriptors % 8);
    if let Ok(body) = decode_from_client(bytes, descriptors) {
        if let from_client::Body::Announce(announce) = &body {
            announce.config.as_ref().map(convert);
        }
        let again = encode_from_client(body.clone()).unwrap();
        assert_eq!(decode_from_client(&again, descriptors).unwrap(), body);
    }
    if let Ok(body) = decode_from_proxy(bytes, descriptors) {
        let again = encode_from_proxy(body.clone()).unwrap();
        assert_eq!(decode_from_proxy(&again, descriptors).unwrap(), body);
    }
    if let Ok(config) = sdk::ConnectionConfig::decode(bytes) {
        convert(&config);
    }
});

/// What is accepted can be said again and means the same.
fn convert(config: &sdk::ConnectionConfig) {
    match ConnectionConfig::from_sdk(config) {
        Ok(config) => assert_eq!(ConnectionConfig::from_sdk(&config.to_sdk()), Ok(config)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
