//! One stream over several hosts: the same stream id everywhere, and the agent's measurements of
//! it.

use mcm_tests::fleet::{AGENT, Fleet};
use mcm_tests::scrape::Scrape;
use mcm_tests::{agent, config, http, program, wait};
use serde_json::json;

/// Waits until what Prometheus gets from a host is as wished.
#[track_caller]
fn scraped(fleet: &Fleet, host: usize, what: &str, wish: impl Fn(&Scrape) -> bool) -> Scrape {
    wait::some(what, || Some(fleet.scrape(host)).filter(|scrape| wish(scrape)))
}

/// The stream of a group's connections of a kind on a host.
fn stream(scrape: &Scrape, group: &str, kind: &str) -> Option<String> {
    let found = scrape.all("mcm_connection_info", &[("group", group), ("kind", kind)]);
    found.first().map(|sample| sample.labels["stream"].clone())
}

#[test]
fn a_stream_has_one_id_on_all_hosts() {
    let Some(fleet) = Fleet::started() else { return };
    let patience = json!({ "options": { "stallTimeoutMilliseconds": 20_000 } });
    let connection = config::with(config::blob("studio 9", 60_000), patience);
    let source = fleet.source(1, &connection, 7).ready();
    let mut receivers = [2, 2, 3].map(|host| fleet.receiver(host, &connection));
    for receiver in &mut receivers {
        receiver.progress(50);
    }
    let id = |scrape: &Scrape| {
        let found = scrape.all("mcm_connection_info", &[("kind", "program"), ("direction", "in")]);
        found.first().map(|sample| sample.labels["connection"].clone())
    };
    let id = wait::some("the source", || id(&fleet.scrape(1)));
    let one = |scrape: &Scrape, kinds: &[&str]| {
        kinds.iter().all(|kind| stream(scrape, "studio 9", kind).as_ref() == Some(&id))
    };
    for host in 1..=3 {
        scraped(&fleet, host, "the stream's id", |scrape| one(scrape, &["program", "rdma"]));
    }
    // What bridges count, at both ends.
    let egress = [("kind", "rdma"), ("direction", "out"), ("stream", id.as_str())];
    let here =
        scraped(&fleet, 1, "both bridges", |s| s.all("mcm_bridge_linked", &egress).len() == 2);
    for bridge in here.all("mcm_bridge_linked", &egress) {
        assert_eq!(bridge.value, 1.0, "{bridge:?}");
    }
    assert_eq!(here.all("mcm_bridge_cpu_seconds_total", &egress).len(), 2);
    let ingress = [("kind", "rdma"), ("direction", "in"), ("stream", id.as_str())];
    let there = fleet.scrape(2);
    let reasons = [&ingress[..], &[("reason", "gap")]].concat();
    assert_eq!(there.value("mcm_bridge_missed_frames_total", &reasons), Some(0.0));
    assert!(there.value("mcm_bridge_frames_total", &ingress).unwrap() >= 50.0);
    assert_eq!(there.value("mcm_bridge_connects_total", &ingress), Some(1.0));
    let ages = there.all("mcm_frame_age_seconds_count", &[("kind", "program")]);
    assert!(ages.len() == 2 && ages.iter().all(|age| age.value > 0.0), "{ages:?}");
    // The log says it as well.
    for host in 2..=3 {
        let output = fleet.proxies[host - 1].as_ref().expect("a proxy").process().output();
        assert!(output.contains(&format!(", stream {id}: active")), "{output}");
        assert!(
            output.lines().any(|line| line.contains("receiver ") && line.ends_with(&id)),
            "{output}"
        );
    }

    // The agent has all measurements, under the original's names.
    wait::until("the agent knows what flows", || {
        fleet.net.on(AGENT, || {
            let connections = agent::list("connection", "connection");
            let flows = |status: &serde_json::Value| {
                status["trnSucceeded"].as_u64() > Some(50) && status["linked"] == true
            };
            let groups = agent::list("multipoint-group", "multipointGroup");
            let bridges = agent::list("bridge", "bridge");
            connections.len() == 4
                && connections.iter().all(|connection| flows(&connection["status"]))
                && bridges.len() == 4
                && bridges.iter().all(|bridge| flows(&bridge["status"]))
                && groups[0]["status"]["streamId"] == id
        })
    });
    let page = fleet.net.on(AGENT, || Scrape::of(agent::REST_PORT));
    let flowing = page.all("mcm_transactions_succeeded_total", &[("stream", &id)]);
    assert_eq!(flowing.len(), 8, "four connections and four bridges: {flowing:?}");
    assert_eq!(page.value("mcm_agent_media_proxies", &[]), Some(3.0));

    // The command-line tool shows the fleet.
    let mcm = |arguments: &[&str]| {
        let tool = program::mcm().to_str().expect("a path");
        fleet.net.run(AGENT, tool, arguments)
    };
    let list = mcm(&["list", "-a", "127.0.0.1", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list["hosts"].as_array().map(Vec::len), Some(3), "{list}");
    assert_eq!(list["groups"][0]["stream_id"], id.as_str());
    assert_eq!(list["groups"][0]["members"].as_array().map(Vec::len), Some(8), "{list}");
    let top = mcm(&["top", "--agent=127.0.0.1:8100", "-n", "1"]);
    for text in ["studio 9", &id, "10.77.0.3", "bridge in", "rdma 10.77.0.1"] {
        assert!(top.contains(text), "{text} is missing:\n{top}");
    }
    let graph = mcm(&["graph", "-a", "127.0.0.1"]);
    let branches = graph.lines().filter(|line| line.contains("─rdma→ 10.77.0.")).count();
    let leaves =
        graph.lines().filter(|line| line.starts_with("   ") && line.contains("mcm-role")).count();
    assert_eq!((branches, leaves), (2, 3), "{graph}");
    let picture = mcm(&["graph", "-a", "127.0.0.1", "--svg", "-"]);
    assert!(picture.contains("<svg ") && picture.contains("studio 9"), "{picture}");
    let one = fleet.net.on(1, || {
        let port = fleet.proxies[0].as_ref().expect("a proxy").grpc_port;
        let server = format!("127.0.0.1:{port}");
        fleet.net.run(1, program::mcm().to_str().expect("a path"), &["graph", "-s", &server])
    });
    assert_eq!(one.lines().filter(|line| line.contains("─rdma→ 10.77.0.")).count(), 2, "{one}");

    // Who is elsewhere may not read it, unless that was said.
    let metrics = "10.77.0.1:8003".parse().unwrap();
    let answer = fleet.net.on(3, || http::get(metrics, "/metrics")).unwrap();
    assert_eq!(answer.status, 403, "{answer:?}");

    // Another source is another stream.
    source.end();
    let next = fleet.source(1, &connection, 8).ready();
    let new =
        |scrape: &Scrape| stream(scrape, "studio 9", "program").filter(|stream| *stream != id);
    let second = wait::some("the next stream", || new(&fleet.scrape(1)));
    for host in 2..=3 {
        let told = |scrape: &Scrape| {
            ["program", "rdma"]
                .iter()
                .all(|kind| stream(scrape, "studio 9", kind).as_ref() == Some(&second))
        };
        scraped(&fleet, host, "the next stream's id", told);
    }
    for receiver in &mut receivers {
        receiver.until("frames of the next source", |report| report.source == 8);
    }
    // An operator ends it, asking the agent.
    mcm(&["delete", "-a", "127.0.0.1", &second]);
    wait::until("the connection is gone", || {
        let left = fleet.net.on(AGENT, || agent::list("connection", "connection"));
        left.iter().all(|connection| connection["id"] != second.as_str())
    });
    drop(next);
    for receiver in receivers {
        assert_eq!(receiver.end().reason, "");
    }
    fleet.wait_empty();
}
