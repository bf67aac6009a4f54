//! Generates the messages and services from the `.proto` files in pure Rust, without `protoc`.

use prost::Message;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["sdk.proto", "exchange.proto", "control.proto", "mediaproxy.proto", "fleet.proto"];
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("mcm.fds"), descriptors.encode_to_vec())?;
    services()
        .codec_path("crate::codec::BoundedCodec")
        // Large and seldom: other messages need not be as large.
        .boxed(".mcm.exchange.v1.FromProxy.body.told")
        .compile_fds(descriptors)?;
    // The store is trusted with the size of the fleet: no bound of fields.
    services().compile_fds(protox::compile(["etcd.proto"], ["proto"])?)?;
    Ok(())
}

/// Without `build_transport` the clients take a channel of the caller's making, and this crate
/// needs no TCP of its own.
fn services() -> tonic_prost_build::Builder {
    let services = "#[cfg(feature = \"services\")]";
    tonic_prost_build::configure()
        .build_transport(false)
        .client_mod_attribute(".", services)
        .server_mod_attribute(".", services)
}
