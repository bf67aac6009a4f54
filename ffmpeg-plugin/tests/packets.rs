//! Effect of options on a stream's packets, as received by another host.

mod common;

use common::Hosts;
use mcm_tests::drops::loss;
use mcm_tests::wait;
use st2110::rtp;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

const WIDTH: usize = 160;
const HEIGHT: usize = 90;
const RATE: u32 = 25;
const SOURCE: &str = "-re -f lavfi -i testsrc2=size=160x90:rate=25 -pix_fmt yuv422p10le";

/// A packet of video (RFC 4175 §4).
struct Packet {
    arrival: Instant,
    header: rtp::Header,
    rows: Vec<Row>,
}

/// Its part of one row.
struct Row {
    second_field: bool,
    number: usize,
    bytes: usize,
}

impl Packet {
    fn read(datagram: &[u8]) -> Self {
        let (header, payload) = rtp::Header::parse(datagram).expect("RTP");
        let payload = &datagram[payload];
        let word = |at: usize| usize::from(u16::from_be_bytes([payload[at], payload[at + 1]]));
        let mut rows = Vec::new();
        // Behind the high half of the sequence number stand a length, the row and the place in it
        // for each part.
        for at in (2..).step_by(6) {
            let row = word(at + 2);
            rows.push(Row {
                second_field: row & 0x8000 != 0,
                number: row & 0x7FFF,
                bytes: word(at),
            });
            if word(at + 4) & 0x8000 == 0 {
                break;
            }
        }
        Self { arrival: Instant::now(), header, rows }
    }

    fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.bytes).sum()
    }
}

/// Packets of this many frames or fields that one host sends with these options, and the
/// description.
struct Sent {
    units: Vec<Vec<Packet>>,
    sdp: String,
}

impl Sent {
    fn with(hosts: &mut Hosts, options: &str, count: usize) -> Self {
        let socket = hosts.net.on(2, || UdpSocket::bind("10.77.0.2:0").expect("a socket"));
        // A buffer for all packets, even if the test does not read for a while.
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 4 << 20)
            .expect("a larger buffer");
        socket.set_read_timeout(Some(wait::DEADLINE)).expect("a timeout");
        let port = socket.local_addr().expect("its address").port();
        let stream = format!("-conn_type st2110 -ip_addr 10.77.0.2 -port {port}");
        let mut source = hosts.a.start("source", &format!("{SOURCE} -f mcm {stream} {options} -"));
        let mut units = Vec::new();
        let mut unit = Vec::new();
        let mut datagram = [0; 2048];
        while units.len() < count {
            let len = socket
                .recv(&mut datagram)
                .unwrap_or_else(|e| loss(format!("{e}: {}", source.output())));
            let packet = Packet::read(&datagram[..len]);
            let last = packet.header.marker;
            unit.push(packet);
            if last {
                units.push(std::mem::take(&mut unit));
            }
        }
        let sdp = hosts.a.sdp(&format!("10.77.0.2:{port}"));
        source.kill();
        Self { units, sdp }
    }

    /// Whether the description has this parameter.
    fn has(&self, parameter: &str) -> bool {
        let format = self.sdp.lines().find(|line| line.starts_with("a=fmtp:")).expect("a format");
        format.split([' ', ';']).any(|part| part.trim() == parameter)
    }
}

#[test]
fn packing_is_that_of_the_option() {
    Hosts::test(|hosts| {
        for (options, parameter) in
            [("", "PM=2110GPM"), ("-packing gpm", "PM=2110GPM"), ("-packing bpm", "PM=2110BPM")]
        {
            let sent = Sent::with(hosts, options, 1);
            assert!(sent.has(parameter), "{options}: {}", sent.sdp);
            let frame = &sent.units[0];
            assert_eq!(frame.iter().map(Packet::bytes).sum::<usize>(), WIDTH * HEIGHT * 5 / 2);
            // ST 2110-20 §6.3.3: blocks of 180 bytes, but for the end of the frame.
            let blocks = frame.iter().rev().skip(1).all(|packet| packet.bytes() % 180 == 0);
            assert_eq!(blocks, parameter == "PM=2110BPM", "{options}");
        }
    });
}

#[test]
fn fields_are_those_of_the_option() {
    Hosts::test(|hosts| {
        for (scan, parameters, ticks) in [
            ("interlaced", &["interlace"][..], 90_000 / RATE / 2),
            ("psf", &["interlace", "segmented"][..], 0),
        ] {
            let sent = Sent::with(hosts, &format!("-scan {scan}"), 2);
            assert!(parameters.iter().all(|it| sent.has(it)), "{scan}: {}", sent.sdp);
            for (unit, second) in sent.units.iter().zip([false, true]) {
                let mut rows: Vec<_> = unit.iter().flat_map(|packet| &packet.rows).collect();
                assert!(rows.iter().all(|row| row.second_field == second), "{scan}");
                rows.dedup_by_key(|row| row.number);
                // Rows are counted in each field (ST 2110-20 §6.1.5).
                assert!(rows.iter().map(|row| row.number).eq(0..HEIGHT / 2), "{scan}");
            }
            let times = [0, 1].map(|unit: usize| sent.units[unit][0].header.timestamp);
            assert_eq!(times[1].wrapping_sub(times[0]), ticks, "{scan}");
        }
        let progressive = Sent::with(hosts, "", 1);
        assert!(!progressive.has("interlace"));
        assert!(progressive.units[0].iter().flat_map(|it| &it.rows).all(|row| !row.second_field));
    });
}

