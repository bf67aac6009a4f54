//! Sockets on loopback and between two hosts: every datagram arrives whole, with and without
//! segmentation by the kernel.

mod common;

use std::{
    io::IoSlice,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{SystemTime, UNIX_EPOCH},
};

use common::{Hosts, wait_for};
use st2110_net::{
    Error,
    socket::{
        Batch, Interface, Offload, Receiver, ReceiverOptions, SendFailure, Sender, SenderOptions,
        Warning,
    },
};

const OFFLOADS: [Offload; 2] = [Offload::Automatic, Offload::Off];

/// Datagrams that can be told apart.
fn datagrams(count: usize, len: usize) -> Vec<Vec<u8>> {
    (0..count).map(|index| (0..len).map(|byte| (index * 131 + byte * 7) as u8).collect()).collect()
}

/// Sends them, in as many calls as it takes.
fn send(sender: &mut Sender, datagrams: &[Vec<u8>]) {
    let segment = datagrams[0].len();
    let bytes = datagrams.concat();
    let mut done = 0;
    while done < datagrams.len() {
        match sender.send(&bytes[done * segment..], segment) {
            Ok(sent) => done += sent,
            Err(SendFailure::Full) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Receives as many datagrams as are expected.
fn receive(receiver: &Receiver, count: usize) -> Vec<Vec<u8>> {
    let mut batch = Batch::new();
    let mut all = Vec::new();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while all.len() < count {
        assert!(std::time::Instant::now() < deadline, "{} of {count} datagrams", all.len());
        receiver.receive(&mut batch).unwrap();
        for bundle in batch.bundles() {
            assert!(!bundle.truncated());
            all.extend(bundle.datagrams().iter().map(<[u8]>::to_vec));
        }
    }
    all
}

fn local(address: &str) -> Receiver {
    Receiver::open(&ReceiverOptions::new(address.parse().unwrap(), 0)).unwrap()
}

#[test]
fn loopback_carries_datagrams_whole_with_and_without_offload() {
    for address in ["127.0.0.1", "::1"] {
        for offload in OFFLOADS {
            for coalesce in OFFLOADS {
                let options = ReceiverOptions {
                    offload: coalesce,
                    ..ReceiverOptions::new(address.parse().unwrap(), 0)
                };
                let receiver = Receiver::open(&options).unwrap();
                let to = receiver.local_address().unwrap();
                let mut sender =
                    Sender::open(&SenderOptions { offload, ..SenderOptions::new(to) }).unwrap();
                let sent = datagrams(150, 1452);
                send(&mut sender, &sent);
                assert_eq!(sender.segments(), offload == Offload::Automatic);
                assert!(receive(&receiver, 150) == sent, "{address} {offload:?} {coalesce:?}");
            }
        }
    }
}

#[test]
fn a_shorter_last_datagram_and_an_empty_one() {
    for offload in OFFLOADS {
        let receiver = local("127.0.0.1");
        let to = receiver.local_address().unwrap();
        let mut sender =
            Sender::open(&SenderOptions { offload, ..SenderOptions::new(to) }).unwrap();
        assert_eq!(sender.send(&[7; 2500], 1000).unwrap(), 3);
        let lens: Vec<usize> = receive(&receiver, 3).iter().map(Vec::len).collect();
        assert_eq!(lens, [1000, 1000, 500]);
        assert_eq!(sender.send_gathered(&[IoSlice::new(&[])], 1).unwrap(), 1);
        assert_eq!(receive(&receiver, 1), [[0; 0]]);
    }
}

#[test]
fn header_and_payload_from_different_places() {
    for offload in OFFLOADS {
        let receiver = local("127.0.0.1");
        let to = receiver.local_address().unwrap();
        let mut sender =
            Sender::open(&SenderOptions { offload, ..SenderOptions::new(to) }).unwrap();
        let sent = datagrams(40, 1200);
        let parts: Vec<IoSlice<'_>> = sent
            .iter()
            .flat_map(|datagram| [IoSlice::new(&datagram[..20]), IoSlice::new(&datagram[20..])])
            .collect();
        assert_eq!(sender.send_gathered(&parts, 2).unwrap(), 40);
        assert!(receive(&receiver, 40) == sent);
    }
}

#[test]
fn datagrams_of_any_lengths_in_one_call() {
    for offload in OFFLOADS {
        let receiver = local("127.0.0.1");
        let to = receiver.local_address().unwrap();
        let mut sender =
            Sender::open(&SenderOptions { offload, ..SenderOptions::new(to) }).unwrap();
        // As lines of block packing, of general packing, and as a codestream may be; more bundles
        // than a system call has.
        for lengths in [
            [1280, 1280, 1280, 1286].repeat(16),
            [1090, 1090, 1080].repeat(20),
            (0..64).map(|index| 64 + index * 37 % 1400).collect(),
            vec![700],
        ] {
            let sent: Vec<Vec<u8>> = lengths.iter().map(|len| vec![*len as u8; *len]).collect();
            assert_eq!(sender.send_each_of(&sent.concat(), &lengths).unwrap(), lengths.len());
            assert!(receive(&receiver, lengths.len()) == sent);
            let parts: Vec<IoSlice<'_>> = sent
                .iter()
                .flat_map(|datagram| [IoSlice::new(&datagram[..20]), IoSlice::new(&datagram[20..])])
                .collect();
            assert_eq!(sender.send_gathered(&parts, 2).unwrap(), lengths.len());
            assert!(receive(&receiver, lengths.len()) == sent);
        }
    }
}

#[test]
fn arrival_has_sender_and_time() {
    let receiver = local("127.0.0.1");
    let to = receiver.local_address().unwrap();
    let mut sender = Sender::open(&SenderOptions::new(to)).unwrap();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let before = now();
    sender.send(&[1; 100], 100).unwrap();
    let mut batch = Batch::new();
    wait_for("a datagram", || receiver.receive(&mut batch).unwrap() == 1);
    let bundle = batch.bundles().next().unwrap();
    assert_eq!(bundle.sender(), Some(sender.local_address().unwrap()));
    let time = bundle.realtime().unwrap();
    assert!(before <= time && time <= now(), "{before} {time}");
    assert_eq!(bundle.datagrams().count(), 1);
}

#[test]
fn drops_are_counted() {
    let options = ReceiverOptions {
        buffer: Some(4096),
        ..ReceiverOptions::new(Ipv4Addr::LOCALHOST.into(), 0)
    };
    let receiver = Receiver::open(&options).unwrap();
    let to = receiver.local_address().unwrap();
    let mut sender =
        Sender::open(&SenderOptions { offload: Offload::Off, ..SenderOptions::new(to) }).unwrap();
    send(&mut sender, &datagrams(64, 1000));
    let mut batch = Batch::new();
    let mut got = 0;
    let mut read = || {
        receiver.receive(&mut batch).unwrap();
        got += batch.bundles().map(|bundle| bundle.datagrams().count()).sum::<usize>();
        (got, batch.bundles().filter_map(|bundle| bundle.drops()).last())
    };
    // The count comes with the next datagram that there is room for.
    while read().0 == 0 {}
    while read() != (read().0, None) {}
    let kept = read().0;
    assert!(kept < 64);
    send(&mut sender, &datagrams(1, 1000));
    let mut last = None;
    wait_for("the datagram after the drops", || {
        let (got, drops) = read();
        last = drops.or(last);
        got == kept + 1
    });
    assert_eq!(last, Some(64 - kept as u32));
}

#[test]
fn datagrams_that_are_too_long_are_marked() {
    let options = ReceiverOptions {
        offload: Offload::Off,
        ..ReceiverOptions::new(Ipv4Addr::LOCALHOST.into(), 0)
    };
    let receiver = Receiver::open(&options).unwrap();
    let plain = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    plain.send_to(&[0; 20_000], receiver.local_address().unwrap()).unwrap();
    let mut batch = Batch::new();
    wait_for("a datagram", || receiver.receive(&mut batch).unwrap() == 1);
    assert!(batch.bundles().next().unwrap().truncated());
}

#[test]
fn nobody_listening_is_no_reason_to_stop() {
    let to = local("127.0.0.1").local_address().unwrap();
    let mut sender = Sender::open(&SenderOptions::new(to)).unwrap();
    for _ in 0..10 {
        assert_eq!(sender.send(&[0; 100], 100).unwrap(), 1);
    }
}

#[test]
fn a_taken_port_is_said() {
    let first = local("127.0.0.1");
    let address = first.local_address().unwrap();
    let error = Receiver::open(&ReceiverOptions::new(address.ip(), address.port())).unwrap_err();
    assert!(matches!(error, Error::InUse { address: taken } if taken == address), "{error}");
}

#[test]
fn values_that_cannot_be() {
    let base = SenderOptions::new("127.0.0.1:5004".parse().unwrap());
    let wrong = [
        (SenderOptions { ttl: 0, ..base.clone() }, "ttl"),
        (SenderOptions { dscp: 64, ..base.clone() }, "dscp"),
        (SenderOptions { udp_limit: 9000, ..base.clone() }, "UDP size limit"),
        (
            SenderOptions { destination: "127.0.0.1:0".parse().unwrap(), ..base.clone() },
            "destination port",
        ),
        (SenderOptions { destination: "0.0.0.0:5004".parse().unwrap(), ..base }, "destination"),
    ];
    for (options, expected) in wrong {
        let error = Sender::open(&options).unwrap_err();
        assert!(matches!(error, Error::Invalid { field, .. } if field == expected), "{error}");
    }
    let options = ReceiverOptions {
        sources: vec!["fd77::1".parse().unwrap()],
        ..ReceiverOptions::new("239.1.1.1".parse().unwrap(), 5004)
    };
    let error = Receiver::open(&options).unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "multicast source", .. }), "{error}");
    let error =
        Receiver::open(&ReceiverOptions::new("ff02::1234".parse().unwrap(), 5004)).unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "interface", .. }), "{error}");
}

