//! Copies the frames of one group into another, on tokio:
//! `cargo run --features tokio --example bridge FROM TO`. Ctrl-C or the end of the stream ends it.

use mcm::{Client, ConnectionConfig, Endpoint};
use std::error::Error;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut groups = std::env::args().skip(1);
    let from = groups.next().ok_or("the name of the group to receive is missing")?;
    let to = groups.next().ok_or("the name of the group to send to is missing")?;

    // These block, so a program with other tasks calls them before it starts them, or by
    // `spawn_blocking`.
    let client = Client::connect()?;
    let config = client.group_config(&from, Duration::from_secs(60))?;
    let receiver = client.receiver(&config)?.into_async()?;
    let endpoint = Endpoint::MultipointGroup { urn: to };
    let source = client.source(ConnectionConfig { endpoint, ..config })?.into_async()?;

    let copy = async {
        while let Some(received) = receiver.next().await? {
            let mut frame = source.frame().await?;
            frame.set_payload(received.payload())?;
            frame.set_metadata(received.metadata())?;
            frame.set_timestamp(received.timestamp());
            frame.publish_async().await?;
        }
        Ok::<_, Box<dyn Error>>(())
    };
    tokio::select! {
        copied = copy => copied?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    println!("copied {} frames", source.get_ref().stats().frames);
    Ok(())
}
