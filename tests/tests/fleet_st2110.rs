//! ST 2110 streams into and out of a mesh of several hosts.

use mcm::{Client, Receiver, Source, Timeout, WaitError};
use mcm_tests::config;
use mcm_tests::content::{self, Stamp};
use mcm_tests::fleet::{AGENT, Fleet};
use mcm_tests::proxy::Proxy;
use mcm_tests::repeating::Repeating;
use mcm_tests::run::Run;
use mcm_tests::wait;
use serde_json::{Value, json};

/// A stream of few, small pictures. An unfinished one is left out: who begins in the middle sees
/// those.
fn stream(port: u16) -> Value {
    json!({
        "connection": { "st2110": {
            "ipAddr": "239.77.1.1", "port": port, "transport": "st2110-20", "incompleteFrames": "drop",
        }},
        "payload": { "video": {
            "width": 320, "height": 180, "fps": 10, "pixelFormat": "yuv422p10rfc4175",
        }},
        "bufferQueueCapacity": 32,
    })
}

fn open_source(client: &Client, config: &Value) -> Source {
    client.source(config.to_string()).expect("a source")
}

fn open_receiver(client: &Client, config: &Value) -> Receiver {
    client.receiver(config.to_string()).expect("a receiver")
}

/// A program that sends until it is dropped.
fn send(client: &Client, config: &Value) -> Repeating {
    let connection = open_source(client, config);
    Repeating::start(move |index| {
        let mut buffer = connection.frame(Timeout::Infinite).expect("a buffer");
        content::fill(Stamp { source: 7, index }, buffer.payload_mut(), &mut []);
        buffer.publish_within(Timeout::Infinite).expect("put");
    })
}

/// The next frames, which must be whole, and each later than the one before.
#[track_caller]
fn take(receiver: &Receiver, count: usize) {
    let mut last = None;
    for _ in 0..count {
        let buffer = receiver.recv(wait::DEADLINE).expect("a frame").expect("no end");
        let stamp = content::check(buffer.payload(), buffer.metadata());
        let stamp = stamp.expect("the frame is as it was made");
        assert_eq!(stamp.source, 7);
        assert!(last < Some(stamp.index), "frame {} came after {last:?}", stamp.index);
        last = Some(stamp.index);
    }
}

/// A stream from outside comes in once, where its first receiver is, and goes on through the mesh.
#[test]
fn a_stream_from_outside_comes_in_once() {
    let Some(fleet) = Fleet::started() else { return };
    let outside = Run::new();
    let proxy = Proxy::on(fleet.net.host(AGENT), &outside, &["-d", "kernel:eth0"]);
    let config = stream(5004);
    let (beyond, clients) = (proxy.client(), [fleet.client(1), fleet.client(2)]);
    let _sender = send(&beyond, &config);
    let first = open_receiver(&clients[0], &config);
    take(&first, 3);
    let second = open_receiver(&clients[1], &config);
    take(&second, 3);
    fleet.wait_bridges(1, &[("st2110-20", true, "239.77.1.1"), ("rdma", false, "10.77.0.2")]);
    fleet.wait_bridges(2, &[("rdma", true, "10.77.0.1")]);
    // Its ingress's host has no receiver any more: the ingress moves.
    drop(first);
    fleet.wait_bridges(1, &[]);
    fleet.wait_bridges(2, &[("st2110-20", true, "239.77.1.1")]);
    take(&second, 3);
    drop(second);
    fleet.wait_empty();
}

/// A stream that a program sends leaves from its host, and once; receivers elsewhere in the fleet
/// get it through the mesh.
#[test]
fn a_stream_to_the_outside_leaves_once() {
    let Some(fleet) = Fleet::started() else { return };
    let outside = Run::new();
    let proxy = Proxy::on(fleet.net.host(AGENT), &outside, &["-d", "kernel:eth0"]);
    let config = stream(5006);
    let (beyond, clients) = (proxy.client(), [fleet.client(1), fleet.client(2)]);
    let early = open_receiver(&clients[1], &config);
    fleet.wait_bridges(2, &[("st2110-20", true, "239.77.1.1")]);
    let sender = send(&clients[0], &config);
    fleet.wait_bridges(1, &[("st2110-20", false, "239.77.1.1"), ("rdma", false, "10.77.0.2")]);
    fleet.wait_bridges(2, &[("rdma", true, "10.77.0.1")]);
    take(&early, 3);
    let beside = open_receiver(&clients[0], &config);
    take(&beside, 3);
    let far = open_receiver(&beyond, &config);
    take(&far, 3);
    drop((early, beside, far));
    fleet.wait_bridges(2, &[]);
    drop(sender);
    fleet.wait_empty();
}

/// A source ends while its host still sends what was queued. Receivers on another host, which have
/// had these frames from the mesh, do not get them once more from the network, to which their host
/// turns then.
#[test]
fn what_is_still_sent_does_not_come_twice() {
    let Some(fleet) = Fleet::started() else { return };
    let config = config::with(stream(5008), json!({ "options": { "endOfStream": "wait" } }));
    let (here, there) = (fleet.client(1), fleet.client(2));
    let receiver = open_receiver(&there, &config);
    let source = open_source(&here, &config);
    fleet.wait_bridges(1, &[("st2110-20", false, "239.77.1.1"), ("rdma", false, "10.77.0.2")]);
    fleet.wait_bridges(2, &[("rdma", true, "10.77.0.1")]);
    // As fast as it goes, so that many wait for their turn on the network: at 10 a second for
    // longer than the mesh needs.
    let put = std::thread::spawn(move || {
        for index in 0..60 {
            let mut buffer = source.frame(Timeout::Infinite).expect("a buffer");
            content::fill(Stamp { source: 7, index }, buffer.payload_mut(), &mut []);
            buffer.publish_within(Timeout::Infinite).expect("put");
        }
    });
    take(&receiver, 60);
    put.join().expect("the source");
    // The bridge from the network is there, and has been for longer than the other host may send.
    fleet.wait_bridges(2, &[("st2110-20", true, "239.77.1.1")]);
    fleet.wait_bridges(1, &[]);
    let after = receiver.recv(std::time::Duration::from_millis(1500));
    let twice = after.map(|frame| frame.map(|it| it.info()));
    assert!(twice.as_ref().is_err_and(WaitError::is_timeout), "a frame came twice: {twice:?}");
}
