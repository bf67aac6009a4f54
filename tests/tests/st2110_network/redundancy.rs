//! Two paths (ST 2022-7): packets lost on one arrive on the other.

use crate::detour::Detour;
use crate::{
    HEIGHT, PORT, WIDTH, counted, drop_incoming, drop_no_more, dropped, open_receiver, open_source,
    put, single_packets, take,
};
use mcm::{Receiver, Source};
use mcm_tests::content::{self, Stamp};
use mcm_tests::drops::{loss, undisturbed, whole};
use mcm_tests::pair::Pair;
use mcm_tests::wait;
use serde_json::{Value, json};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Extra delay of the detour, unless set otherwise.
const SKEW: Duration = Duration::from_millis(5);
/// The receiver's path differential. On a busy machine the detour is late by more than the default
/// of 10 ms.
const ALLOWED_MS: u64 = 100;

/// A stream on both networks; on the second one by the detour.
fn two_paths(pair: &Pair) -> (Source, Receiver) {
    two_paths_apart(pair, json!({ "skewMilliseconds": ALLOWED_MS }))
}

/// The same; `skew` is what the receiver's configuration says of it.
fn two_paths_apart(pair: &Pair, skew: Value) -> (Source, Receiver) {
    let mut second = skew;
    second["ipAddr"] = "10.78.0.3".into();
    second["interfaceIpAddr"] = "10.78.0.2".into();
    let received = json!({ "ipAddr": "10.77.0.1", "port": PORT, "secondPath": second });
    let second = json!({ "ipAddr": "10.78.0.3", "interfaceIpAddr": "10.78.0.1" });
    let sent = json!({ "ipAddr": "10.77.0.2", "port": PORT, "secondPath": second });
    let receiver = open_receiver(&pair.programs[1], &received);
    let source = open_source(&pair.programs[0], &sent);
    (source, receiver)
}

/// Runs a test over two paths, with the detour's counts at zero.
fn over_two_paths(pair: &Pair, detour: &Detour, case: &str, test: impl Fn()) {
    undisturbed(&pair.net, case, || {
        pair.wait_no_bridges();
        detour.forget();
        test();
    });
}

/// Sends the first frame, and waits until both paths are in use and all of it has passed. The
/// packets of it.
fn begin(pair: &Pair, detour: &Detour, source: &Source) -> u64 {
    put(source, 0);
    wait::until("both paths are in use", || pair.counter(2, PORT, "path2_received") > 100);
    let packets = wait::some("packets of the first frame", || {
        let packets = pair.counter(1, PORT, "packets");
        (packets > 0 && packets == pair.counter(1, PORT, "packets")).then_some(packets)
    });
    wait::until("the detour has passed them on", || detour.passed.load(Relaxed) >= packets);
    packets
}

/// Sends so many more frames. Takes them, and returns the bytes that are missing in each.
fn missing(source: &Source, receiver: &Receiver, frames: u64) -> Vec<usize> {
    std::thread::scope(|scope| {
        scope.spawn(|| (1..=frames).for_each(|index| put(source, index)));
        let mut all = Vec::new();
        while all.len() < frames as usize {
            let buffer = whole(receiver.recv(wait::DEADLINE)).expect("no end");
            let missing: usize = buffer.missing().map(|region| region.len as usize).sum();
            if missing == 0 {
                let stamp = content::check(buffer.payload(), &[]).expect("an exact frame");
                if stamp.index == 0 {
                    continue;
                }
                assert_eq!(stamp, Stamp { source: 1, index: all.len() as u64 + 1 });
            }
            all.push(missing);
        }
        all
    })
}

#[test]
fn two_paths_with_loss_and_skew_lose_nothing() {
    lose_nothing(SKEW, json!({ "skewMilliseconds": ALLOWED_MS }));
}

/// Half as long again as a frame: the repair of a frame comes when the next one has long begun.
#[test]
fn paths_that_lie_far_apart_need_a_larger_skew() {
    lose_nothing(Duration::from_millis(150), json!({ "skewMilliseconds": 400 }));
}

