//! Sends a moving grey picture, 25 frames a second: `cargo run --example send GROUP [FRAMES]`.

use mcm::{Client, ConnectionConfig, EndOfStream, FrameRate, PixelFormat, Tai, Video};
use std::error::Error;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let group = arguments.next().ok_or("the name of a group is missing")?;
    let frames: u32 = arguments.next().as_deref().unwrap_or("250").parse()?;

    let client = Client::connect()?;
    let video = Video {
        width: 640,
        height: 360,
        rate: FrameRate::new(25, 1)?,
        pixel_format: PixelFormat::Gray8,
        ..Video::default()
    };
    let config = ConnectionConfig::group(group)
        .video(video)
        .metadata(16)
        // The first frame waits for a receiver, and the end of the stream ends receivers.
        .wait_for_receivers(1)
        .end_of_stream(EndOfStream::Close);
    let source = client.source(config)?;

    let mut begun = None;
    for number in 0..frames {
        let mut frame = source.frame(Duration::from_secs(60))?;
        for (line, pixels) in (0..).zip(frame.payload_mut().chunks_exact_mut(640)) {
            pixels.fill((line + number) as u8);
        }
        frame.set_metadata(format!("picture {number}").as_bytes())?;
        frame.set_timestamp(Tai::now());
        frame.publish()?;
        let next = *begun.get_or_insert_with(Instant::now) + Duration::from_millis(40) * number;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let stats = source.stats();
    println!("sent {} frames, {} bytes", stats.frames, stats.bytes);
    Ok(())
}
