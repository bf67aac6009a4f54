//! JPEG XS coding of streams that the proxy encodes or decodes: requirements, options, counts.

use crate::bridge::statistics::{BridgeStatistics, Max};
use config::St2110;
use jpegxs::{Decoder, Encoder, EncoderOptions, Layout, Library};
use media::{Scan, Video};
use st2110::jpegxs::Part;
use st2110::video::WireFormat;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Threads of the library for one stream; more bring nothing for pictures up to 2160p.
const MOST_THREADS: usize = 8;

/// How frames of a stream are encoded and decoded.
#[derive(Clone, Debug)]
pub(super) struct Coding {
    pub(super) video: Video,
    library: Library,
    layout: Layout,
    options: EncoderOptions,
}

impl Coding {
    /// Looks for the library.
    ///
    /// # Errors
    /// What cannot be coded, or what to install.
    pub(super) fn of(endpoint: &St2110, video: Video) -> Result<Self, String> {
        let natural = WireFormat::of(video.pixel_format);
        if let Some(wire) = endpoint.wire_format.filter(|wire| *wire != natural) {
            let format = video.pixel_format;
            return Err(format!(
                "connection.st2110.sampling and depth are {wire}; with codec jpegxs and {format} only {natural} is possible"
            ));
        }
        let fields = video.scan != Scan::Progressive;
        let layout = Layout::new(video.pixel_format, video.width, video.height, fields)
            .map_err(|error| format!("payload.video: {error}"))?;
        let library =
            Library::load().map_err(|error| format!("connection.st2110.codec: {error}"))?;
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
        let options = EncoderOptions {
            bits_per_pixel_thousandths: endpoint.bits_per_pixel.thousandths(),
            quality: endpoint.quality,
            threads: threads.min(MOST_THREADS) as u32,
        };
        Ok(Self { video, library, layout, options })
    }

    /// Bytes of a frame that is not encoded.
    pub(super) fn frame_size(&self) -> usize {
        self.layout.frame_size()
    }

    /// The pictures that a frame consists of.
    pub(super) fn parts(&self) -> &'static [Part] {
        match self.video.scan {
            Scan::Progressive => &[Part::Progressive],
            Scan::Interlaced | Scan::Psf => &[Part::First, Part::Second],
        }
    }

    /// A new encoder.
    ///
    /// # Errors
    /// The library refuses.
    pub(super) fn encoder(&self) -> Result<Encoder, String> {
        Encoder::new(self.library, self.layout, self.options)
            .map_err(|error| format!("connection.st2110.codec: {error}"))
    }

    /// A new decoder.
    pub(super) fn decoder(&self) -> Decoder {
        Decoder::new(self.library, self.layout, self.options.threads)
    }
}

/// What a codec's thread counts.
#[derive(Debug, Default)]
pub(super) struct CodecCounts {
    frames: AtomicU64,
    failures: AtomicU64,
    dropped: AtomicU64,
    longest_us: AtomicU64,
}

impl CodecCounts {
    /// A frame was encoded or decoded in so much time.
    pub(super) fn done(&self, took: Duration) {
        self.frames.fetch_add(1, Relaxed);
        self.longest_us.fetch_max(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// A frame could not be encoded or decoded. True the first time.
    pub(super) fn failed(&self) -> bool {
        self.failures.fetch_add(1, Relaxed) == 0
    }

    /// There was no time or no room for a frame.
    pub(super) fn dropped(&self) {
        self.dropped.fetch_add(1, Relaxed);
    }

    /// Adds the counts to those of the codec's bridge.
    pub(super) fn add_to(&self, statistics: &mut BridgeStatistics) {
        statistics.codec_frames = Some(self.frames.load(Relaxed));
        statistics.codec_failures = Some(self.failures.load(Relaxed));
        statistics.codec_dropped = Some(self.dropped.load(Relaxed));
        statistics.codec = Some(Max(self.longest_us.load(Relaxed) as f64));
    }
}