#[test]
fn two_hosts_unicast() {
    let Some(hosts) = Hosts::new(1500) else { return };
    for (address, header) in [("10.77.0.2", 20), ("fd77::2", 40)] {
        for offload in OFFLOADS {
            let receiver = hosts.on(1, || {
                let options = ReceiverOptions {
                    offload,
                    ..ReceiverOptions::new(address.parse().unwrap(), 0)
                };
                Receiver::open(&options).unwrap()
            });
            let to = receiver.local_address().unwrap();
            let mut sender = hosts.on(0, || {
                let interface = Interface::Name("media0".into());
                Sender::open(&SenderOptions { offload, interface, ..SenderOptions::new(to) })
                    .unwrap()
            });
            let sent = datagrams(200, 1452);
            send(&mut sender, &sent);
            assert!(receive(&receiver, 200) == sent, "{address} {offload:?}");

            let error = hosts
                .on(0, || {
                    Sender::open(&SenderOptions {
                        udp_limit: 1501 - header,
                        ..SenderOptions::new(to)
                    })
                })
                .unwrap_err();
            assert!(matches!(error, Error::Mtu { needed: 1501, mtu: 1500, .. }), "{error}");
        }
    }
    let to: SocketAddr = "192.0.2.1:5004".parse().unwrap();
    let error = hosts.on(0, || Sender::open(&SenderOptions::new(to))).unwrap_err();
    assert!(matches!(error, Error::NoRoute { destination } if destination == to), "{error}");
}

