//! Packets made by hand.

use crate::{FORMAT, HEIGHT, PORT, WIDTH, prefer_this_thread};
use mcm_tests::content::{self, Stamp};
use mcm_tests::pair::Pair;
use st2110::rtp;
use st2110::video::{FrameLayout, MAX_UDP_PAYLOAD, Packetiser, Packing, Picture, Scan, WireFormat};
use std::net::UdpSocket;
use std::time::Duration;

/// Frames a second. What sends must not take longer for one than two periods, however busy the
/// machine is.
pub(crate) const SLOW: u32 = 2;

/// A sender of our own on host 1, whose packets may be touched before they leave.
pub(crate) struct Packets {
    pub(crate) socket: UdpSocket,
    packetiser: Packetiser,
    picture: Picture,
    pub(crate) destination: &'static str,
    pub(crate) ssrc: u32,
    sequence: u32,
    timestamp: u32,
}

impl Packets {
    pub(crate) fn new(pair: &Pair, from: &str) -> Self {
        let picture =
            Picture::new(WireFormat::of(FORMAT), WIDTH, HEIGHT, Scan::Progressive).unwrap();
        let layout = FrameLayout::Mesh(FORMAT);
        Self {
            socket: pair.net.on(1, || UdpSocket::bind((from, 0)).expect("a socket")),
            packetiser: Packetiser::new(picture, layout, Packing::General, MAX_UDP_PAYLOAD)
                .unwrap(),
            picture,
            destination: "10.77.0.2",
            ssrc: 77,
            sequence: 65_000,
            timestamp: 1000,
        }
    }

    /// The packets of the next frame.
    pub(crate) fn frame(&mut self, index: u64) -> Vec<Vec<u8>> {
        let mut frame = vec![0; (WIDTH * HEIGHT / 2 * 5) as usize];
        content::fill(Stamp { source: 1, index }, &mut frame, &mut []);
        let field = self.picture.fields()[0];
        let packets = self.packetiser.packets(field);
        let all = (0..packets).map(|index| {
            let mut datagram = vec![0; MAX_UDP_PAYLOAD];
            let packet = index..index + 1;
            let used =
                self.packetiser.write(&frame, field, packet, self.sequence, &mut datagram).unwrap();
            let header = rtp::Header {
                marker: index + 1 == packets,
                payload_type: 112,
                sequence: self.sequence as u16,
                timestamp: self.timestamp,
                ssrc: self.ssrc,
            };
            self.sequence += 1;
            let header = header.to_bytes();
            datagram[..header.len()].copy_from_slice(&header);
            datagram.truncate(used);
            datagram
        });
        let all = all.collect();
        self.timestamp += 90_000 / SLOW;
        all
    }

    /// Sends packets at the pace of the network. A whole frame is delivered at once, so that the
    /// next may follow before its time.
    pub(crate) fn send(&self, packets: &[Vec<u8>]) {
        prefer_this_thread();
        for burst in packets.chunks(16) {
            for packet in burst {
                self.socket.send_to(packet, (self.destination, PORT)).expect("a way to host 2");
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }
}
