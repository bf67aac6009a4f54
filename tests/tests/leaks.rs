//! Connections and clients come and go thousands of times without a leak. This program has one
//! test, since it counts the whole process's resources.

use mcm::{Client, Timeout};
use mcm_tests::proxy::Proxy;
use mcm_tests::run::Run;
use mcm_tests::{config, resources, wait};
use serde_json::json;

/// Descriptors, mappings and threads of this process, and descriptors of the proxy.
fn usage(proxy: &Proxy) -> [usize; 4] {
    let own = std::process::id();
    let mappings = resources::mappings(own);
    [
        resources::descriptors(own),
        mappings,
        resources::threads(own),
        resources::descriptors(proxy.pid()),
    ]
}

fn exchange(client: &Client, round: usize) {
    let config =
        config::with(config::blob("leaks", 5000), json!({ "bufferQueueCapacity": 4 + round % 7 }));
    let receive = || client.receiver(config.to_string()).unwrap();
    let early = (round.is_multiple_of(2)).then(receive);
    let source = client.source(config.to_string()).unwrap();
    let receiver = early.unwrap_or_else(receive);
    for _ in 0..3 {
        let buffer = source.frame(Timeout::Default).unwrap();
        buffer.publish().unwrap();
    }
    let first = receiver.recv(Timeout::Default).unwrap().unwrap();
    if round.is_multiple_of(5) {
        receiver.event_fd().unwrap();
        source.event_fd().unwrap();
    }
    if round.is_multiple_of(3) {
        let wrong = config::blob("leaks", 5001).to_string();
        assert_eq!(client.receiver(&wrong).unwrap_err().code(), 1010);
    }
    // Buffers may outlive their connections.
    let unput = source.frame(Timeout::Default).unwrap();
    match round % 4 {
        0 => drop((source, receiver, first, unput)),
        1 => drop((first, unput, receiver, source)),
        2 => drop((receiver, unput, source, first)),
        _ => drop((unput, first, source, receiver)),
    }
}

fn client_after_client(proxy: &Proxy, rounds: usize) {
    for round in 0..rounds {
        let client = proxy.client();
        exchange(&client, round);
        drop(client);
    }
}

fn connection_after_connection(proxy: &Proxy, rounds: usize) {
    let client = proxy.client();
    for round in 0..rounds {
        exchange(&client, round);
    }
    drop(client);
}

#[test]
fn nothing_is_left() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    // Allocators and the like settle at first.
    client_after_client(&proxy, 20);
    connection_after_connection(&proxy, 50);
    let before = usage(&proxy);
    client_after_client(&proxy, 1000);
    connection_after_connection(&proxy, 3000);
    // A few mappings are the allocator's.
    let bounds = [before[0], before[1] + 20, before[2], before[3]];
    wait::until(&format!("usage is as it was, {before:?}"), || {
        usage(&proxy).iter().zip(bounds).all(|(now, bound)| *now <= bound)
    });
    let mut control = proxy.control();
    let info = control.info();
    assert_eq!((info.clients, info.groups, info.connections), (0, 0, 0));
}
