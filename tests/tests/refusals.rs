//! Refusals of a proxy: the error number and reason that a program gets, and that no state is left.

use mcm::Client;
use mcm_tests::proxy::Proxy;
use mcm_tests::refusal::refusal;
use mcm_tests::run::Run;
use mcm_tests::{config, resources, wait};
use proto::Kind;
use serde_json::{Value, json};

/// Code and text of the error that a connection fails with.
fn failure(client: &Client, end: Kind, config: &Value) -> (i32, String) {
    let error = refusal(client, end, config);
    (error.code(), error.to_string())
}

#[test]
fn what_does_not_fit_the_group_is_named() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let client = proxy.client();
    let video = config::video("video", 640, 360, "nv12");
    let _source = client.source(video.to_string()).unwrap();
    for (more, field, found, group) in [
        (json!({ "width": 1920 }), "payload.video.width", "1920", "640"),
        (json!({ "height": 362 }), "payload.video.height", "362", "360"),
        (json!({ "fps": 50 }), "payload.video.fps", "50", "60000/1001"),
        (json!({ "pixelFormat": "rgba" }), "payload.video.pixelFormat", "rgba", "nv12"),
    ] {
        let other = config::with(video.clone(), json!({ "payload": { "video": more } }));
        for end in [Kind::Receiver, Kind::Source] {
            let (code, text) = failure(&client, end, &other);
            assert_eq!(code, 1010, "{text}");
            for part in [field, found, group, "\"video\""] {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
    }
    let bigger = config::with(video.clone(), json!({ "maxMetadataSize": 8 }));
    let (code, text) = failure(&client, Kind::Receiver, &bigger);
    assert!(code == 1010 && text.contains("maxMetadataSize"), "{code} {text}");
    let other = config::audio("video", 2, 48000, "pcm_s24be", "1ms");
    let (code, text) = failure(&client, Kind::Receiver, &other);
    assert!(code == 1010 && text.contains("audio") && text.contains("video"), "{code} {text}");

    // A receiver sets the rule as well, as long as it is there.
    let receiver = client.receiver(config::blob("blob", 100).to_string());
    let other = config::blob("blob", 101);
    let (code, text) = failure(&client, Kind::Source, &other);
    assert!(code == 1010 && text.contains("maxPayloadSize"), "{code} {text}");
    drop(receiver);
    client.source(other.to_string()).unwrap();
}

#[test]
fn a_group_has_one_source() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let (first, second) = (proxy.client(), proxy.client());
    let config = config::blob("group \"x\"", 100);
    let source = first.source(config.to_string()).unwrap();
    for client in [&first, &second] {
        let (code, text) = failure(client, Kind::Source, &config);
        assert_eq!(code, 1008);
        assert!(text.contains("has a source already"), "{text}");
        assert!(text.contains(&std::process::id().to_string()), "it says which program: {text}");
    }
    drop(source);
    // The Goodbye was sent before this, so no second attempt is needed.
    second.source(config.to_string()).unwrap();
}

#[test]
fn streams_over_libfabric_are_made_by_groups() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let client = proxy.client();
    let mut config = config::video("unused", 1280, 720, "yuv422p10rfc4175");
    config["connection"] = json!({ "rdma": {} });
    for end in [Kind::Source, Kind::Receiver] {
        let (code, text) = failure(&client, end, &config);
        assert_eq!(code, 1013, "{text}");
        assert!(text.contains("connection.rdma"), "{text}");
    }
}

#[test]
fn nothing_is_left_of_what_was_refused() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let client = proxy.client();
    let good = config::blob("group", 1000);
    let source = client.source(good.to_string()).unwrap();
    let bad = config::blob("group", 999);
    let usage = |pid| (resources::descriptors(pid), resources::threads(pid));
    let own = std::process::id();
    let refuse = || {
        assert_eq!(failure(&client, Kind::Receiver, &bad).0, 1010);
        assert_eq!(failure(&client, Kind::Source, &good).0, 1008);
    };
    refuse();
    let settled = usage(proxy.pid());
    for _ in 0..100 {
        refuse();
    }
    assert_eq!(client.connections(), 1);
    let mut control = proxy.control();
    let group = control.group("group").unwrap();
    assert!(group.source.is_some() && group.receivers.is_empty());
    drop(control);
    wait::until("the proxy has let go of everything", || usage(proxy.pid()).0 <= settled.0);
    drop(source);
    assert_eq!(client.connections(), 0);
    drop(client);
    // Other tests of this program run at the same time; only what would grow with each refusal
    // matters.
    assert!(resources::descriptors(own) < 200, "{:?}", resources::descriptor_names(own));
}

#[test]
fn without_a_proxy_the_error_comes_at_once_and_says_where_it_was_looked_for() {
    let run = Run::new();
    let client = config::build(&config::client(&run.socket()));
    let config = config::blob("group", 100);
    let (code, text) = failure(&client, Kind::Source, &config);
    assert_eq!(code, 1008);
    assert!(text.contains(run.socket().to_str().unwrap()), "{text}");
    assert_eq!(client.connections(), 0);

    // A port without a listener.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let other = config::build(&config::tcp_client(port));
    let (code, text) = failure(&other, Kind::Receiver, &config);
    assert_eq!(code, 1008);
    assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");

    // The same client works as soon as there is one.
    let _proxy = Proxy::start(&run);
    client.source(config.to_string()).unwrap();
}

#[test]
fn a_run_directory_has_one_proxy() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let mut command = std::process::Command::new(mcm_tests::program::media_proxy());
    command.args(["-t", "0", "-g", "0", "--run-dir"]).arg(run.path());
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(&proxy.pid().to_string()), "{text}");
    proxy.client().source(config::blob("group", 10).to_string()).unwrap();
}

#[test]
fn too_many_connections_of_a_client_are_refused_by_the_client() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let few = config::with(config::client(&run.socket()), json!({ "maxMediaConnections": 2 }));
    let client = config::build(&few);
    let open = |n| client.receiver(config::blob(&format!("g{n}"), 10).to_string());
    let kept = [open(1).unwrap(), open(2).unwrap()];
    assert_eq!(open(3).unwrap_err().code(), 1006);
    assert_eq!(client.connections(), 2);
    drop(kept);
    open(3).unwrap();
    assert!(proxy.pid() > 0);
}
