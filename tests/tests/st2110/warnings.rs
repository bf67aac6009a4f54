//! Degradations are reported: in the log, once, and by `ListBridges`.

use crate::{open_receiver, open_source, put, take, video};
use mcm_tests::content::Stamp;
use mcm_tests::drops::on_hosts;
use mcm_tests::net::Net;
use mcm_tests::pair::Pair;
use mcm_tests::proxy::Proxy;
use mcm_tests::run::Run;
use mcm_tests::{program, wait};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Two hosts whose proxies have no privilege at all: no capability, and no limits that stand for
/// one.
fn unprivileged() -> Option<Pair> {
    let net = Net::with_networks(2, 1)?;
    let runs = [Run::new(), Run::new()];
    let proxy = |host: usize| {
        let mut command = net.command(host, "prlimit");
        command.args(["--rtprio=0:0", "--nice=0:0"]);
        command.args(["setpriv", "--bounding-set=-all", "--inh-caps=-all"]);
        command.arg(program::media_proxy()).args(["-i", &format!("10.77.0.{host}")]);
        command.args(["--metrics", "0"]);
        Proxy::start_by(command, &runs[host - 1])
    };
    let (a, b) = (proxy(1), proxy(2));
    let programs = [a.client(), b.client()];
    Some(Pair { programs, a, b, net, runs })
}

/// Lines of a proxy's log that have this in them.
fn lines(proxy: &Proxy, part: &str) -> Vec<String> {
    let output = proxy.process().output();
    output.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
}

/// Waits until the bridge of a host has been asked for warnings at least twice since it began.
fn wait_looks(pair: &Pair, host: usize) {
    wait::until("the bridge to have been looked at", || {
        pair.wait_bridges(host, 1)[0].age_ms > 2500
    });
}

const BUFFER: &str = "receive buffer of ";
const PRIORITY: &str = "no real-time priority for ST 2110 threads";

#[test]
fn a_proxy_without_privileges_says_what_it_lacks() {
    on_hosts(unprivileged, |pair| {
        let limit = std::fs::read_to_string("/proc/sys/net/core/rmem_max").expect("the limit");
        if limit.trim().parse::<usize>().expect("a number") >= 64 << 20 {
            eprintln!("SKIPPED: everybody on this host may have large receive buffers");
            return;
        }
        let mut config = video("239.77.0.1", 5004);
        config["payload"] = json!({ "video": {
            "width": 1920, "height": 1080, "fps": 50, "pixelFormat": "yuv422p10le",
        }});
        config["bufferQueueCapacity"] = json!(4);
        let _receiver = open_receiver(&pair.programs[1], &config);
        let bridge = pair.wait_bridges(2, 1).remove(0);
        let told = |part: &str| bridge.warnings.iter().filter(|it| it.contains(part)).count();
        assert_eq!((told(BUFFER), told(PRIORITY)), (1, 1), "{bridge:?}");
        wait_looks(pair, 2);
        let buffer = lines(&pair.b, BUFFER);
        assert_eq!(buffer.len(), 1, "{buffer:?}");
        for line in &buffer {
            let told =
                line.starts_with("WARN: ingress bridge ") && line.contains(&bridge.bridge_id);
            assert!(told && line.contains("sysctl -w net.core.rmem_max="), "{line}");
        }
        assert_eq!(lines(&pair.b, PRIORITY).len(), 1, "{}", pair.b.process().output());
        // The same for those who look at groups, at measurements and at the command line.
        let group = pair.net.on(2, || pair.b.control().group("239.77.0.1:5004")).expect("a group");
        assert_eq!(group.source.expect("the bridge").warnings, bridge.warnings);
        let scrape = pair.net.on(2, || pair.b.scrape());
        let count = scrape.value("mcm_bridge_warnings", &[("direction", "in")]);
        assert_eq!(count, Some(bridge.warnings.len() as f64));
        let server = format!("127.0.0.1:{}", pair.b.grpc_port);
        let program = program::mcm().to_str().expect("a path of text");
        let list = pair.net.run(2, program, &["list", "-s", &server]);
        assert!(list.contains(&format!("! bridge in: {PRIORITY}")), "{list}");
    });
}

#[test]
fn a_warning_that_comes_to_light_while_frames_flow_is_told() {
    const REFUSED: &str = "the network refused packets: ";
    Pair::test(2, 1, |pair| {
        let source = open_source(&pair.programs[0], &video("10.77.0.2", 5004));
        put(&source, Stamp { source: 1, index: 0 });
        pair.until_counter(1, 5004, "frames", 1);
        let has = |pair: &Pair| {
            pair.bridges(1)[0].warnings.iter().any(|warning| warning.contains(REFUSED))
        };
        assert!(!has(pair) && lines(&pair.a, REFUSED).is_empty());
        // From now on packets are larger than what the interface takes.
        pair.net.run(1, "ip", &["link", "set", "eth0", "mtu", "500"]);
        let mut index = 1;
        wait::until("the warning", || {
            put(&source, Stamp { source: 1, index });
            index += 1;
            has(pair)
        });
        wait::until("the warning in the log", || !lines(&pair.a, REFUSED).is_empty());
        wait_looks(pair, 1);
        let told = lines(&pair.a, REFUSED);
        assert!(told.len() == 1 && told[0].starts_with("WARN: egress bridge "), "{told:?}");
    });
}

