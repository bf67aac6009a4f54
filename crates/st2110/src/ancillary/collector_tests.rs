//! Tests of the collector.

use proptest::prelude::*;

use super::super::{Block, Packet, Payloads, write_block};
use super::*;

const LIMIT: usize = 65_536;
/// 25 frames a second.
const FRAME: u32 = 3600;

fn collector(scan: Scan) -> Collector {
    Collector::new(FrameRate::new(25, 1).unwrap(), scan, LIMIT)
}

fn packets(frame: u8, count: usize) -> Vec<Packet> {
    (0..count).map(|n| Packet::new(0x50, frame, &[n as u8; 250])).collect()
}

/// The RTP packets of frames, each with so many ancillary packets in each field.
fn stream(frames: &[[usize; 2]], interlaced: bool, first: u16) -> Vec<(Header, Vec<u8>)> {
    let mut out = Vec::new();
    let mut sequence = first;
    for (n, counts) in frames.iter().enumerate() {
        let fields = counts.map(|count| packets(n as u8, count));
        let mut bytes = vec![0; LIMIT];
        let len = write_block([&fields[0], &fields[1]], &mut bytes).unwrap();
        let block = Block::parse(&bytes[..len]).unwrap();
        let marks: &[_] = if interlaced {
            &[(FieldMark::First, 0), (FieldMark::Second, FRAME / 2)]
        } else {
            &[(FieldMark::Frame, 0)]
        };
        for (mark, late) in marks {
            let mut payloads = Payloads::new(&block, *mark, 1440).unwrap();
            let mut payload = vec![0; 1440];
            while let Some((len, marker)) = payloads.write(0, &mut payload) {
                let timestamp =
                    (n as u32).wrapping_mul(FRAME).wrapping_add(*late).wrapping_sub(5000);
                let header = Header { marker, payload_type: 100, sequence, timestamp, ssrc: 1 };
                out.push((header, payload[..len].to_vec()));
                sequence = sequence.wrapping_add(1);
            }
        }
    }
    out
}

fn run(collector: &mut Collector, packets: &[(Header, Vec<u8>)]) -> Vec<(Collected, Vec<u8>)> {
    let mut out = Vec::new();
    let mut block = vec![0; LIMIT];
    let mut drain = |collector: &mut Collector| {
        while let Some(frame) = collector.pop(&mut block).unwrap() {
            out.push((frame, block[..frame.len].to_vec()));
        }
    };
    for (header, payload) in packets {
        let _ = collector.push(header, payload);
        drain(collector);
    }
    collector.give_up();
    drain(collector);
    out
}

#[test]
fn frames_come_out_as_they_were_sent() {
    let frames = [[3, 0], [0, 0], [20, 0], [1, 0]];
    let mut progressive = collector(Scan::Progressive);
    let out = run(&mut progressive, &stream(&frames, false, 65_530));
    let counts: Vec<_> = out.iter().map(|(_, b)| Block::parse(b).unwrap().count(0)).collect();
    assert_eq!(counts, [3, 0, 20, 1]);
    assert!(out.iter().all(|(frame, _)| frame.complete));
    assert_eq!(progressive.counts().ancillary_packets, 24);

    let frames = [[3, 4], [0, 1], [9, 0]];
    let out = run(&mut collector(Scan::Interlaced), &stream(&frames, true, 7));
    for (n, (frame, bytes)) in out.iter().enumerate() {
        assert_eq!(frame.timestamp, (n as u32 * FRAME).wrapping_sub(5000));
        let block = Block::parse(bytes).unwrap();
        for (field, count) in frames[n].into_iter().enumerate() {
            let read: Vec<_> = block.packets(field).map(|view| view.to_packet()).collect();
            assert_eq!(read, packets(n as u8, count));
        }
    }
    assert_eq!(out.len(), 3);
}

#[test]
fn the_scan_is_learnt_from_the_field_bits() {
    let counts = |out: &[(Collected, Vec<u8>)]| -> Vec<_> {
        let blocks = out.iter().map(|(_, bytes)| Block::parse(bytes).unwrap());
        blocks.map(|block| [block.count(0), block.count(1)]).collect()
    };
    let frames = [[3, 4], [2, 1], [9, 0], [0, 2]];
    let sent = stream(&frames, true, 7);
    let mut learning = collector(Scan::Progressive).learning_scan();
    let out = run(&mut learning, &sent);
    assert_eq!(counts(&out), [[3, 0], [2, 1], [9, 0], [0, 2]], "but for the first second field");
    assert!(out[1..].iter().all(|(frame, _)| frame.complete));
    assert_eq!(learning.counts().refused[AncillaryPacketError::Field.index()], 0);
    // A single packet of another field changes it for a frame only.
    let mut sent = stream(&[[1, 0]; 6], false, 0);
    let mut other = sent[1].clone();
    other.1[4] |= 0xC0;
    sent.insert(2, other);
    let out = run(&mut collector(Scan::Progressive).learning_scan(), &sent);
    assert!(out[3..].iter().all(|(frame, _)| frame.complete), "{out:?}");
    // Where the scan is known, as of an associated stream, a second field of progressive pictures
    // is none of theirs.
    let mut told = collector(Scan::Progressive);
    run(&mut told, &stream(&frames, true, 7));
    assert_eq!(told.counts().refused[AncillaryPacketError::Field.index()], 4);
}

