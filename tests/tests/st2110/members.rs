//! Bridges come, go, and change places with programs.

use crate::{hosts, open_receiver, open_source, put, send, take, take_row, video};
use mcm_tests::content::{self, Stamp};
use mcm_tests::refusal::refusal;
use mcm_tests::repeating::Repeating;
use mcm_tests::{config, wait};
use proto::Kind;
use proto::control::{BridgeDirection, BridgeState};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

#[test]
fn receivers_of_a_stream_share_its_bridge() {
    hosts(|pair| {
        let [a, b] = pair.programs.clone();
        let config = video("239.77.0.1", 5004);
        let source = open_source(&a, &config);
        let _sender = send(source, 1);
        let first = open_receiver(&b, &config);
        take_row(&first, 1, 5);
        let second = open_receiver(&b, &config);
        take_row(&second, 1, 5);
        // On the source's own host the stream comes from the ring, without a way over the network.
        let local = open_receiver(&a, &config);
        take_row(&local, 1, 5);
        let (on_a, on_b) = (pair.wait_bridges(1, 1), pair.wait_bridges(2, 1));
        assert_eq!(on_a[0].direction(), BridgeDirection::Egress);
        assert_eq!(on_b[0].direction(), BridgeDirection::Ingress);
        for bridge in [&on_a[0], &on_b[0]] {
            assert_eq!(bridge.state(), BridgeState::Active, "{bridge:?}");
            assert_eq!(
                (bridge.remote.as_str(), bridge.transport.as_str()),
                ("239.77.0.1:5004", "st2110-20")
            );
            assert!(bridge.counters["packets"] > 0 && bridge.counters["frames"] > 0, "{bridge:?}");
        }
        let groups = pair.net.on(2, || pair.b.control().try_groups()).unwrap();
        let bridge = groups[0].source.as_ref().expect("the bridge is the source");
        assert!(bridge.bridge && bridge.remote == "239.77.0.1:5004", "{bridge:?}");
        assert!(groups[0].receivers.iter().all(|receiver| !receiver.bridge));
        let info = pair.net.on(2, || pair.b.control().info());
        assert_eq!((info.connections, info.bridges, info.clients), (2, 1, 1));
        drop(first);
        take_row(&second, 1, 5);
        drop(second);
        let _ = pair.wait_bridges(2, 0);
    });
}

#[test]
fn a_source_takes_over_from_the_network() {
    hosts(|pair| {
        let b = pair.programs[1].clone();
        let config = video("239.77.0.1", 5004);
        let receiver = open_receiver(&b, &config);
        assert_eq!(pair.wait_bridges(2, 1)[0].direction(), BridgeDirection::Ingress);
        // A program on the same host sends that stream: its frames come from the ring, and go to
        // the network.
        let source = open_source(&b, &config);
        for index in 0..6 {
            put(&source, Stamp { source: 7, index });
            assert_eq!(take(&receiver), Stamp { source: 7, index });
        }
        // The old bridge may be there for a moment beside the new one, or still alone.
        let only = |direction| {
            wait::until(&format!("{direction:?} alone"), || {
                let bridges = pair.bridges(2);
                bridges.len() == 1 && bridges[0].direction() == direction
            });
        };
        only(BridgeDirection::Egress);
        drop(source);
        only(BridgeDirection::Ingress);
        let a = pair.programs[0].clone();
        let _sender = send(open_source(&a, &config), 8);
        take_row(&receiver, 8, 5);
    });
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    hosts(|pair| {
        let a = pair.programs[0].clone();
        let failure = |end, config: &Value| {
            let error = refusal(&a, end, config);
            (error.code(), error.to_string())
        };
        let mut elsewhere = video("239.77.0.1", 5004);
        elsewhere["connection"]["st2110"]["interfaceIpAddr"] = json!("10.99.0.1");
        for end in [Kind::Source, Kind::Receiver] {
            let (code, text) = failure(end, &elsewhere);
            assert_eq!(code, 1008, "{text}");
            assert!(text.contains("10.99.0.1") && text.contains("10.77.0.1"), "{text}");
        }
        // Another program has the port.
        let other = pair.net.on(1, || std::net::UdpSocket::bind("0.0.0.0:5004").unwrap());
        let unicast = video("10.77.0.2", 5004);
        let (code, text) = failure(Kind::Receiver, &unicast);
        assert_eq!(code, 1008, "{text}");
        assert!(text.contains("5004") && text.contains("in use"), "{text}");
        let _ = pair.wait_bridges(1, 0);
        drop(other);
        let receiver = open_receiver(&a, &unicast);
        // The stream is there in another format.
        let mut wider = video("10.77.0.2", 5004);
        wider["payload"]["video"]["width"] = json!(640);
        let (code, text) = failure(Kind::Receiver, &wider);
        assert_eq!(code, 1010, "{text}");
        assert!(text.contains("payload.video.width"), "{text}");
        // No route to the destination.
        let (code, text) = failure(Kind::Source, &video("192.0.2.1", 5004));
        assert_eq!(code, 1008, "{text}");
        drop(receiver);
        let _ = pair.wait_bridges(1, 0);
        // Nothing of all this has done any harm.
        let b = pair.programs[1].clone();
        let config = video("239.77.0.1", 5004);
        let _sender = send(open_source(&a, &config), 1);
        take_row(&open_receiver(&b, &config), 1, 5);
    });
}