#[test]
fn an_mtu_that_shrinks_is_reported_and_nothing_is_fragmented() {
    let Some(hosts) = Hosts::new(1500) else { return };
    let receiver = hosts.on(1, || local("10.77.0.2"));
    let to = receiver.local_address().unwrap();
    for offload in OFFLOADS {
        hosts.ip(0, &["link", "set", "media0", "mtu", "1500"]);
        let mut sender = hosts
            .on(0, || Sender::open(&SenderOptions { offload, ..SenderOptions::new(to) }).unwrap());
        hosts.ip(0, &["link", "set", "media0", "mtu", "1400"]);
        let result = sender.send(&[0; 14_520], 1452);
        assert!(matches!(result, Err(SendFailure::Refused(_))), "{result:?}");
        assert_eq!(sender.send(&[0; 10_000], 1000).unwrap(), 10);
        assert_eq!(receive(&receiver, 10).len(), 10);
    }
}

#[test]
fn multicast_reaches_every_receiver_on_both_hosts() {
    let Some(hosts) = Hosts::new(1500) else { return };
    for group in ["239.77.1.1", "ff15::77:1"] {
        let group: IpAddr = group.parse().unwrap();
        for (interface, source) in [
            (["kernel:media0", "kernel:media0"], None),
            (["10.77.0.1", "10.77.0.2"], Some(["10.77.0.1", "fd77::1"])),
        ] {
            let interface = |host: usize| {
                let text = if group.is_ipv6() { "kernel:media0" } else { interface[host] };
                text.parse::<Interface>().unwrap()
            };
            let sources: Vec<IpAddr> = source
                .iter()
                .map(|both| both[usize::from(group.is_ipv6())].parse().unwrap())
                .collect();
            let port = 20_000;
            let open = |host| {
                hosts.on(host, || {
                    let sources = sources.clone();
                    let options = ReceiverOptions {
                        interface: interface(host),
                        sources,
                        ..ReceiverOptions::new(group, port)
                    };
                    Receiver::open(&options).unwrap()
                })
            };
            let receivers = [open(0), open(1), open(1)];
            assert!(receivers.iter().all(|receiver| receiver.warnings().is_empty()));
            let mut sender = hosts.on(0, || {
                let to = SocketAddr::new(group, port);
                Sender::open(&SenderOptions { interface: interface(0), ..SenderOptions::new(to) })
                    .unwrap()
            });
            let sent = datagrams(100, 1400);
            send(&mut sender, &sent);
            for receiver in &receivers {
                assert!(receive(receiver, 100) == sent, "{group}");
            }
        }
    }
}

