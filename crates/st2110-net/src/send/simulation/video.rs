//! Simulated video: every width, packing, format, scan and rate.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use media::{FrameRate, PixelFormat};
use st2110::{
    analyser::Expectation,
    pacing::SenderType,
    video::{FrameLayout, MAX_UDP_PAYLOAD, Packetiser, Packing, Picture, Scan, WireFormat},
};

use super::{FRAMES, KINDS, rates, run};
use crate::{
    send::{Identity, VideoSender},
    socket::SenderOptions,
};

/// A frame of zeroes as large as any here: pages that nothing writes to cost nothing.
static ZEROES: LazyLock<&'static [u8]> =
    LazyLock::new(|| Box::leak(vec![0; 8192 * 4320 * 8].into_boxed_slice()));

/// A stream of video.
#[derive(Clone, Copy, Debug)]
struct Video {
    format: WireFormat,
    width: u32,
    /// Rows of pgroups.
    rows: u32,
    scan: Scan,
    packing: Packing,
    rate: FrameRate,
    kind: SenderType,
}

impl Video {
    /// The sender, if there can be such a stream.
    fn sender(&self) -> Option<VideoSender> {
        let Self { format, width, rows, scan, packing, rate, kind } = *self;
        let picture =
            Picture::new(format, width, rows * format.pgroup().lines as u32, scan).ok()?;
        let mesh = PixelFormat::ALL.iter().map(|format| FrameLayout::Mesh(*format));
        // In the layout of the wire nothing has to be converted.
        let layout = mesh.chain([FrameLayout::Wire]).rev().find(|layout| {
            Packetiser::new(picture, *layout, Packing::General, MAX_UDP_PAYLOAD).is_ok()
        })?;
        Packetiser::new(picture, layout, packing, MAX_UDP_PAYLOAD).ok()?;
        Some(VideoSender {
            picture,
            layout,
            packing,
            rate,
            pacing: kind,
            identity: Identity { payload_type: 96, ssrc: 1, sequence: 0xFFF0 },
            paths: vec![SenderOptions::new("239.0.0.1:5004".parse().unwrap())],
            ancillary: None,
        })
    }

    /// Runs it. False if there can be no such stream.
    fn holds(&self) -> bool {
        let Some(sender) = self.sender() else { return false };
        let packetiser =
            Packetiser::new(sender.picture, sender.layout, self.packing, MAX_UDP_PAYLOAD).unwrap();
        let units: Vec<_> =
            sender.picture.fields().iter().map(|field| packetiser.packets(*field) as u32).collect();
        let kind = sender.sender_type().unwrap();
        let expected = Expectation {
            frame_rate: Some(self.rate),
            raster: Some(sender.raster()),
            packets: Some(units[0]),
            ..Expectation::default()
        };
        let outcome = run(&ZEROES[..packetiser.frame_size()], expected, |feed, paths, clock| {
            sender.parts(feed, paths, clock).unwrap()
        });
        if let Some(fault) = outcome.fault(kind, self.rate, &units) {
            panic!("{self:?}, {units:?} packets: {fault}");
        }
        let headers = FRAMES * units.iter().map(|count| u64::from(*count)).sum::<u64>() * 20;
        let data = FRAMES * sender.picture.packed_size() as u64;
        assert!(outcome.bytes >= data + headers, "{self:?}: {} bytes", outcome.bytes);
        true
    }

    /// With as many rows as make about so many packets a field.
    fn of_packets(self, packets: u32) -> Self {
        let fields = self.scan.fields() as u32;
        let pgroup = self.format.pgroup();
        let octets = self.width as usize * pgroup.octets / pgroup.pixels;
        let per_row = octets.div_ceil(1432).max(1) as u32;
        Self { rows: (packets / per_row).max(1) * fields, ..self }
    }
}

const PACKINGS: [Packing; 2] = [Packing::General, Packing::Block];
/// Packets of a field: of the least streams, some more than a burst, and of small pictures.
const PACKETS: [u32; 11] = [1, 2, 3, 5, 8, 13, 25, 31, 60, 150, 420];

/// The choices that make a stream of one width. All numbers stand for one, and those of neighbours
/// have little in common.
fn video(width: u32, number: usize) -> Video {
    let (formats, rates) = (WireFormat::all().collect::<Vec<_>>(), rates());
    let sizes =
        [formats.len(), Scan::ALL.len(), PACKINGS.len(), rates.len(), KINDS.len(), PACKETS.len()];
    // Steele, Lea, Flood: SplitMix64.
    let mut number = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    number = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number = (number ^ number >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    let mut number = (number ^ number >> 31) as usize % sizes.iter().product::<usize>();
    let [format, scan, packing, rate, kind, packets] = sizes.map(|size| {
        let digit = number % size;
        number /= size;
        digit
    });
    let video = Video {
        format: formats[format],
        width,
        rows: 1,
        scan: Scan::ALL[scan],
        packing: PACKINGS[packing],
        rate: rates[rate],
        kind: KINDS[kind],
    };
    video.of_packets(PACKETS[packets])
}

/// Streams that there can be; others are not sent.
fn run_some(videos: impl Iterator<Item = Video>, wanted: usize) -> usize {
    videos.filter(Video::holds).take(wanted).count()
}

#[test]
fn every_width_takes_its_period() {
    for width in (2..=8192).step_by(2) {
        let first = width as usize * 8;
        assert_eq!(run_some((first..first + 16).map(|number| video(width, number)), 2), 2);
    }
}

/// All choices of all widths would take weeks: as many as fit in the time, every run the same ones
/// first.
#[test]
#[ignore = "slow: scripts/ci-slow.sh"]
fn any_stream_takes_its_period() {
    let start = Instant::now();
    let mut count = 0;
    for round in 0.. {
        // The numbers of the test above are not repeated soon.
        let numbers =
            (2..=8192).step_by(2).map(|width| (width, 100_000 + round * 4096 + width as usize / 2));
        for (width, number) in numbers {
            count += usize::from(video(width, number).holds());
            if start.elapsed() > Duration::from_secs(90) {
                println!("{count} streams");
                return;
            }
        }
    }
}

#[test]
fn the_usual_pictures_take_their_period() {
    let (ten, eight) = (WireFormat::YCBCR_422_10, WireFormat::YCBCR_422_8);
    let progressive = Scan::Progressive;
    let rate = |num, den| FrameRate { num, den };
    for (format, width, height, scan, rate) in [
        (ten, 720, 576, Scan::Interlaced, rate(25, 1)),
        (ten, 720, 486, Scan::Interlaced, rate(30_000, 1001)),
        (ten, 1280, 720, progressive, rate(50, 1)),
        (eight, 1366, 768, progressive, rate(60, 1)),
        (ten, 1920, 1080, Scan::Interlaced, rate(30_000, 1001)),
        (ten, 1920, 1080, Scan::Psf, rate(24, 1)),
        (ten, 1920, 1080, progressive, rate(60_000, 1001)),
        (ten, 2048, 1080, progressive, rate(120, 1)),
        (ten, 3840, 2160, progressive, rate(60, 1)),
        (ten, 7680, 4320, progressive, rate(60, 1)),
    ] {
        for (packing, kind) in PACKINGS.into_iter().flat_map(|p| KINDS.map(|kind| (p, kind))) {
            if kind == SenderType::Wide || height < 2160 {
                let video = Video { format, width, rows: height, scan, packing, rate, kind };
                assert!(video.holds());
            }
        }
    }
}
