//! Many audio streams: CPU time per stream.

use super::stream::{Cycle, Slots};
use super::{Options, Shares, address, case};
use crate::case::Case;
use crate::error::BenchError;
use crate::hosts::Hosts;
use media::{Audio, AudioFormat, PacketTime, SampleRate};
use rustix::time::{ClockId, clock_gettime};
use st2110::Transport;
use st2110_net::IncompleteFrames;
use st2110_net::engine::{Engine, EngineOptions};
use st2110_net::receive::{AudioReceiver, Origin, Receiving};
use st2110_net::send::{AudioSender, Identity, Sending};
use st2110_net::socket::{Batch, Receiver, ReceiverOptions, Sender, SenderOptions};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

pub(super) fn run(
    options: &Options,
    hosts: &Hosts,
    report: &mut impl FnMut(Case),
) -> Result<(), BenchError> {
    let time = Duration::from_secs(options.either(60, 3) as u64);
    // All at once. Each kind has threads of its own, so that their time can be told apart.
    let kinds = [(100, PacketTime::Ms1), (20, PacketTime::Us125)];
    let running =
        kinds.iter().map(|&(streams, packet_time)| Streams::start(hosts, streams, packet_time));
    let running = running.collect::<Result<Vec<_>, _>>()?;
    thread::sleep(Duration::from_millis(300));
    let before: Vec<_> = running.iter().map(|streams| streams.engine.cpu_time()).collect();
    thread::sleep(time);
    let after: Vec<_> = running.iter().map(|streams| streams.engine.cpu_time()).collect();
    for ((streams, before), after) in running.into_iter().zip(before).zip(after) {
        let (form, count) = (streams.form, streams.sessions.len());
        drop(streams);
        let share = |side: usize| {
            let used = (after[side] - before[side]).as_secs_f64();
            used / time.as_secs_f64() * 100.0 / count as f64
        };
        let floor = one_by_one(hosts, packet_len(form))?;
        let samples = form.packet_time.samples_per_packet(form.sample_rate).unwrap_or(1);
        let per_second = f64::from(form.sample_rate.hz() / samples);
        let name = format!("{count} streams of {}", form.packet_time);
        let percent = |seconds: f64| seconds * per_second * 100.0;
        let floor_name = "a call for each packet";
        report(case(format!("{name}: send, each"), share(0), floor_name, percent(floor.send)));
        report(case(
            format!("{name}: receive, each"),
            share(1),
            floor_name,
            percent(floor.receive),
        ));
    }
    Ok(())
}

fn packet_len(form: Audio) -> usize {
    form.packet_size().unwrap_or(0)
}

fn destination(hosts: &Hosts) -> Result<(Receiver, SocketAddr), BenchError> {
    let receiver = hosts.on(1, || Ok(Receiver::open(&ReceiverOptions::new(address(hosts), 0))?))?;
    let address = receiver.local_address()?;
    Ok((receiver, address))
}

/// Streams of one kind, on the way.
struct Streams {
    engine: Engine,
    form: Audio,
    sessions: Vec<(Sending, Receiving)>,
}

impl Streams {
    fn start(hosts: &Hosts, streams: usize, packet_time: PacketTime) -> Result<Self, BenchError> {
        let form = Audio {
            channels: 2,
            sample_rate: SampleRate::Hz48000,
            format: AudioFormat::PcmS24be,
            packet_time,
        };
        let engine = Engine::new(EngineOptions::default());
        let mut sessions = Vec::new();
        for _ in 0..streams {
            let (probe, to) = destination(hosts)?;
            drop(probe);
            let receiver = AudioReceiver {
                transport: Transport::St2110_30,
                audio: form,
                origin: Origin::new(vec![ReceiverOptions::new(to.ip(), to.port())], 97),
                incomplete: IncompleteFrames::Deliver,
            };
            let sender = AudioSender {
                transport: Transport::St2110_30,
                audio: form,
                identity: Identity::random(97),
                paths: vec![SenderOptions::new(to)],
            };
            let slots = Slots::new(4, packet_len(form));
            let receiving = hosts.on(1, || Ok(receiver.start(&engine, slots)?))?;
            let feed = Cycle::new(vec![vec![1; packet_len(form)].into()]);
            let sending = hosts.on(0, || Ok(sender.start(&engine, feed)?))?;
            sessions.push((sending, receiving));
        }
        Ok(Self { engine, form, sessions })
    }
}

/// Seconds of CPU time that a packet takes which is sent alone and received alone.
fn one_by_one(hosts: &Hosts, len: usize) -> Result<Shares, BenchError> {
    const PACKETS: usize = 20_000;
    let (receiver, to) = destination(hosts)?;
    let mut sender = hosts.on(0, || Ok(Sender::open(&SenderOptions::new(to))?))?;
    let (packet, mut batch) = (vec![1; len], Batch::new());
    let mut shares = Shares::default();
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    for _ in 0..PACKETS {
        let start = now();
        sender.send(&packet, len).ok();
        let sent = now();
        receiver.receive(&mut batch)?;
        shares.send += sent - start;
        shares.receive += now() - sent;
    }
    Ok(Shares { send: shares.send / PACKETS as f64, receive: shares.receive / PACKETS as f64 })
}