#[test]
fn source_filters_keep_others_out() {
    let Some(hosts) = Hosts::new(1500) else { return };
    hosts.ip(0, &["addr", "add", "10.77.0.9/24", "dev", "media0"]);
    let group: IpAddr = "232.77.1.2".parse().unwrap();
    let open = |sources: &[&str], excluded: &[&str]| {
        let [sources, excluded]: [Vec<IpAddr>; 2] = [sources, excluded]
            .map(|hosts| hosts.iter().map(|host| host.parse().unwrap()).collect());
        hosts.on(1, || {
            let interface = Interface::Name("media0".into());
            Receiver::open(&ReceiverOptions {
                sources,
                excluded,
                interface,
                ..ReceiverOptions::new(group, 20_001)
            })
            .unwrap()
        })
    };
    let (one, other) = (open(&["10.77.0.1"], &[]), open(&["10.77.0.9"], &[]));
    let both = open(&["10.77.0.1", "10.77.0.9"], &[]);
    let all_but_one = open(&[], &["10.77.0.1"]);
    assert!(all_but_one.warnings().is_empty(), "{:?}", all_but_one.warnings());
    let send_from = |address: &str, value: u8| {
        let mut sender = hosts.on(0, || {
            let interface = Interface::Address(address.parse().unwrap());
            Sender::open(&SenderOptions {
                interface,
                ..SenderOptions::new(SocketAddr::new(group, 20_001))
            })
            .unwrap()
        });
        send(&mut sender, &[vec![value; 100]]);
    };
    for round in 0..4 {
        send_from("10.77.0.1", round);
        send_from("10.77.0.9", 100 + round);
    }
    assert_eq!(receive(&one, 4), (0..4).map(|value| vec![value; 100]).collect::<Vec<_>>());
    assert_eq!(receive(&other, 4), (100..104).map(|value| vec![value; 100]).collect::<Vec<_>>());
    assert_eq!(receive(&both, 8).len(), 8);
    assert_eq!(
        receive(&all_but_one, 4),
        (100..104).map(|value| vec![value; 100]).collect::<Vec<_>>()
    );
}

#[test]
fn more_sources_than_the_kernel_filters_fall_back_to_any() {
    let Some(hosts) = Hosts::new(1500) else { return };
    let receiver = hosts.on(1, || {
        std::fs::write("/proc/sys/net/ipv4/igmp_max_msf", "2").unwrap();
        let options = ReceiverOptions {
            sources: ["10.77.0.1", "10.77.0.3", "10.77.0.4"]
                .map(|source| source.parse().unwrap())
                .into(),
            interface: Interface::Name("media0".into()),
            ..ReceiverOptions::new("239.77.1.3".parse().unwrap(), 20_002)
        };
        Receiver::open(&options).unwrap()
    });
    assert!(
        matches!(receiver.warnings(), [Warning::SourceFilter { .. }]),
        "{:?}",
        receiver.warnings()
    );
    let mut sender = hosts.on(0, || {
        let interface = Interface::Name("media0".into());
        Sender::open(&SenderOptions {
            interface,
            ..SenderOptions::new("239.77.1.3:20002".parse().unwrap())
        })
        .unwrap()
    });
    send(&mut sender, &datagrams(3, 500));
    assert_eq!(receive(&receiver, 3), datagrams(3, 500));
}