#[test]
fn reordered_packets_are_put_in_order() {
    let mut sent = stream(&[[12, 0], [12, 0]], false, 0);
    let ordered = run(&mut collector(Scan::Progressive), &sent);
    sent.swap(0, 1);
    sent.swap(2, 4);
    let out = run(&mut collector(Scan::Progressive), &sent);
    assert_eq!(out, ordered);
}

#[test]
fn a_lost_packet_makes_its_frame_incomplete() {
    for lost in 0..8 {
        let mut sent = stream(&[[1, 0], [12, 0], [1, 0], [1, 0], [1, 0]], false, 0);
        if lost >= sent.len() {
            break;
        }
        sent.remove(lost);
        let out = run(&mut collector(Scan::Progressive), &sent);
        let incomplete = out.iter().filter(|(frame, _)| !frame.complete).count();
        // Without its one packet a frame is not known; the first packet of all is not missed.
        let vanished = 5 - out.len();
        assert!(incomplete + vanished >= usize::from(lost != 0), "{lost}");
    }
}

#[test]
fn what_comes_twice_or_late_is_refused() {
    let sent = stream(&[[1, 0], [1, 0]], false, 0);
    let mut collector = collector(Scan::Progressive);
    let mut block = vec![0; LIMIT];
    collector.push(&sent[0].0, &sent[0].1).unwrap();
    assert_eq!(collector.push(&sent[0].0, &sent[0].1), Err(AncillaryPacketError::Duplicate));
    assert!(collector.pop(&mut block).unwrap().is_some());
    assert_eq!(collector.push(&sent[0].0, &sent[0].1), Err(AncillaryPacketError::Late));
    let field = stream(&[[1, 1]], true, 0);
    assert_eq!(collector.push(&field[1].0, &field[1].1), Err(AncillaryPacketError::Field));
    assert!(collector.pop(&mut block[1..]).is_err());
}

#[test]
fn a_flood_is_bounded() {
    let payload = &stream(&[[4, 0]], false, 0)[0].1;
    let mut collector = Collector::new(FrameRate::default(), Scan::Progressive, 5000);
    let mut results = Vec::new();
    for sequence in 0..100 {
        let header = Header { marker: false, payload_type: 1, sequence, timestamp: 9, ssrc: 1 };
        results.push(collector.push(&header, payload));
    }
    assert_eq!(results[2], Ok(()));
    assert_eq!(results[3..], vec![Err(AncillaryPacketError::Room); 97]);
    let mut block = vec![0; 5000];
    for timestamp in 0..1000 {
        let header = Header { marker: false, payload_type: 1, sequence: 0, timestamp, ssrc: 1 };
        let _ = collector.push(&header, payload);
        while collector.pop(&mut block).unwrap().is_some() {}
        assert!(collector.open.len() <= OPEN);
    }
}

proptest! {
    #[test]
    fn any_order_gives_blocks_that_can_be_read(
        order in proptest::collection::vec(0_usize..40, 0..80), interlaced: bool,
    ) {
        let sent = stream(&[[9, 3], [0, 0], [20, 20], [1, 0], [5, 5]], interlaced, 65_500);
        let packets: Vec<_> = order.iter().filter_map(|n| sent.get(*n).cloned()).collect();
        let scan = if interlaced { Scan::Interlaced } else { Scan::Progressive };
        for (frame, bytes) in run(&mut collector(scan), &packets) {
            prop_assert_eq!(frame.len, bytes.len());
            prop_assert!(Block::parse(&bytes).is_ok());
        }
    }
}

#[test]
fn frames_up_to_a_time_stamp_can_be_given_up() {
    let mut collector = collector(Scan::Progressive);
    let sent = stream(&[[10, 0], [10, 0], [10, 0]], false, 9);
    let [first, second, third] = [0, 1, 2].map(|n| (n * FRAME).wrapping_sub(5000));
    let mut block = vec![0; LIMIT];
    let mut ready = |collector: &mut Collector| {
        let next = || collector.pop(&mut block).unwrap();
        std::iter::from_fn(next).map(|it| (it.timestamp, it.complete)).collect::<Vec<_>>()
    };
    // The last packet of each frame is late.
    for (header, payload) in sent.iter().filter(|(header, _)| !header.marker) {
        collector.push(header, payload).unwrap();
        assert_eq!(ready(&mut collector), []);
    }
    collector.give_up_to(second.wrapping_add(1));
    assert_eq!(ready(&mut collector), [(first, false), (second, false)]);
    // That concerned those that were there.
    let mut results = Vec::new();
    for (header, payload) in sent.iter().filter(|(header, _)| header.marker) {
        results.push(collector.push(header, payload));
    }
    assert_eq!(results, [Err(AncillaryPacketError::Late), Err(AncillaryPacketError::Late), Ok(())]);
    // Nothing is known of the packet before its first one.
    assert_eq!(ready(&mut collector), [(third, true)]);
}
