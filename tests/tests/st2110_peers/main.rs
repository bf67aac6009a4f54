//! ST 2110 streams from and to programs of others, on another host: FFmpeg and GStreamer. Pictures and samples are exact.

mod ffmpeg;
mod gstreamer;
mod noise;
mod sound;
mod video;

use mcm_tests::pair::Pair;
use std::process::Command;

/// Two hosts, if the program is there to be run on one of them.
fn hosts(program: &str) -> Option<Pair> {
    if let Err(error) = Command::new(program).arg("-version").output() {
        assert!(std::env::var_os("CI").is_none(), "{program}: {error}");
        eprintln!("SKIPPED: {program}: {error}");
        return None;
    }
    Pair::new(2, 1)
}

/// Senders that know no pacing send frames in one burst, which overflows any receiver's buffer. A network that carries no more than
/// this spreads them.
fn shape(pair: &Pair) {
    let tbf = "qdisc add dev eth0 root tbf rate 600mbit burst 64k limit 64m";
    pair.net.run(1, "tc", &tbf.split(' ').collect::<Vec<_>>());
}
