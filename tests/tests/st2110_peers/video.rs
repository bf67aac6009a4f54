//! Video streams, and our end of them.

use crate::noise::{CYCLE, Noise};
use mcm::{Client, Receiver, Source, Timeout};
use mcm_tests::drops::loss;
use mcm_tests::pair::Pair;
use mcm_tests::repeating::Repeating;
use mcm_tests::wait;
use media::{PixelFormat, Scan};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A stream from host 1 to host 2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Video {
    pub(crate) size: (u32, u32),
    /// In memory, on our side.
    pub(crate) format: PixelFormat,
    pub(crate) scan: Scan,
    pub(crate) multicast: bool,
    pub(crate) port: u16,
}

pub(crate) const SMALL: (u32, u32) = (640, 360);
pub(crate) const LARGE: (u32, u32) = (1920, 1080);

/// Streams and their senders: formats, scans, and both kinds of addresses.
pub(crate) fn cases(size: (u32, u32), formats: &[PixelFormat], scans: &[Scan]) -> Vec<Video> {
    let mut cases = Vec::new();
    for format in formats {
        for scan in scans {
            for multicast in [false, true] {
                let port = 5004 + 2 * cases.len() as u16;
                cases.push(Video { size, format: *format, scan: *scan, multicast, port });
            }
        }
    }
    cases
}

impl Video {
    /// Few frames a second: the machine may be busy with other things, and the proxy is not
    /// optimised here.
    pub(crate) fn rate(&self) -> u32 {
        if self.size == LARGE { 2 } else { 10 }
    }

    pub(crate) fn destination(&self) -> &'static str {
        if self.multicast { "239.77.0.1" } else { "10.77.0.2" }
    }

    fn description(&self) -> media::Video {
        media::Video {
            width: self.size.0,
            height: self.size.1,
            pixel_format: self.format,
            scan: self.scan,
            ..media::Video::default()
        }
    }

    pub(crate) fn noise(&self) -> Noise {
        let size = self.description().frame_size().expect("a size of frames");
        Noise::pixels(self.format, size)
    }

    fn payload(&self) -> Value {
        let (width, height) = self.size;
        json!({ "video": {
            "width": width, "height": height, "fps": self.rate(),
            "pixelFormat": self.format.name(), "scan": self.scan.name(),
        }})
    }

    /// Sends it from host 1.
    pub(crate) fn source(&self, pair: &Pair) -> Source {
        let config = json!({
            "connection": { "st2110": { "ipAddr": self.destination(), "port": self.port } },
            "payload": self.payload(),
        });
        open_source(&pair.programs[0], &config)
    }

    /// Receives on host 2 what this says of the stream, from host 1 alone.
    pub(crate) fn receiver(&self, pair: &Pair, mut stream: Value) -> Receiver {
        if self.multicast {
            stream["multicastSourceIpAddr"] = json!("10.77.0.1");
        }
        let config = json!({
            "connection": { "st2110": stream },
            "payload": self.payload(),
            "bufferQueueCapacity": 16,
        });
        open_receiver(&pair.programs[1], &config)
    }

    /// The description of it that our side gives to others.
    pub(crate) fn sdp(&self, pair: &Pair) -> String {
        let group = format!("{}:{}", self.destination(), self.port);
        pair.net.on(1, || pair.a.control().sdp(&group)).expect("a session description")
    }
}

pub(crate) fn open_source(client: &Client, config: &Value) -> Source {
    client.source(config.to_string()).unwrap_or_else(|error| panic!("{config}: {error}"))
}

pub(crate) fn open_receiver(client: &Client, config: &Value) -> Receiver {
    client.receiver(config.to_string()).unwrap_or_else(|error| panic!("{config}: {error}"))
}

/// Time-out of a frame: a peer has to start first.
const PATIENCE: Duration = Duration::from_secs(20);

/// Takes frames, which are whole and in order from this number on. An error tells what is missing.
///
/// # Panics
/// If a whole frame is none of those that were sent.
pub(crate) fn take(receiver: &Receiver, noise: &Noise, numbers: std::ops::Range<usize>) {
    for index in numbers {
        let buffer = receiver.recv(PATIENCE);
        let buffer = buffer.unwrap_or_else(|error| loss(format!("frame {index}: {error}")));
        let buffer = buffer.expect("no end");
        if buffer.info().incomplete {
            loss(format!("frame {index} lacks {:?}", buffer.missing().collect::<Vec<_>>()));
        }
        if buffer.payload() != noise.frame(index) {
            let other = noise.which(buffer.payload()).expect("an exact frame");
            loss(format!("frame {index} is missing: frame {other} came"));
        }
    }
}

/// Sends the frames of a noise again and again until what this returns is dropped.
pub(crate) fn send(source: Source, noise: Arc<Noise>) -> Repeating {
    Repeating::start(move |index| {
        let mut buffer = source.frame(wait::DEADLINE).expect("a buffer");
        buffer.payload_mut().copy_from_slice(noise.frame(index as usize % CYCLE));
        buffer.publish_within(Timeout::Infinite).unwrap();
    })
}

/// The same with frames whose fields are the frames of a noise, by turns; their rows have so many
/// bytes.
pub(crate) fn send_fields(source: Source, fields: Arc<Noise>, row: usize) -> Repeating {
    Repeating::start(move |index| {
        let mut buffer = source.frame(wait::DEADLINE).expect("a buffer");
        let first = 2 * index as usize % CYCLE;
        let [top, bottom] = [0, 1].map(|field| fields.frame(first + field).chunks_exact(row));
        let pairs = buffer.payload_mut().chunks_exact_mut(2 * row);
        for (rows, (top, bottom)) in pairs.zip(top.zip(bottom)) {
            rows[..row].copy_from_slice(top);
            rows[row..].copy_from_slice(bottom);
        }
        buffer.publish_within(Timeout::Infinite).unwrap();
    })
}
