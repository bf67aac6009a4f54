//! Every host of a fleet knows a group's format.

use mcm_tests::fleet::{Fleet, finish, group};
use mcm_tests::{config, program, wait};
use std::time::Duration;

/// Output of `mcm list` on a host, of one group or all.
fn listed(fleet: &Fleet, host: usize, arguments: &[&str]) -> String {
    let port = fleet.proxies[host - 1].as_ref().expect("a proxy").grpc_port.to_string();
    let server = format!("127.0.0.1:{port}");
    let mcm = program::mcm().display().to_string();
    fleet.net.run(host, &mcm, &[&["list", "-s", &server], arguments].concat())
}

/// A host without a member of a group learns its format from the others, whichever client asks
/// first.
#[test]
fn a_host_without_members_knows_what_a_group_carries() {
    let Some(mut fleet) = Fleet::started() else { return };
    let connection = group("studio 1");
    let client = fleet.client(2);
    let nothing = client.group_config("studio 1", Duration::ZERO).unwrap_err();
    assert!(nothing.to_string().contains("no such group"), "{nothing}");
    // It is asked for before it exists.
    let waiting = std::thread::spawn({
        let client = client.clone();
        move || client.group_config("studio 1", wait::DEADLINE)
    });
    let source = fleet.source(1, &connection, 7).ready();
    let told = waiting.join().unwrap().unwrap();
    assert_eq!(told.max_payload_size, 60_000);
    assert_eq!(told.options.stall_timeout, Duration::from_secs(20), "all that its source said");
    // And once it does.
    assert_eq!(client.group_config("studio 1", wait::DEADLINE).unwrap(), told);
    let text = listed(&fleet, 2, &[]);
    assert!(text.contains("studio 1  blob 60000 bytes  stream "), "{text}");
    assert!(text.contains("on 10.77.0.1"), "{text}");
    // A group that is only wanted is known as well.
    let wanted = config::blob("studio 2", 1234);
    let receiver = fleet.receiver(3, &wanted).ready();
    wait::until("it is listed on another host", || {
        let text = listed(&fleet, 2, &["studio 2"]);
        text.contains("studio 2  blob 1234 bytes") && text.contains("on 10.77.0.3")
    });
    assert_eq!(client.group_config("studio 2", wait::DEADLINE).unwrap().max_payload_size, 1234);
    receiver.end();
    // What it was told is what it can join with.
    let mut receiver = fleet.receiver(2, &connection);
    receiver.progress(10);
    finish(source, vec![receiver]);
    fleet.wait_empty();
    // While the agent is away no call waits for it.
    fleet.kill_agent();
    let gone = client.group_config("studio 1", Duration::ZERO).unwrap_err();
    assert!(gone.to_string().contains("no such group"), "{gone}");
}
