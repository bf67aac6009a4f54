//! Receives what a group carries until its source ends the stream: `cargo run --example receive
//! GROUP`.

use mcm::{Client, Tai};
use std::error::Error;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let group = std::env::args().nth(1).ok_or("the name of a group is missing")?;

    let client = Client::builder().name("receive example").connect()?;
    // The group tells its format.
    let config = client.group_config(&group, Duration::from_secs(60))?;
    let receiver = client.receiver(config)?;

    for frame in &receiver {
        let frame = frame?;
        let info = frame.info();
        println!(
            "frame {}: {} bytes, {:?}, {} µs old, {} missed before it",
            info.sequence,
            frame.payload().len(),
            String::from_utf8_lossy(frame.metadata()),
            Tai::now().since(frame.timestamp()).as_micros(),
            info.missed,
        );
    }
    let stats = receiver.stats();
    println!("received {} frames, missed {}", stats.frames, stats.missed);
    Ok(())
}
