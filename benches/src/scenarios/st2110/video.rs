//! Uncompressed video of 4:2:2 in 10 bits.

use super::stream::{Cycle, Slots};
use super::{Options, Shares, address, bare, case};
use crate::case::{Case, Target};
use crate::error::BenchError;
use crate::hosts::Hosts;
use crate::samples::Samples;
use media::{FrameRate, PixelFormat};
use st2110::pacing::SenderType;
use st2110::rtp::Header;
use st2110::video::{Field, FrameLayout, Packetiser, Packing, Picture, Scan, WireFormat};
use st2110_net::Incomplete;
use st2110_net::engine::{Engine, EngineOptions};
use st2110_net::receive::{Origin, VideoReceiver};
use st2110_net::send::{Identity, VideoSender};
use st2110_net::socket::{Receiver, ReceiverOptions, SenderOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const RATE: FrameRate = FrameRate { num: 60_000, den: 1001 };
/// What the streams may cost beside bare sockets.
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
        // The floor and the stream in turn, since the machine is not the same from one second to the next.
        let (rounds, seconds) = if options.quick { (1, 3) } else { (3, 20) };
        let time = Duration::from_secs(seconds);
        let mut ours = Rounds::default();
        let mut floor = Rounds::default();
        let mut whole = Outcome::default();
        for _ in 0..rounds {
            floor.add(video.bare(hosts, time)?);
            let outcome = video.measure(hosts, time)?;
            ours.add(outcome.shares);
            whole.sent += outcome.sent;
            whole.compliant += outcome.compliant;
            whole.received += outcome.received;
        }
        let [send, receive] = [(&ours.send, &floor.send), (&ours.receive, &floor.receive)]
            .map(|(ours, floor)| (ours.median(), floor.median()));
        report(case(format!("{name}: send"), send.0, "GSO, unpaced", send.1).wants(TARGET));
        report(case(format!("{name}: receive"), receive.0, "GRO, unread", receive.1).wants(TARGET));
        let percent = |count: u64| count as f64 / whole.sent.max(1) as f64 * 100.0;
        let kind = video.sender.sender_type()?;
        report(case(
            format!("{name}: frames {kind}"),
            percent(whole.compliant),
            "all frames",
            100.0,
        ));
        report(case(format!("{name}: frames whole"), percent(whole.received), "all frames", 100.0));
    }
    Ok(())
}

#[derive(Default)]
struct Rounds {
    send: Samples,
    receive: Samples,
}

impl Rounds {
    fn add(&mut self, shares: Shares) {
        self.send.push(shares.send);
        self.receive.push(shares.receive);
    }
}

#[derive(Default)]
struct Outcome {
    shares: Shares,
    sent: u64,
    compliant: u64,
    received: u64,
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
            // Where the second host listens is known later; how large datagrams are, now.
            paths: vec![SenderOptions::new(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9))],
            ancillary: None,
        };
        let size = packetiser(&sender)?.frame_size();
        // More than the caches hold.
        let frames = (0..8).map(|_| vec![1; size].into()).collect();
        Ok(Self { sender, frames, real_time })
    }

    fn bare(&self, hosts: &Hosts, time: Duration) -> Result<Shares, BenchError> {
        let packetiser = packetiser(&self.sender)?;
        let len = Header::LEN + packetiser.size(Field::First, 0);
        let period = Duration::from_nanos(RATE.period_ns());
        bare::measure(hosts, packetiser.frame_packets(), len, period, time)
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
            incomplete: Incomplete::Deliver,
            ancillary: None,
        };
        let mut sender = self.sender.clone();
        sender.paths = vec![SenderOptions { buffer: 8 << 20, ..SenderOptions::new(port) }];
        let slots = Slots::new(8, self.frames[0].len());
        let receiving = hosts.on(1, || Ok(receiver.start(&engine, slots)?))?;
        let feed = Cycle::new(self.frames.clone());
        let sending = hosts.on(0, || Ok(sender.start(&engine, feed)?))?;
        // The first frames are not like the others: caches are cold, and neighbours are being looked for.
        thread::sleep(Duration::from_millis(500));
        let look = || (sending.stats().get(), receiving.stats().get(), engine.cpu_time());
        let (sent, received, cpu) = look();
        thread::sleep(time);
        let (sent_then, received_then, cpu_then) = look();
        let share =
            |side: usize| (cpu_then[side] - cpu[side]).as_secs_f64() / time.as_secs_f64() * 100.0;
        let whole =
            |counts: st2110_net::receive::ReceivedCounts| counts.frames - counts.incomplete_frames;
        Ok(Outcome {
            shares: Shares { send: share(0), receive: share(1) },
            sent: sent_then.frames - sent.frames,
            compliant: sent_then.compliant_frames - sent.compliant_frames,
            received: whole(received_then) - whole(received),
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
