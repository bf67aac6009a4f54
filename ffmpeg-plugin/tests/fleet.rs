//! The example of docs/cluster.md: one host sends a clip, another receives it, and neither is given
//! the format.

mod common;

use common::{Pair, finish};
use std::collections::BTreeSet;

const SEND: &str = "-re -i clip.mp4 -map 0:v -pix_fmt yuv422p10le -f mcm";

/// The checksums of frames, without their times.
fn pictures(lines: &[String]) -> Vec<String> {
    lines.iter().filter_map(|line| Some(line.rsplit_once(',')?.1.trim().to_owned())).collect()
}

#[test]
fn what_one_host_sends_another_receives_without_being_told_the_format() {
    let Some(mut hosts) = Pair::new() else { return };
    hosts.a.clip("128x72", 6);
    hosts.a.plain("-i clip.mp4 -map 0:v -pix_fmt yuv422p10le -f framemd5 direct");
    let direct = pictures(&hosts.a.sums("direct"));
    let known: BTreeSet<_> = direct.iter().cloned().collect();

    // The source first, as printed.
    let source = hosts.a.start("source", &format!("{SEND} studio1"));
    hosts.a.wait_for_source("studio1");
    finish(hosts.b.start("receiver", "-f mcm -i studio1 -frames:v 25 -f framemd5 got-1"));
    finish(source);
    let got = pictures(&hosts.b.sums("got-1"));
    assert_eq!(got.len(), 25);
    assert!(got.iter().all(|picture| known.contains(picture)), "{got:?}");

    // The receiver first: it waits for the group.
    let receiver = hosts.b.start("receiver", "-f mcm -i studio2 -frames:v 25 -f framemd5 got-2");
    mcm_tests::wait::until("it asks", || {
        let control = &mut hosts.b.control;
        hosts.net.on(2, || control.info().clients >= 1)
    });
    finish(hosts.a.start("source", &format!("{SEND} studio2")));
    finish(receiver);
    let got = pictures(&hosts.b.sums("got-2"));
    assert_eq!(got.len(), 25);
    assert!(got.iter().all(|picture| known.contains(picture)), "{got:?}");
}