#[test]
fn the_sender_type_is_that_of_the_option() {
    Hosts::test(|hosts| {
        for (options, parameter) in [
            ("-pacing narrow", "TP=2110TPN"),
            ("-pacing linear", "TP=2110TPNL"),
            ("-pacing wide", "TP=2110TPW"),
        ] {
            let sent = Sent::with(hosts, options, 10);
            assert!(sent.has(parameter), "{options}: {}", sent.sdp);
            // None sends a frame as one burst, as FFmpeg's own RTP does. A frame that the machine
            // kept waiting is caught up with.
            let lasts = |unit: &Vec<Packet>| {
                let [first, last] =
                    [unit.first(), unit.last()].map(|it| it.expect("a packet").arrival);
                last - first
            };
            let longest = sent.units.iter().map(lasts).max().expect("a frame");
            assert!(longest > Duration::from_secs(1) / RATE / 4, "{options}: {longest:?}");
        }
    });
}

#[test]
fn samples_on_the_wire_are_those_of_the_options() {
    Hosts::test(|hosts| {
        for (options, depth, bytes) in [
            ("", "depth=10", WIDTH * HEIGHT * 5 / 2),
            ("-sampling YCbCr-4:2:2 -depth 12", "depth=12", WIDTH * HEIGHT * 3),
        ] {
            let sent = Sent::with(hosts, options, 1);
            assert!(sent.has(depth) && sent.has("sampling=YCbCr-4:2:2"), "{}", sent.sdp);
            assert_eq!(sent.units[0].iter().map(Packet::bytes).sum::<usize>(), bytes);
        }
    });
}

/// Counts what comes in on host 2 to a port: what has these marks in its headers, and what has not.
fn count(hosts: &Hosts, port: u16, marks: &str) {
    let script = format!(
        "add table netdev marks\nadd counter netdev marks unmarked\nadd counter netdev marks marked\n\
         add chain netdev marks in {{ type filter hook ingress device eth0 priority 0; }}\n\
         add rule netdev marks in udp dport {port} {marks} counter name marked accept\n\
         add rule netdev marks in udp dport {port} counter name unmarked\n"
    );
    hosts.net.run(2, "nft", &[&script]);
}

fn counted(hosts: &Hosts, counter: &str) -> u64 {
    let answer = hosts.net.run(2, "nft", &["-j", "list", "counter", "netdev", "marks", counter]);
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON of nft");
    let counters = answer["nftables"].as_array().expect("a list");
    counters.iter().find_map(|it| it["counter"]["packets"].as_u64()).expect("a counter")
}

#[test]
fn headers_have_the_time_to_live_and_the_code_point_of_the_options() {
    Hosts::test(|hosts| {
        let device = "mcm_audio_pcm24";
        let sine = "-re -f lavfi -i sine=sample_rate=48000:duration=1 -ac 2";
        for (port, source, options, marks) in [
            (6000, format!("{SOURCE} -t 1 -f mcm"), "-ttl 7 -dscp 46", "ip ttl 7 ip dscp 46"),
            (6002, format!("{SOURCE} -t 1 -f mcm"), "", "ip ttl 64 ip dscp 34"),
            (6004, format!("{sine} -f {device}"), "-ttl 9 -dscp 10", "ip ttl 9 ip dscp 10"),
        ] {
            count(hosts, port, marks);
            let stream = format!("-conn_type st2110 -ip_addr 239.77.0.9 -port {port} {options}");
            let (success, text) = hosts.a.output(&format!("{source} {stream} -"));
            assert!(success, "{text}");
            let [marked, unmarked] = ["marked", "unmarked"].map(|it| counted(hosts, it));
            assert!(marked > 0 && unmarked == 0, "{options}: {marked} and {unmarked}");
            hosts.net.run(2, "nft", &["delete table netdev marks"]);
        }
    });
}

#[test]
fn fields_in_the_other_order_are_refused() {
    Hosts::test(|hosts| {
        let stream = "-f mcm -conn_type st2110 -ip_addr 10.77.0.2 -port 6006 -";
        let (success, text) =
            hosts.a.output(&format!("{SOURCE} -t 1 -vf setfield=bff -scan interlaced {stream}"));
        assert!(!success && text.contains("convert it with -vf fieldorder=tff"), "{text}");
        for filter in ["setfield=tff", "setfield=bff,fieldorder=tff"] {
            let (success, text) =
                hosts.a.output(&format!("{SOURCE} -t 1 -vf {filter} -scan interlaced {stream}"));
            assert!(success, "{filter}: {text}");
        }
    });
}
