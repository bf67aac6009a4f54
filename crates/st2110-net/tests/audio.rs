//! Audio and ancillary data from one session to another.

mod common;

use std::{net::SocketAddr, sync::Arc};

use common::{
    Hosts,
    frames::{Queue, Store, frame},
    local_address, wait_for,
};
use media::{Ancillary, Audio, AudioFormat, FrameRate, PacketTime, PixelFormat, SampleRate, Tai};
use st2110::Transport;
use st2110::{
    ancillary::{Packet, write_block},
    pacing::SenderType,
    video::{FrameLayout, Packing, Picture, Scan, WireFormat},
};
use st2110_net::{
    Gap, IncompleteFrames,
    engine::{Engine, EngineOptions},
    receive::{AncillaryReceiver, AudioReceiver, Origin, VideoReceiver},
    send::{AncillarySender, AssociatedAncillary, AudioSender, Identity, VideoSender},
    socket::{Interface, ReceiverOptions, SenderOptions},
};

const P50: FrameRate = FrameRate { num: 50, den: 1 };

fn origin(address: SocketAddr, payload_type: u8) -> Origin {
    Origin::new(vec![ReceiverOptions::new(address.ip(), address.port())], payload_type)
}

fn audio(channels: u16, format: AudioFormat, packet_time: PacketTime) -> Audio {
    Audio { channels, sample_rate: SampleRate::Hz48000, format, packet_time }
}

fn pair(
    transport: Transport,
    sent: Audio,
    received: Audio,
    address: SocketAddr,
) -> (AudioSender, AudioReceiver) {
    let sender = AudioSender {
        transport,
        audio: sent,
        identity: Identity { payload_type: 97, ssrc: 3, sequence: 65_530 },
        paths: vec![SenderOptions::new(address)],
    };
    let receiver = AudioReceiver {
        transport,
        audio: received,
        origin: origin(address, 97),
        incomplete: IncompleteFrames::Deliver,
    };
    (sender, receiver)
}