/// Of what is lost on one of two paths that are so far apart, with this in the receiver's
/// configuration.
fn lose_nothing(apart: Duration, skew: Value) {
    const FRAMES: u64 = 60;
    let Some(pair) = Pair::new(3, 2) else { return };
    single_packets(&pair, &["eth0", "eth1"]);
    let detour = Detour::start(&pair, apart);
    // 2 % at random on each path. Not the same packets on both, which no receiver could make good:
    // odd numbers here, even ones there.
    for (interface, half) in [("eth0", 0), ("eth1", 1)] {
        let rule = format!("udp dport {PORT} @th,80,16 & 1 == {half} numgen random mod 100 < 4");
        drop_incoming(&pair, interface, &[&rule]);
    }
    over_two_paths(&pair, &detour, "loss apart", || {
        let (source, receiver) = two_paths_apart(&pair, skew.clone());
        begin(&pair, &detour, &source);
        let missing = missing(&source, &receiver, FRAMES);
        if missing.iter().any(|bytes| *bytes > 0) {
            let late = detour.late();
            loss(format!("{missing:?}, detour late by {late:?}: {:?}", pair.bridges(2)));
        }
        let packets = pair.counter(1, PORT, "packets");
        pair.until_counter(2, PORT, "lost", 0);
        pair.until_counter(2, PORT, "packets", packets);
        assert_eq!(pair.counter(2, PORT, "incomplete_frames"), 0);
    });
    for interface in ["eth0", "eth1"] {
        assert!(dropped(&pair, interface) > 200, "{interface}");
    }
}

#[test]
fn only_what_both_paths_lose_is_lost() {
    const FRAMES: u64 = 60;
    let Some(pair) = Pair::new(3, 2) else { return };
    single_packets(&pair, &["eth0", "eth1"]);
    let detour = Detour::start(&pair, SKEW);
    // 2 % on each path, by two hashes of the packet's number, which have nothing to do with each
    // other. So the first network can count what the second one will lose as well.
    let hash = |seed| format!("jhash @th,80,16 mod 100 seed {seed} < 2");
    let (first, second) = (hash(1), hash(2));
    let udp = format!("udp dport {PORT}");
    pair.net.run(2, "nft", &["add table netdev eth0; add counter netdev eth0 both"]);
    drop_incoming(&pair, "eth0", &[]);
    let count = format!("add rule netdev eth0 in {udp} {first} {second} counter name both");
    pair.net.run(2, "nft", &[&count]);
    let lose = |interface: &str, hash: &str| {
        let rule = format!("add rule netdev {interface} in {udp} {hash} counter name dropped drop");
        pair.net.run(2, "nft", &[&rule]);
    };
    lose("eth0", &first);
    drop_incoming(&pair, "eth1", &[]);
    lose("eth1", &second);
    over_two_paths(&pair, &detour, "loss at random", || {
        let (source, receiver) = two_paths(&pair);
        let first = begin(&pair, &detour, &source);
        let before = counted(&pair, "eth0", "both");
        let missing = missing(&source, &receiver, FRAMES);
        let packets = pair.counter(1, PORT, "packets");
        wait::until("the detour has passed everything on", || {
            detour.passed.load(Relaxed) >= packets
        });
        let both = counted(&pair, "eth0", "both") - before;
        // All packets of a frame have the same size.
        let frame = (WIDTH * HEIGHT / 2 * 5) as usize;
        let size = frame / (packets / (FRAMES + 1)) as usize;
        assert_eq!(packets % (FRAMES + 1), 0);
        if missing.iter().sum::<usize>() != both as usize * size {
            loss(format!("{missing:?}, {both} packets of {size} bytes: {:?}", pair.bridges(2)));
        }
        pair.until_counter(2, PORT, "packets", packets - both - first.min(before));
        let incomplete = missing.iter().filter(|bytes| **bytes > 0).count() as u64;
        assert!(incomplete <= both && (incomplete > 0) == (both > 0));
    });
    for interface in ["eth0", "eth1"] {
        assert!(dropped(&pair, interface) > 200, "{interface}");
    }
}

