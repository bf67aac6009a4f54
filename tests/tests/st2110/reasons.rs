//! Refused packets are reported by reason: by `ListBridges` and to Prometheus.

use crate::{open_receiver, video};
use mcm_tests::drops::on_hosts;
use mcm_tests::pair::Pair;
use mcm_tests::wait;
use serde_json::json;
use st2110::rtp::Header;
use std::net::UdpSocket;

fn hosts(test: impl Fn(&mut Pair)) {
    let options: [&[&str]; 2] = [&["-i", "10.77.0.1"], &["-i", "10.77.0.2", "--metrics", "0"]];
    on_hosts(|| Pair::with_options(2, 1, options), test);
}

/// Sends payloads from host 1 to a port of host 2, with numbers in a row.
fn send(pair: &Pair, port: u16, payload_type: u8, payloads: &[Vec<u8>]) {
    let socket = pair.net.on(1, || UdpSocket::bind(("10.77.0.1", 0)).expect("a socket"));
    for (sequence, payload) in (100..).zip(payloads) {
        let header = Header { payload_type, sequence, ssrc: 9, timestamp: 1, marker: true };
        let datagram = [&header.to_bytes()[..], payload].concat();
        socket.send_to(&datagram, ("10.77.0.2", port)).expect("a way to host 2");
    }
}

/// Checks counters of the bridge at a port, and the samples of a family by reason.
fn check(pair: &Pair, port: u16, prefix: &str, family: &str, reasons: &[(&str, u64)]) {
    for (reason, count) in reasons {
        pair.until_counter(2, port, &format!("{prefix}{reason}"), *count);
    }
    let bridge = pair.bridges(2).remove(0).bridge_id;
    for (reason, count) in reasons {
        let labels = [("bridge", bridge.as_str()), ("reason", *reason)];
        wait::until(&format!("{family} of {reason}"), || {
            let scrape = pair.net.on(2, || pair.b.scrape());
            scrape.value(family, &labels) == Some(*count as f64)
        });
    }
}

/// Payloads with one ancillary packet, each wrong in its own way.
fn damaged() -> Vec<Vec<u8>> {
    let packet = st2110::ancillary::Packet::new(0x61, 0x02, &[7; 30]);
    let mut block = vec![0; 512];
    let len = st2110::ancillary::write_block([&[packet], &[]], &mut block).expect("room");
    let data = &block[4..len];
    let payload = |length: usize, field: u8, change: &dyn Fn(&mut Vec<u8>)| {
        let mut data = data.to_vec();
        change(&mut data);
        let length = (length as u16).to_be_bytes();
        [&[0, 0, length[0], length[1], 1, field << 6, 0, 0][..], &data].concat()
    };
    let len = data.len();
    vec![
        payload(len, 0, &|data| data[4] ^= 0x40),
        payload(len, 0, &|data| data[20] ^= 0x10),
        payload(len, 0, &|data| data[21] ^= 0x10),
        payload(len + 40, 0, &|_| {}),
        payload(len, 1, &|_| {}),
        vec![0],
    ]
}

const DAMAGED: [(&str, u64); 6] =
    [("parity", 1), ("checksum", 2), ("truncated", 2), ("field", 1), ("length", 0), ("room", 0)];

#[test]
fn damaged_ancillary_data_are_counted_by_reason() {
    hosts(|pair| {
        let config = json!({
            "connection": { "st2110": {
                "ipAddr": "10.77.0.1", "port": 5020, "transport": "st2110-40", "payloadType": 100,
            }},
            "payload": { "ancillary": { "fps": 10 } },
        });
        let receiver = open_receiver(&pair.programs[1], &config);
        send(pair, 5020, 100, &damaged());
        check(pair, 5020, "refused_", "mcm_st2110_refused_payloads_total", &DAMAGED);
        pair.until_counter(2, 5020, "other_format", 6);
        drop(receiver);
        pair.wait_no_bridges();

        let mut config = video("10.77.0.1", 5004);
        config["connection"]["st2110"]["ancillary"] =
            json!({ "ipAddr": "10.77.0.1", "port": 5022, "payloadType": 100 });
        config["maxMetadataSize"] = json!(512);
        let _receiver = open_receiver(&pair.programs[1], &config);
        send(pair, 5022, 100, &damaged());
        let family = "mcm_st2110_ancillary_refused_packets_total";
        check(pair, 5004, "ancillary_refused_", family, &DAMAGED);
        for name in ["late", "too_large", "unmatched", "incomplete"] {
            assert_eq!(pair.counter(2, 5004, &format!("ancillary_{name}")), 0);
        }
        // The stream of pictures has nothing to do with it.
        assert_eq!(pair.counter(2, 5004, "other_format"), 0);
    });
}

#[test]
fn audio_that_is_not_as_long_as_it_should_be_is_counted_by_reason() {
    hosts(|pair| {
        let config = json!({
            "connection": { "st2110": {
                "ipAddr": "10.77.0.1", "port": 5010, "transport": "st2110-30", "payloadType": 97,
            }},
            "payload": { "audio": { "channels": 2, "format": "pcm_s24be" } },
        });
        let _receiver = open_receiver(&pair.programs[1], &config);
        send(pair, 5010, 97, &[vec![], vec![0; 287], vec![0; 289], vec![0; 5]]);
        let expected = [("empty", 1), ("length", 3), ("too_long", 0)];
        check(pair, 5010, "refused_", "mcm_st2110_refused_payloads_total", &expected);
        pair.until_counter(2, 5010, "other_format", 4);
        for name in ["path1_late", "path1_restarts", "path1_foreign"] {
            assert_eq!(pair.counter(2, 5010, name), 0, "{name}");
        }
    });
}