#[test]
fn streams_come_back_after_a_restart_of_either_proxy() {
    hosts(|pair| {
        let [a, b] = pair.programs.clone();
        let config = video("239.77.0.1", 5004);
        let source = open_source(&a, &config);
        let _sender = send(source, 1);
        let receiver = open_receiver(&b, &config);
        take_row(&receiver, 1, 5);
        for signal in [Signal::KILL, Signal::TERM] {
            pair.b.end(signal);
            let command = pair.net.command(2, mcm_tests::program::media_proxy());
            pair.b.start_again_by(command);
            take_row(&receiver, 1, 5);
            pair.a.end(signal);
            let command = pair.net.command(1, mcm_tests::program::media_proxy());
            pair.a.start_again_by(command);
            // While nothing comes the receiver waits; then it goes on with what is sent.
            wait::until("the egress bridge is back", || {
                pair.bridges(1).iter().any(|bridge| bridge.state() == BridgeState::Active)
            });
            take_row(&receiver, 1, 5);
        }
    });
}

/// What was queued at the end of a proxy is sent; frames that the source puts later are not.
#[test]
fn a_source_that_goes_on_does_not_delay_the_end_of_its_proxy() {
    hosts(|pair| {
        let [a, b] = pair.programs.clone();
        let mut config = video("239.77.0.1", 5004);
        config["bufferQueueCapacity"] = json!(3);
        let source = open_source(&a, &config);
        let put_last = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&put_last);
        // As fast as the queue allows, so that it is always full.
        let sender = Repeating::start(move |index| {
            put(&source, Stamp { source: 1, index });
            counter.store(index, Relaxed);
        });
        let receiver = open_receiver(&b, &config);
        take_row(&receiver, 1, 5);
        pair.a.process().signal(Signal::TERM);
        let queued_last = put_last.load(Relaxed);
        pair.a.process_mut().wait();
        // The source has to wait for no one, now that its only receiver is gone.
        drop(sender);
        let mut last = 0;
        while let Ok(Some(buffer)) = receiver.recv(Duration::from_secs(1)) {
            if !buffer.info().incomplete {
                last = content::check(buffer.payload(), buffer.metadata()).expect("exact").index;
            }
        }
        // One is put while the signal is on its way, at ten a second; then the feed looks ahead.
        let expected = queued_last.saturating_sub(1)..=queued_last + 3;
        assert!(expected.contains(&last), "last frame {last}, queued at the end {queued_last}");
    });
}

#[test]
fn operators_see_and_cannot_delete_bridges() {
    hosts(|pair| {
        let a = pair.programs[0].clone();
        let _source = open_source(&a, &video("239.77.0.1", 5004));
        let bridge = pair.wait_bridges(1, 1).remove(0);
        let refused = pair.net.on(1, || pair.a.control().delete(&bridge.conn_id));
        assert_eq!(
            refused.expect_err("bridges are not for operators").code(),
            tonic::Code::NotFound
        );
        assert_eq!(bridge.local, "10.77.0.1");
        assert_eq!(bridge.state(), BridgeState::Active);
        // A process that is not this proxy cannot claim to be a bridge.
        let receiver = open_receiver(&a, &config::blob("g", 100));
        let groups = pair.net.on(1, || pair.a.control().try_groups()).unwrap();
        let group = groups.iter().find(|group| group.id == "g").unwrap();
        assert!(group.receivers.iter().all(|receiver| !receiver.bridge));
        drop(receiver);
        assert!(Duration::from_millis(bridge.age_ms) < wait::DEADLINE);
    });
}
