//! Ancillary data beside video that come late, in part, too large or for no picture.

mod common;
#[path = "../../st2110/src/jpegxs/sample.rs"]
mod sample;

use std::{net::UdpSocket, time::Duration};

use common::{
    frames::{Frame, Queue, Store},
    local_address,
    video::{Stream, wait_frames},
    wait_for,
};
use media::Scan;
use st2110::{
    ancillary::{Block, FieldMark, Packet, Payloads, write_block},
    jpegxs::{PacketMode, TransmissionMode},
    pacing::SenderType,
    rtp::Header,
    video::{FrameLayout, Packetiser, Packing},
};
use st2110_net::{
    IncompleteFrames,
    engine::{Engine, EngineOptions},
    receive::{CodestreamReceiver, Origin, ReceiveStats, Receiving},
    send::{AssociatedAncillary, CodestreamSender, Identity},
    socket::{ReceiverOptions, SenderOptions},
};

/// Longer than this test is ever held up between a picture and its block.
const LONG: Duration = Duration::from_millis(900);

/// Packets of both streams, sent by hand, and the receiver of both.
struct Pair {
    stream: Stream,
    store: Store,
    receiving: Receiving,
    socket: UdpSocket,
    packetiser: Packetiser,
    frame: Vec<u8>,
    timestamp: u32,
    sequences: [u32; 2],
    _engine: Engine,
}

impl Pair {
    fn new(skew: Duration) -> Self {
        let mut stream = Stream::small();
        let beside = local_address();
        let path = ReceiverOptions::new(beside.ip(), beside.port());
        stream.receive.ancillary = Some(Origin { skew, ..Origin::new(vec![path], 100) });
        let engine = Engine::new(EngineOptions::default());
        let store = Store::default();
        let receiving = stream.receive.start(&engine, store.clone()).unwrap();
        let layout = FrameLayout::Mesh(stream.format);
        let packetiser = Packetiser::new(stream.picture, layout, Packing::General, 1452).unwrap();
        let frame = stream.frames(1)[0].to_vec();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (timestamp, sequences) = (90_000, [7000, 65_530]);
        Self {
            stream,
            store,
            receiving,
            socket,
            packetiser,
            frame,
            timestamp,
            sequences,
            _engine: engine,
        }
    }

    /// From now on it is about the next frame.
    fn next(&mut self) {
        self.timestamp += 1800;
    }

    /// Sends the picture, and waits until the receiver has read all of it.
    fn picture(&mut self) {
        let before = self.receiving.stats().get().packets;
        let field = self.stream.picture.fields()[0];
        let count = self.packetiser.packets(field);
        let mut datagram = vec![0; 1452];
        for index in 0..count {
            let sequence = self.sequences[0];
            let packet = index..index + 1;
            let used = self.packetiser.write(&self.frame, field, packet, sequence, &mut datagram);
            let header = Header {
                marker: index + 1 == count,
                payload_type: 112,
                sequence: sequence as u16,
                timestamp: self.timestamp,
                ssrc: 5,
            };
            datagram[..12].copy_from_slice(&header.to_bytes());
            let to = self.stream.send.paths[0].destination;
            self.socket.send_to(&datagram[..used.unwrap()], to).unwrap();
            self.sequences[0] += 1;
        }
        let stats = self.receiving.stats();
        wait_for("the picture to be read", || stats.get().packets == before + count as u64);
    }

    /// Sends the RTP packets of a block but for the last `missing` ones.
    fn block(&mut self, block: &[u8], missing: usize) {
        let parsed = Block::parse(block).unwrap();
        let mut payloads = Payloads::new(&parsed, FieldMark::Frame, 1440).unwrap();
        let mut datagrams = Vec::new();
        loop {
            let sequence = self.sequences[1];
            let mut payload = vec![0; 1440];
            let written = payloads.write((sequence >> 16) as u16, &mut payload);
            let Some((len, marker)) = written else { break };
            let header = Header {
                marker,
                payload_type: 100,
                sequence: sequence as u16,
                timestamp: self.timestamp,
                ssrc: 8,
            };
            datagrams.push([&header.to_bytes()[..], &payload[..len]].concat());
            self.sequences[1] += 1;
        }
        let path = &self.stream.receive.ancillary.as_ref().unwrap().paths[0];
        for datagram in &datagrams[..datagrams.len() - missing] {
            self.socket.send_to(datagram, (path.address, path.port)).unwrap();
        }
    }