#[test]
fn a_stream_that_does_not_keep_its_rate_is_told() {
    const SLOW: &str = "the stream does not keep its rate: ";
    Pair::test(2, 1, |pair| {
        let source = open_source(&pair.programs[0], &video("239.77.0.1", 5004));
        let ended = Arc::<AtomicBool>::default();
        let putting = {
            let ended = Arc::clone(&ended);
            thread::spawn(move || {
                let mut index = 0;
                while !ended.load(Ordering::Relaxed) {
                    put(&source, Stamp { source: 1, index });
                    index += 1;
                    thread::sleep(Duration::from_millis(5));
                }
                source
            })
        };
        // A host that has no time for the proxy, again and again for several frame periods.
        let stumble = || {
            pair.a.process().stop();
            thread::sleep(Duration::from_millis(400));
            pair.a.process().go_on();
            thread::sleep(Duration::from_millis(100));
        };
        let told = |warning: &String| warning.contains(SLOW);
        wait::until("the warning", || {
            stumble();
            pair.bridges(1)[0].warnings.iter().any(told)
        });
        let server = format!("127.0.0.1:{}", pair.a.grpc_port);
        let program = program::mcm().to_str().expect("a path of text");
        wait::until("the warning in the list", || {
            stumble();
            let list = pair.net.run(1, program, &["list", "-s", &server]);
            list.contains(&format!("! bridge out: {SLOW}"))
        });
        wait::until("the warning in the log", || !lines(&pair.a, SLOW).is_empty());
        assert!(pair.counter(1, 5004, "slipped_periods") > 0);
        let told = lines(&pair.a, SLOW);
        assert!(told[0].starts_with("WARN: egress bridge "), "{told:?}");
        // It is told again when it is over, and not in between with other figures.
        let again = told.iter().skip(1).all(|line| line.contains("over"));
        assert!(again, "{told:?}");
        ended.store(true, Ordering::Relaxed);
        let _source = putting.join().expect("the source");
    });
}

#[test]
fn what_is_wrong_with_the_time_is_told_once() {
    const OFFSET: &str = "TAI offset is not set";
    Pair::test(2, 1, |pair| {
        let _source = open_source(&pair.programs[0], &video("239.77.0.1", 5004));
        wait::until("the clock in the log", || !lines(&pair.a, "ST 2110 follows").is_empty());
        let info = pair.net.on(1, || pair.a.control().info());
        let clock = info.reference_clock.expect("a clock");
        for warning in &clock.warnings {
            // In its own words: it says what changes the offset that is assumed.
            let part = if warning.contains(OFFSET) { OFFSET } else { warning };
            wait::until("the warning in the log", || !lines(&pair.a, part).is_empty());
            assert_eq!(lines(&pair.a, part).len(), 1, "{part}: {}", pair.a.process().output());
        }
    });
}

/// That another device was asked for than what can be had is said with the first stream, and not
/// with each.
#[test]
fn the_substitute_for_a_device_is_named_once() {
    let options: [&[&str]; 2] = [
        &["-d", "0000:31:00.0", "-i", "10.77.0.1"],
        &["-d", "native_af_xdp:eth0", "-i", "10.77.0.2"],
    ];
    on_hosts(
        || Pair::with_options(2, 1, options),
        |pair| {
            let config = |port| video("239.77.0.1", port);
            let streams = [5004, 5006, 5008].map(|port| {
                let [a, b] = &pair.programs;
                let receiver = open_receiver(b, &config(port));
                (receiver, open_source(a, &config(port)))
            });
            let (receiver, source) = &streams[0];
            put(source, Stamp { source: 1, index: 0 });
            assert_eq!(take(receiver), Stamp { source: 1, index: 0 });
            for (proxy, device) in [(&pair.a, "0000:31:00.0"), (&pair.b, "native_af_xdp:eth0")] {
                let told = lines(proxy, "--dev ");
                let expected = format!(
                    "WARN: --dev {device}: this proxy uses the kernel's sockets instead, at the address of --ip"
                );
                assert_eq!(told, [expected]);
            }
        },
    );
}

#[test]
fn a_source_filter_without_effect_is_remarked_on() {
    Pair::test(2, 1, |pair| {
        let mut config = video("10.77.0.2", 5004);
        config["connection"]["st2110"]["multicastSourceIpAddr"] = json!("10.77.0.9");
        let _source = open_source(&pair.programs[0], &config);
        let bridge = pair.wait_bridges(1, 1).remove(0);
        let remark = "connection.st2110.multicastSourceIpAddr 10.77.0.9 is ignored";
        assert!(bridge.warnings.iter().any(|it| it.starts_with(remark)), "{bridge:?}");
        wait::until("the remark in the log", || !lines(&pair.a, remark).is_empty());
    });
}
