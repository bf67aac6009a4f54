//! Configurations and the outside of them: texts of refusals, and bytes on the wire.

#[path = "golden/table.rs"]
mod table;

use std::path::{Path, PathBuf};

use config::{ConnectionConfig, Kind, kind_of};
use prost::Message;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[test]
fn refusals_have_their_texts() {
    table::check(&file("refused.txt"), 1, |input| {
        let read = ConnectionConfig::from_json(input[0], Kind::Receiver);
        read.map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
    });
}

#[test]
fn connections_of_a_group_agree() {
    table::check(&file("groups.txt"), 2, |input| {
        let [own, group] =
            [0, 1].map(|i| ConnectionConfig::from_json(input[i], Kind::Receiver).expect(input[i]));
        own.check_compatible(&group).map_or_else(|error| error.to_string(), |()| "yes".to_owned())
    });
}

#[test]
fn configurations_have_their_bytes() {
    table::check(&file("protobuf.txt"), 1, |input| {
        let config = ConnectionConfig::from_json(input[0], Kind::Receiver).expect(input[0]);
        let message = config.to_sdk_of(Kind::Receiver);
        assert_eq!(ConnectionConfig::from_sdk(&message), Ok(config), "{}", input[0]);
        assert_eq!(kind_of(&message), Ok(Kind::Receiver));
        message.encode_to_vec().iter().map(|byte| format!("{byte:02x}")).collect()
    });
}