    /// A picture whose block is there before it: from now on the receiver knows that the stream is
    /// alive.
    fn begin(&mut self) {
        let first = block(1, 0);
        self.block(&first, 0);
        wait_for("the first block", || self.beside().get().frames == 1);
        self.picture();
        assert_eq!(self.one().metadata, first);
    }

    fn one(&self) -> Frame {
        let mut frames = wait_frames(&self.store, 1, &self.receiving);
        assert_eq!(frames.len(), 1);
        frames.remove(0)
    }

    fn beside(&self) -> &ReceiveStats {
        self.receiving.ancillary_stats().unwrap()
    }
}

/// A block of so many packets, different for each seed.
fn block(count: u8, seed: u8) -> Vec<u8> {
    let packets: Vec<_> =
        (0..count).map(|index| Packet::new(0x61, 1 + index, &[seed ^ index; 200])).collect();
    let mut block = vec![0; 65_536];
    let len = write_block([&packets, &[]], &mut block).unwrap();
    block.truncate(len);
    block
}

#[test]
fn data_that_follow_their_picture_are_waited_for() {
    let mut pair = Pair::new(LONG);
    pair.begin();
    for seed in 1..5 {
        pair.next();
        pair.picture();
        assert_eq!(pair.store.len(), 0, "the picture waits");
        let late = block(2 + seed, seed);
        pair.block(&late, 0);
        let frame = pair.one();
        assert!(frame.metadata == late && frame.gaps.is_empty());
        assert!(frame.bytes == pair.frame);
    }
    let riding = pair.beside().riding();
    assert_eq!((riding.late, riding.too_large, riding.unmatched), (0, 0, 0));
}

#[test]
fn data_that_come_after_their_time_are_counted() {
    let mut pair = Pair::new(Duration::from_millis(1));
    pair.begin();
    pair.next();
    pair.picture();
    assert!(pair.one().metadata.is_empty());
    pair.block(&block(3, 1), 0);
    wait_for("the late block", || pair.beside().riding().late == 1);
    // It is not taken for that of another picture.
    pair.next();
    let right = block(3, 2);
    pair.block(&right, 0);
    wait_for("the next block", || pair.beside().get().frames == 3);
    pair.picture();
    assert_eq!(pair.one().metadata, right);
    assert_eq!(pair.beside().riding().late, 1);
}

#[test]
fn what_there_is_of_a_block_goes_with_its_picture() {
    let mut pair = Pair::new(Duration::from_millis(20));
    pair.begin();
    pair.next();
    let whole = block(12, 1);
    pair.block(&whole, 1);
    pair.picture();
    // Nothing else comes on either stream, and still it does not wait for long.
    let part = pair.one().metadata;
    assert!(part.len() > 4 && part.len() < whole.len() && part[4..] == whole[4..part.len()]);
    let count = |block: &[u8]| u16::from_be_bytes([block[0], block[1]]);
    assert!(count(&part) > 0 && count(&part) < count(&whole));
    assert_eq!(pair.beside().get().incomplete_frames, 1);
    pair.next();
    let right = block(12, 2);
    pair.block(&right, 0);
    pair.picture();
    assert_eq!(pair.one().metadata, right);
    assert_eq!(pair.beside().get().incomplete_frames, 1);
}

#[test]
fn data_without_room_or_picture_are_counted() {
    let mut pair = Pair::new(LONG);
    pair.begin();
    pair.next();
    // The slots of this test have 4096 bytes for it.
    pair.block(&block(30, 1), 0);
    pair.picture();
    assert!(pair.one().metadata.is_empty());
    assert_eq!(pair.beside().riding().too_large, 1);
    // No more than eight are kept for pictures that may come.
    for _ in 0..10 {
        pair.next();
        pair.block(&block(1, 2), 0);
    }
    wait_for("those without a picture", || pair.beside().riding().unmatched == 2);
    // Once a later picture is there, theirs do not come any more.
    pair.picture();
    assert_eq!(pair.one().metadata, block(1, 2));
    assert_eq!(pair.beside().riding().unmatched, 9);
}

#[test]
fn a_part_of_a_block_is_given_up_without_pictures() {
    let mut pair = Pair::new(Duration::from_millis(20));
    pair.begin();
    pair.next();
    pair.block(&block(12, 1), 1);
    wait_for("the part", || pair.beside().get().incomplete_frames == 1);
}