fn noise(seed: usize, len: usize) -> Vec<u8> {
    (0..len).map(|index| ((index + seed * 4099).wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Hands buffers over with the times of samples without a gap, however late the busy host is with
/// them.
fn push_on_grid<'a>(
    queue: &Queue,
    engine: &Engine,
    buffers: impl Iterator<Item = &'a [u8]>,
    samples: u64,
    rate: SampleRate,
) {
    let begin = engine.clock().now().as_nanos();
    for (index, bytes) in (0..).zip(buffers) {
        queue.push(bytes, Some(Tai::from_nanos(begin + pair_ns(index * samples, rate))));
    }
}

#[test]
fn audio_is_exact_in_all_codings_rates_and_packet_times() {
    use AudioFormat as F;
    use PacketTime as T;
    use SampleRate as R;
    let engine = Engine::new(EngineOptions::default());
    let (pcm, aes3) = (Transport::St2110_30, Transport::St2110_31);
    let cases = [
        (pcm, R::Hz48000, 2, F::PcmS16be, T::Ms1, T::Ms1),
        (pcm, R::Hz48000, 8, F::PcmS24be, T::Us125, T::Us125),
        (pcm, R::Hz48000, 4, F::PcmS24be, T::Us125, T::Ms1),
        (pcm, R::Hz48000, 2, F::PcmS8, T::Ms1, T::Us250),
        (pcm, R::Hz48000, 2, F::PcmS24be, T::Us333, T::Ms1),
        (pcm, R::Hz48000, 2, F::PcmS24be, T::Us80, T::Us80),
        (pcm, R::Hz48000, 2, F::PcmS16be, T::Ms4, T::Ms4),
        // As many channels as there may be, in packets as long as they may be.
        (pcm, R::Hz48000, 64, F::PcmS24be, T::Us125, T::Us125),
        (pcm, R::Hz48000, 64, F::PcmS24be, T::Us80, T::Us250),
        (pcm, R::Hz96000, 4, F::PcmS24be, T::Ms1, T::Ms1),
        (pcm, R::Hz96000, 32, F::PcmS24be, T::Us125, T::Ms1),
        (pcm, R::Hz44100, 2, F::PcmS24be, T::Ms1_09, T::Ms1_09),
        (pcm, R::Hz44100, 2, F::PcmS16be, T::Ms0_14, T::Ms1_09),
        (pcm, R::Hz44100, 2, F::PcmS16be, T::Ms0_09, T::Ms0_09),
        (aes3, R::Hz48000, 2, F::PcmS24be, T::Ms1, T::Ms1),
        (aes3, R::Hz96000, 8, F::PcmS24be, T::Us333, T::Us333),
        (aes3, R::Hz44100, 2, F::Am824, T::Ms1_09, T::Ms1_09),
    ];
    for case in cases {
        let (transport, sample_rate, channels, format, sent, received) = case;
        let form = |packet_time| Audio { channels, sample_rate, format, packet_time };
        let (sender, receiver) = pair(transport, form(sent), form(received), local_address());
        let (queue, store) = (Queue::default(), Store::default());
        let receiving = receiver.start(&engine, store.clone()).unwrap();
        let buffer = form(sent).packet_size().unwrap();
        let samples = noise(1, buffer * 240);
        let step = u64::from(sent.samples_per_packet(sample_rate).unwrap());
        push_on_grid(&queue, &engine, samples.chunks(buffer), step, sample_rate);
        let _sending = sender.start(&engine, queue.clone()).unwrap();
        let out = form(received).packet_size().unwrap();
        let count = samples.len() / out;
        wait_for(&format!("all buffers of {case:?}"), || store.len() >= count);
        let frames = store.take();
        assert!(frames.iter().flat_map(|frame| &frame.bytes).eq(&samples), "{case:?}");
        assert!(frames.iter().all(|frame| frame.gaps.is_empty()), "{case:?}");
        let step = received.samples_per_packet(sample_rate).unwrap();
        for pair in frames.windows(2) {
            assert_eq!(pair[1].timestamp.wrapping_sub(pair[0].timestamp), step, "{case:?}");
            let passed = pair[1].tai.as_nanos() - pair[0].tai.as_nanos();
            assert!(passed.abs_diff(pair_ns(step.into(), sample_rate)) <= 1, "{case:?}");
        }
        let got = receiving.stats().get();
        let wrong = (got.lost, got.late, got.other_format, got.unaligned_times);
        assert_eq!(wrong, (0, 0, 0, 0), "{case:?}");
    }
}

fn pair_ns(samples: u64, rate: SampleRate) -> u64 {
    samples * 1_000_000_000 / u64::from(rate.hz())
}

#[test]
fn lost_audio_is_silent_repeated_or_dropped_and_counted() {
    let Some(hosts) = Hosts::new(1500) else { return };
    let address = SocketAddr::new("239.77.3.1".parse().unwrap(), 20_100);
    let form = audio(2, AudioFormat::PcmS16be, PacketTime::Ms1);
    let rules = "table netdev loss { chain in { type filter hook ingress device media0 priority 0; policy accept; \
                 ip daddr 239.77.3.1 numgen inc mod 10 == 9 drop\n}\n}\n";
    for incomplete in [IncompleteFrames::Deliver, IncompleteFrames::Repeat, IncompleteFrames::Drop]
    {
        let (mut sender, mut receiver) = pair(Transport::St2110_30, form, form, address);
        let interface = Interface::Name("media0".into());
        sender.paths[0].interface = interface.clone();
        receiver.origin.paths[0].interface = interface;
        receiver.incomplete = incomplete;
        let engine = Engine::new(EngineOptions::default());
        let (queue, store) = (Queue::default(), Store::default());
        hosts.filter(1, rules);
        let receiving = hosts.on(1, || receiver.start(&engine, store.clone()).unwrap());
        let _sending = hosts.on(0, || sender.start(&engine, queue.clone()).unwrap());
        let sent: Vec<Arc<[u8]>> = (0..105).map(|seed| noise(seed, 192).into()).collect();
        push_on_grid(&queue, &engine, sent.iter().map(|bytes| &bytes[..]), 48, form.sample_rate);
        let expected = if incomplete == IncompleteFrames::Drop { 95 } else { 105 };
        wait_for("all buffers", || store.len() >= expected);
        let got = receiving.stats().get();
        assert_eq!((got.lost, got.packets), (10, 95), "{got:?}");
        let frames = store.take();
        match incomplete {
            IncompleteFrames::Drop => assert_eq!((got.dropped_frames, got.frames), (10, 95)),
            _ => {
                assert_eq!((got.incomplete_frames, got.frames), (10, 105));
                for (index, (frame, bytes)) in frames.iter().zip(&sent).enumerate() {
                    let lost = index % 10 == 9;
                    assert_eq!(frame.gaps, if lost { vec![Gap::Bytes(0..192)] } else { vec![] });
                    let silent = [0; 192];
                    let wanted = match (lost, incomplete) {
                        (false, _) => &bytes[..],
                        (true, IncompleteFrames::Repeat) => &sent[index - 1][..],
                        (true, _) => &silent,
                    };
                    assert!(frame.bytes[..] == *wanted, "{index} {incomplete:?}");
                }
            }
        }
        hosts.filter(1, "flush ruleset");
    }
}

#[test]
fn many_audio_streams_share_two_threads() {
    let engine = Engine::new(EngineOptions::default());
    let form = audio(2, AudioFormat::PcmS24be, PacketTime::Ms1);
    let streams: Vec<_> = (0..40)
        .map(|seed| {
            let (sender, receiver) = pair(Transport::St2110_30, form, form, local_address());
            let (queue, store) = (Queue::default(), Store::default());
            let receiving = receiver.start(&engine, store.clone()).unwrap();
            let samples = noise(seed, 288 * 100);
            push_on_grid(&queue, &engine, samples.chunks(288), 48, form.sample_rate);
            let sending = sender.start(&engine, queue).unwrap();
            (sending, receiving, store, samples)
        })
        .collect();
    for (_, receiving, store, samples) in &streams {
        wait_for("all buffers", || store.len() >= 100);
        assert!(
            store.take().iter().flat_map(|frame| &frame.bytes).eq(samples),
            "{:?}",
            receiving.stats()
        );
    }
    assert_eq!(engine.threads(), [1, 1]);
}

/// Blocks of one packet, of many, and of none.
fn blocks(fields: usize) -> Vec<Vec<u8>> {
    let packets = |count: usize, seed: usize| -> Vec<Packet> {
        (0..count)
            .map(|index| {
                Packet::new(0x61, 1 + index as u8, &noise(seed + index, 20 + index * 9 % 200))
            })
            .collect()
    };
    [(1, 0), (40, 30), (0, 0), (3, 1)]
        .into_iter()
        .enumerate()
        .map(|(seed, (first, second))| {
            let second = if fields > 1 { packets(second, seed + 50) } else { Vec::new() };
            let mut block = vec![0; 65_536];
            let len = write_block([&packets(first, seed), &second], &mut block).unwrap();
            block.truncate(len);
            block
        })
        .collect()
}

#[test]
fn ancillary_data_are_exact() {
    let engine = Engine::new(EngineOptions::default());
    for (scan, fields) in [(media::Scan::Progressive, 1), (media::Scan::Interlaced, 2)] {
        let address = local_address();
        let ancillary = Ancillary { rate: P50, scan };
        let sender = AncillarySender {
            ancillary,
            identity: Identity { payload_type: 100, ssrc: 8, sequence: 65_534 },
            paths: vec![SenderOptions::new(address)],
        };
        let receiver = AncillaryReceiver {
            ancillary,
            limit: 65_536,
            origin: origin(address, 100),
            incomplete: IncompleteFrames::Deliver,
        };
        let (queue, store) = (Queue::default(), Store::default());
        let receiving = receiver.start(&engine, store.clone()).unwrap();
        let sending = sender.start(&engine, queue.clone()).unwrap();
        queue.push(vec![0, 1, 0, 0, 9], None);
        let blocks = blocks(fields);
        let begin = engine.clock().now();
        for (index, block) in blocks.iter().enumerate() {
            queue.push(
                &block[..],
                Some(Tai::from_nanos(begin.as_nanos() + index as u64 * 20_000_000)),
            );
        }
        wait_for("all blocks", || store.len() >= 4);
        let frames = store.take();
        assert!(frames.iter().map(|frame| &frame.bytes).eq(&blocks), "{scan}");
        assert!(frames.iter().all(|frame| frame.gaps.is_empty()));
        assert_eq!(sending.stats().get().wrong_sizes, 1);
        assert_eq!(receiving.stats().get().lost, 0);
    }
}

#[test]
fn ancillary_data_ride_with_video() {
    let engine = Engine::new(EngineOptions::default());
    for scan in [Scan::Progressive, Scan::Interlaced] {
        let (address, beside) = (local_address(), local_address());
        let picture = Picture::new(WireFormat::YCBCR_422_10, 320, 180, scan).unwrap();
        let layout = FrameLayout::Mesh(PixelFormat::Yuv422p10le);
        let sender = VideoSender {
            picture,
            layout,
            packing: Packing::General,
            rate: P50,
            pacing: SenderType::Narrow,
            identity: Identity::random(96),
            paths: vec![SenderOptions::new(address)],
            ancillary: Some(AssociatedAncillary {
                identity: Identity::random(100),
                paths: vec![SenderOptions::new(beside)],
            }),
        };
        let receiver = VideoReceiver {
            picture,
            layout,
            rate: P50,
            origin: origin(address, 96),
            incomplete: IncompleteFrames::Deliver,
            ancillary: Some(origin(beside, 100)),
        };
        let (queue, store) = (Queue::default(), Store::default());
        let receiving = receiver.start(&engine, store.clone()).unwrap();
        let sending = sender.start(&engine, queue.clone()).unwrap();
        let mut blocks = blocks(picture.fields().len());
        // What a test's slot has room for.
        blocks.retain(|block| block.len() <= 4096);
        let frames: Vec<Vec<u8>> = (0..blocks.len())
            .map(|seed| frame(PixelFormat::Yuv422p10le, seed, 320 * 180 * 4))
            .collect();
        for (bytes, block) in frames.iter().zip(&blocks) {
            queue.push_with(&bytes[..], block.clone(), None);
        }
        wait_for("all frames", || store.len() >= blocks.len());
        for (index, got) in store.take().iter().enumerate() {
            assert!(got.bytes == frames[index] && got.gaps.is_empty());
            assert!(got.metadata == blocks[index], "{scan} {index}: {} bytes", got.metadata.len());
        }
        // Metadata of another kind do not stop the pictures.
        queue.push_with(&frames[0][..], vec![7; 3], None);
        wait_for("another frame", || store.len() >= 1);
        assert_eq!(store.take()[0].metadata, [0; 4]);
        assert_eq!(sending.ancillary_stats().unwrap().get().wrong_sizes, 1);
        assert_eq!(receiving.ancillary_stats().unwrap().get().lost, 0);
    }
}