#[test]
fn a_path_may_be_cut_and_come_back() {
    let Some(pair) = Pair::new(3, 2) else { return };
    let detour = Detour::start(&pair, SKEW);
    over_two_paths(&pair, &detour, "a cut", || cut_and_restore(&pair, &detour));
}

fn cut_and_restore(pair: &Pair, detour: &Detour) {
    let (source, receiver) = two_paths(pair);
    let all = format!("udp dport {PORT}");
    let mut index = 0;
    let mut frames = |count: u64| {
        let numbers = index..index + count;
        index += count;
        std::thread::scope(|scope| {
            scope.spawn(|| numbers.clone().for_each(|index| put(&source, index)));
            numbers.clone().for_each(|index| take(&receiver, index));
        });
    };
    frames(10);
    let mut lost = ["eth0", "eth1"].map(|_| 0);
    for (path, interface, name) in [(0, "eth0", "path1_received"), (1, "eth1", "path2_received")] {
        // While frames are under way.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let before = pair.counter(2, PORT, "packets");
                wait::until("packets flow", || pair.counter(2, PORT, "packets") > before + 100);
                drop_incoming(pair, interface, &[&all]);
            });
            frames(20);
        });
        let before = pair.counter(2, PORT, name);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let before = pair.counter(2, PORT, "packets");
                wait::until("packets flow", || pair.counter(2, PORT, "packets") > before + 100);
                drop_no_more(pair, interface);
            });
            frames(20);
        });
        let now = dropped(pair, interface);
        assert!(now > lost[path], "{interface}");
        lost[path] = now;
        wait::until("the path is used again", || pair.counter(2, PORT, name) > before);
        frames(5);
    }
    let packets = pair.counter(1, PORT, "packets");
    wait::until("the detour has passed everything on", || detour.passed.load(Relaxed) >= packets);
    pair.until_counter(2, PORT, "packets", packets);
    for name in ["lost", "incomplete_frames", "frames_without_slot"] {
        assert_eq!(pair.counter(2, PORT, name), 0, "{name}");
    }
}

/// No receiver misses a frame when a path is dead, so a warning has to report it.
#[test]
fn a_dead_path_is_told_while_the_other_carries_the_stream() {
    Pair::test(2, 2, |pair| {
        let second = json!({ "ipAddr": "10.78.0.1", "interfaceIpAddr": "10.78.0.2" });
        let received = json!({ "ipAddr": "10.77.0.1", "port": PORT, "secondPath": second });
        let second = json!({ "ipAddr": "10.78.0.2", "interfaceIpAddr": "10.78.0.1" });
        let sent = json!({ "ipAddr": "10.77.0.2", "port": PORT, "secondPath": second });
        let receiver = open_receiver(&pair.programs[1], &received);
        let source = open_source(&pair.programs[0], &sent);
        let mut index = 0;
        let mut flows_until = |what: &str, done: &dyn Fn(&[String], f64) -> bool| {
            wait::until(what, || {
                put(&source, index);
                take(&receiver, index);
                index += 1;
                let bridges = pair.bridges(2);
                let [bridge] = bridges.as_slice() else { panic!("{bridges:?}") };
                done(&bridge.warnings, bridge.measurements["path1_silent_us"])
            });
        };
        let dead = |warnings: &[String]| {
            warnings.iter().any(|it| it.starts_with("nothing comes on path 1: without path 2"))
        };
        flows_until("both paths", &|warnings, silent| !dead(warnings) && silent < 1e6);
        drop_incoming(pair, "eth0", &["udp dport 5004"]);
        flows_until("word of the dead path", &|warnings, silent| dead(warnings) && silent >= 1e6);
        let logged = || pair.b.process().output().contains("nothing comes on path 1");
        flows_until("a line in the log", &|_, _| logged());
        drop_no_more(pair, "eth0");
        flows_until("word of its return", &|warnings, silent| !dead(warnings) && silent < 1e6);
        assert_eq!(pair.counter(2, PORT, "lost"), 0);
    });
}
