//! Packets on the wire: addresses of both IP versions, time to live and service class.

use crate::{hosts, open_receiver, open_source, send, stream, take_row, video};
use mcm_tests::net::Net;
use mcm_tests::pair::Pair;
use mcm_tests::wait;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

/// Gives both hosts an address fd77::N, and waits until they may use it.
fn with_ipv6(pair: &Pair) {
    for host in [1, 2] {
        let address = format!("fd77::{host}/64");
        pair.net.run(host, "ip", &["address", "add", &address, "dev", "eth0", "nodad"]);
        // The kernel drops multicast until it has noticed, in its own time, that there is a
        // carrier.
        wait::until("IPv6 on the link", || {
            let table = ["-6", "route", "show", "table", "local", "dev", "eth0"];
            pair.net.run(host, "ip", &table).contains("multicast")
        });
    }
}

fn with(mut config: Value, members: &Value) -> Value {
    let stream = config["connection"]["st2110"].as_object_mut().expect("a stream");
    stream.extend(members.as_object().expect("members").clone());
    config
}

#[test]
fn streams_flow_over_ipv6() {
    hosts(|pair| {
        with_ipv6(pair);
        let [a, b] = pair.programs.clone();
        let filter = json!({ "multicastSourceIpAddr": "fd77::1" });
        // The proxy on host 1 has an IPv4 address only, so the stream names its interface.
        let own = json!({ "interfaceIpAddr": "fd77::1" });
        for (to, from, more) in [
            ("ff15::77:1", "ff15::77:1", json!({})),
            ("ff15::77:2", "ff15::77:2", filter),
            ("fd77::2", "fd77::1", json!({})),
        ] {
            let receiver = open_receiver(&b, &with(video(from, 5004), &more));
            let sender = send(open_source(&a, &with(video(to, 5004), &own)), 1);
            take_row(&receiver, 1, 5);
            let bridge = pair.wait_bridges(1, 1).remove(0);
            assert_eq!(bridge.remote, format!("[{to}]:5004"));
            assert_eq!(bridge.counters["path1_refused"], 0, "{bridge:?}");
            let sdp = pair.net.on(1, || pair.a.control().sdp(&bridge.bridge_id)).unwrap();
            assert!(sdp.contains(&format!("c=IN IP6 {to}")), "{sdp}");
            drop((receiver, sender));
            pair.wait_no_bridges();
        }
    });
}

/// Sees all packets that come to a host, from the header of their network layer on.
fn packets_of(net: &Net, host: usize, protocol: libc::c_int) -> UdpSocket {
    net.on(host, || {
        let protocol = (protocol as u16).to_be();
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
        // SAFETY: takes numbers and no pointer.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, protocol.into()) };
        assert!(fd >= 0, "packets: {}", std::io::Error::last_os_error());
        // SAFETY: the descriptor is new, and nothing else owns it.
        let socket = UdpSocket::from(unsafe { OwnedFd::from_raw_fd(fd) });
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        socket
    })
}

/// Service class byte, time to live and destination port of a UDP packet.
fn header_of(packet: &[u8]) -> Option<(u8, u8, u16)> {
    let (class, ttl, protocol, head) = match packet.first()? >> 4 {
        4 => (packet[1], packet[8], packet[9], usize::from(packet[0] & 15) * 4),
        _ => (packet[0] << 4 | packet[1] >> 4, packet[7], packet[6], 40),
    };
    let udp = packet.get(head..).filter(|_| i32::from(protocol) == libc::IPPROTO_UDP)?;
    Some((class, ttl, u16::from_be_bytes([*udp.get(2)?, *udp.get(3)?])))
}

#[test]
fn packets_have_the_time_to_live_and_class_that_are_configured() {
    hosts(|pair| {
        with_ipv6(pair);
        let audio = json!({ "audio": { "channels": 2, "packetTime": "1ms" } });
        let sound = |ip: &str, port| {
            let config = stream(ip, port, &audio);
            with(config, &json!({ "transport": "st2110-30", "payloadType": 97 }))
        };
        let own = json!({ "interfaceIpAddr": "fd77::1" });
        let cases = [
            // The defaults: 64, and AF41.
            (video("239.77.0.1", 5004), 64, 34),
            (video("10.77.0.2", 5006), 64, 34),
            (with(video("239.77.0.1", 5008), &json!({ "ttl": 5, "dscp": 46 })), 5, 46),
            (with(sound("10.77.0.2", 5010), &json!({ "ttl": 255, "dscp": 0 })), 255, 0),
            (with(sound("239.77.0.1", 5012), &json!({ "ttl": 1, "dscp": 63 })), 1, 63),
            (with(with(video("ff15::77:1", 5014), &own), &json!({ "ttl": 7, "dscp": 10 })), 7, 10),
            (with(with(sound("fd77::2", 5016), &own), &json!({ "ttl": 9, "dscp": 46 })), 9, 46),
        ];
        for (config, ttl, dscp) in cases {
            let stream = &config["connection"]["st2110"];
            let port = u16::try_from(stream["port"].as_u64().unwrap()).unwrap();
            let v4 = stream["ipAddr"].as_str().unwrap().parse::<Ipv4Addr>().is_ok();
            let protocol = if v4 { libc::ETH_P_IP } else { libc::ETH_P_IPV6 };
            let network = packets_of(&pair.net, 2, protocol);
            let _sender = send(open_source(&pair.programs[0], &config), 1);
            let mut buffer = vec![0; 65_536];
            let mut seen = 0;
            wait::until(&format!("packets of {stream}"), || {
                let Ok(len) = network.recv(&mut buffer) else { return false };
                let header = header_of(&buffer[..len]).filter(|(.., to)| *to == port);
                if let Some((class, found, _)) = header {
                    // The last two bits are ECN's.
                    assert_eq!((found, class), (ttl, dscp << 2), "{stream}");
                    seen += 1;
                }
                seen == 20
            });
        }
    });
}
