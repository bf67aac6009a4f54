//! Uncompressed 10-bit 4:2:2 video.

use super::bare::{self, BUNDLE, Traffic};
use super::stream::{Cycle, Slots};
use super::{Options, Shares, address, case};
use crate::case::{Case, Target, Unit};
use crate::error::BenchError;
use crate::hosts::Hosts;
use media::{FrameRate, PixelFormat};
use st2110::pacing::{self, Raster, Schedule, SenderType};
use st2110::rtp::Header;
use st2110::video::{Field, FrameLayout, Packetiser, Packing, Picture, Scan, WireFormat};
use st2110_net::IncompleteFrames;
use st2110_net::engine::{Engine, EngineOptions};
use st2110_net::receive::{Analysis, Origin, VideoReceiver};
use st2110_net::send::{Identity, VideoSender};
use st2110_net::socket::{Receiver, ReceiverOptions, SenderOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const RATE: FrameRate = FrameRate { num: 60_000, den: 1001 };
/// Upper bound of a stream's cost, as a multiple of bare sockets.
const TARGET: Target = Target::RatioAtMost(1.5);

pub(super) fn run(
    options: &Options,
    hosts: &Hosts,
    report: &mut impl FnMut(Case),
) -> Result<(), BenchError> {
    let cases = [
        ("1080p59.94", 1920, 1080, PixelFormat::Yuv422p10le, true),
        ("1080p59.94, as on the wire", 1920, 1080, PixelFormat::Yuv422p10Rfc4175, true),
        ("1080p59.94, not real-time", 1920, 1080, PixelFormat::Yuv422p10le, false),
        ("2160p59.94", 3840, 2160, PixelFormat::Yuv422p10le, true),
    ];
    for (name, width, height, format, real_time) in cases {
        let video = Video::new(width, height, format, real_time)?;
        // The floors before and after the stream, since the machine is not the same from one second
        // to the next.
        let time = Duration::from_secs(options.either(60, 4) as u64);
        let floors = || -> Result<[Shares; 2], BenchError> {
            let burst = video.burst()?;
            Ok([video.bare(hosts, BUNDLE, time / 4)?, video.bare(hosts, burst, time / 4)?])
        };
        let before = floors()?;
        let whole = video.measure(hosts, time)?;
        let after = floors()?;
        let (ours, floor, even) =
            (whole.shares, before[0].midpoint(after[0]), before[1].midpoint(after[1]));
        let sides = [
            ("send", ours.send, floor.send, even.send),
            ("receive", ours.receive, floor.receive, even.receive),
        ];
        for (side, ours, floor, even) in sides {
            let name = format!("{name}: {side}");
            let line = case(name.clone(), ours, "bundles of 64 KiB", floor);
            report(line.wants(TARGET));
            report(case(name, ours, "bundles of the bursts", even));
        }
        let seconds = time.as_secs_f64();
        let mut line =
            case(format!("{name}: sent"), whole.sent as f64 / seconds, "the rate", RATE.as_f64());
        line.unit = Unit::PerSecond;
        report(line);
        let part = |what: &str, count: u64, of: u64| {
            let percent = count as f64 / of.max(1) as f64 * 100.0;
            case(format!("{name}: {what}"), percent, "all frames", 100.0)
        };
        report(part("whole", whole.received, whole.sent));
        let kind = video.sender.sender_type()?;
        report(part(&format!("{} as sent", kind.parameter()), whole.compliant, whole.sent));
        report(part(&format!("{} as received", kind.parameter()), whole.judged_well, whole.judged));
    }
    Ok(())
}

#[derive(Default)]
struct Outcome {
    shares: Shares,
    sent: u64,
    /// Of these, by the sender's own account.
    compliant: u64,
    received: u64,
    /// By the kernel's times of arrival.
    judged: u64,
    judged_well: u64,
}

struct Video {
    sender: VideoSender,
    frames: Vec<Arc<[u8]>>,
    real_time: bool,
}

impl Video {
    fn new(
        width: u32,
        height: u32,
        format: PixelFormat,
        real_time: bool,
    ) -> Result<Self, BenchError> {
        let picture = Picture::new(WireFormat::YCBCR_422_10, width, height, Scan::Progressive)?;
        let layout = FrameLayout::Mesh(format);
        let sender = VideoSender {
            picture,
            layout,
            packing: Packing::General,
            rate: RATE,
            pacing: SenderType::Narrow,
            identity: Identity::random(96),
            // The second host's address is known later; the size of datagrams, now.
            paths: vec![SenderOptions::new(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9))],
            ancillary: None,
        };
        let size = packetiser(&sender)?.frame_size();
        // More than the caches hold.
        let frames = (0..8).map(|_| vec![1; size].into()).collect();
        Ok(Self { sender, frames, real_time })
    }

    /// Packets that the stream sends at once.
    fn burst(&self) -> Result<usize, BenchError> {
        let packets = packetiser(&self.sender)?.frame_packets() as u32;
        let raster = Raster { height: self.sender.picture.height(), fields: false };
        let schedule = Schedule::linear(raster, RATE, None);
        let kind = self.sender.sender_type()?;
        Ok(pacing::Sender::new(kind, schedule, packets, None).burst() as usize)
    }

    fn bare(&self, hosts: &Hosts, bundle: usize, time: Duration) -> Result<Shares, BenchError> {
        let packetiser = packetiser(&self.sender)?;
        let len = Header::LEN + packetiser.size(Field::First, 0);
        let period = Duration::from_nanos(RATE.period_ns());
        let traffic = Traffic { packets: packetiser.frame_packets(), len, bundle, period };
        bare::measure(hosts, traffic, time)
    }

    fn measure(&self, hosts: &Hosts, time: Duration) -> Result<Outcome, BenchError> {
        let engine =
            Engine::new(EngineOptions { real_time: self.real_time, ..EngineOptions::default() });
        let port = hosts.on(1, || {
            let probe = Receiver::open(&ReceiverOptions::new(address(hosts), 0))?;
            Ok(probe.local_address()?)
        })?;
        let path = ReceiverOptions::new(port.ip(), port.port());
        let receiver = VideoReceiver {
            picture: self.sender.picture,
            layout: self.sender.layout,
            rate: RATE,
            origin: Origin::new(vec![path], 96),
            incomplete: IncompleteFrames::Deliver,
            ancillary: None,
        };
        let mut sender = self.sender.clone();
        sender.paths = vec![SenderOptions::new(port)];
        let slots = Slots::new(8, self.frames[0].len());
        let receiving = hosts.on(1, || Ok(receiver.start(&engine, slots)?))?;
        let feed = Cycle::new(self.frames.clone());
        let sending = hosts.on(0, || Ok(sender.start(&engine, feed)?))?;
        // The first frames are not like the others: caches are cold, and neighbours are being
        // looked for.
        thread::sleep(Duration::from_millis(500));
        let verdicts = || {
            let analyses = receiving.stats().analyses();
            let Some(Analysis::Video(judged)) = analyses.first() else { return [0; 2] };
            let video = &judged.all;
            [video.narrow + video.linear + video.wide, video.units - video.unknown]
        };
        let look =
            || (sending.stats().get(), receiving.stats().get(), engine.cpu_time(), verdicts());
        let (sent, received, cpu, judged) = look();
        thread::sleep(time);
        let (sent_then, received_then, cpu_then, judged_then) = look();
        let share =
            |side: usize| (cpu_then[side] - cpu[side]).as_secs_f64() / time.as_secs_f64() * 100.0;
        let whole =
            |counts: st2110_net::receive::ReceivedCounts| counts.frames - counts.incomplete_frames;
        Ok(Outcome {
            shares: Shares { send: share(0), receive: share(1) },
            sent: sent_then.frames - sent.frames,
            compliant: sent_then.compliant_frames - sent.compliant_frames,
            received: whole(received_then) - whole(received),
            judged: judged_then[1] - judged[1],
            judged_well: judged_then[0] - judged[0],
        })
    }
}

fn packetiser(sender: &VideoSender) -> Result<Packetiser, BenchError> {
    Ok(Packetiser::new(
        sender.picture,
        sender.layout,
        sender.packing,
        st2110::video::MAX_UDP_PAYLOAD,
    )?)
}