/// Refused packets of the associated stream are counted by what is wrong with them, and the
/// pictures go on.
#[test]
fn damaged_data_are_refused_by_reason() {
    let mut pair = Pair::new(Duration::from_millis(1));
    pair.begin();
    let path = pair.stream.receive.ancillary.as_ref().unwrap().paths[0].clone();
    let good = block(1, 0);
    let data = &good[4..];
    let mut damage = |length: u16, field: u8, data: &[u8]| {
        let sequence = pair.sequences[1];
        pair.sequences[1] += 1;
        let header = Header {
            marker: true,
            payload_type: 100,
            sequence: sequence as u16,
            timestamp: pair.timestamp + 1800,
            ssrc: 8,
        };
        let high = ((sequence >> 16) as u16).to_be_bytes();
        let [long, short] = length.to_be_bytes();
        let head = [high[0], high[1], long, short, 1, field << 6, 0, 0];
        let datagram = [&header.to_bytes()[..], &head, data].concat();
        pair.socket.send_to(&datagram, (path.address, path.port)).unwrap();
    };
    let len = data.len() as u16;
    damage(len + 8, 0, data);
    damage(len, 1, data);
    damage(len, 3, data);
    damage(len - 4, 0, &data[..data.len() - 4]);
    // The first bit of DID is its parity; one of the user data changes the checksum.
    let flipped = |byte: usize, bit: u8| {
        let mut data = data.to_vec();
        data[byte] ^= bit;
        data
    };
    damage(len, 0, &flipped(4, 0x40));
    damage(len, 0, &flipped(20, 0x10));
    let stats = pair.receiving.ancillary_stats().unwrap().clone();
    wait_for("all to be refused", || stats.get().other_format == 6);
    let refused = stats.refused();
    assert_eq!((refused.truncated, refused.length, refused.field), (1, 1, 2));
    assert_eq!((refused.parity, refused.checksum), (1, 1));
    pair.next();
    pair.picture();
    assert!(pair.one().metadata.is_empty());
}

#[test]
fn codestreams_wait_for_their_data_as_well() {
    const FRAMES: usize = 6;
    let engine = Engine::new(EngineOptions::default());
    let [video, beside, held, direct] = [(); 4].map(|()| local_address());
    let path = |address: std::net::SocketAddr| ReceiverOptions::new(address.ip(), address.port());
    let skew = LONG;
    let receiver = CodestreamReceiver {
        rate: common::video::P50,
        scan: Scan::Progressive,
        height: 1080,
        limit: 100_000,
        origin: Origin::new(vec![path(video)], 98),
        incomplete: IncompleteFrames::Deliver,
        ancillary: Some(Origin { skew, ..Origin::new(vec![path(beside)], 100) }),
    };
    let sender = CodestreamSender {
        mode: PacketMode::Codestream,
        transmission: TransmissionMode::Sequential,
        information: None,
        rate: common::video::P50,
        scan: Scan::Progressive,
        height: 1080,
        limit: 100_000,
        pacing: SenderType::Narrow,
        identity: Identity { payload_type: 98, ssrc: 4, sequence: 1 },
        paths: vec![SenderOptions::new(direct)],
        ancillary: Some(AssociatedAncillary {
            identity: Identity::random(100),
            paths: vec![SenderOptions::new(held)],
        }),
    };
    // What is sent goes through here: pictures at once, and the data after the end of each picture.
    let [pictures, data] = [direct, held].map(|address| UdpSocket::bind(address).unwrap());
    let (queue, store) = (Queue::default(), Store::default());
    let receiving = receiver.start(&engine, store.clone()).unwrap();
    let _sending = sender.start(&engine, queue.clone()).unwrap();
    let codestream = sample::codestream(&sample::Sample {
        slices: vec![5_000, 9_000],
        fill: 3,
        ..Default::default()
    });
    let out = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut buffer = [0; 2000];
    for index in 0..FRAMES {
        queue.push_with(codestream.clone(), block(2, index as u8), None);
        let mut pass = |from: &UdpSocket, to| loop {
            let len = from.recv(&mut buffer).unwrap();
            out.send_to(&buffer[..len], to).unwrap();
            if Header::parse(&buffer[..len]).unwrap().0.marker {
                return;
            }
        };
        pass(&pictures, video);
        // The first picture does not wait, as nothing has been heard of the other stream.
        if index == 0 {
            assert!(wait_frames(&store, 1, &receiving)[0].metadata.is_empty());
        }
        pass(&data, beside);
        if index > 0 {
            let frames = wait_frames(&store, 1, &receiving);
            assert_eq!(frames[0].metadata, block(2, index as u8));
            assert!(frames[0].bytes == codestream);
        } else {
            let stats = receiving.ancillary_stats().unwrap();
            wait_for("the late block", || stats.riding().late == 1);
        }
    }
}
