//! ST 2110 streams from and to other vendors' programs on another host: FFmpeg and GStreamer.
//! Pictures and samples are exact.

mod capture;
mod ffmpeg;
mod gstreamer;
mod noise;
mod sound;
mod video;

use capture::Capture;
use mcm_tests::drops::{Witness, loss, undisturbed};
use mcm_tests::pair::Pair;
use mcm_tests::process::Process;
use noise::Noise;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Two hosts, if the program is there to be run on one of them.
fn hosts(program: &str) -> Option<Pair> {
    if let Err(error) = Command::new(program).arg("-version").output() {
        mcm_tests::skip(&format!("{program}: {error}"));
        return None;
    }
    Pair::new(2, 1)
}

/// Starts a peer on a host.
fn start(pair: &Pair, host: usize, program: &str, args: &[impl AsRef<OsStr>]) -> Process {
    let mut command = pair.net.urgent(host, program);
    command.args(args);
    Process::start(program, command, |_| false)
}

/// Senders that know no pacing send frames in one burst, which overflows any receiver's buffer. A
/// network that carries no more than this spreads them, over about half a period.
fn shape(pair: &Pair) {
    let tbf = "qdisc add dev eth0 root tbf rate 160mbit burst 64k limit 64m";
    pair.net.run(1, "tc", &tbf.split(' ').collect::<Vec<_>>());
}

/// Lets a peer on host 2 write what it receives into a file until a row of frames is exact. It may
/// begin in the middle of a frame; another one that is not exact is excused by packets that the
/// kernel dropped on the way to it, and by nothing else.
fn exact_row(
    pair: &Pair,
    case: &str,
    noise: &Noise,
    file: &Path,
    start: impl Fn() -> Process,
) -> Vec<Option<usize>> {
    undisturbed(&pair.net, case, || {
        let witness = Witness::new(&pair.net);
        let mut capture = Capture::new(file);
        let mut peer = start();
        let frames = capture.row(noise, &mut peer);
        let exact = frames.iter().skip(1).all(Option::is_some);
        if !exact && witness.drops(&pair.net).is_empty() {
            loss(format!("{frames:?} {:?}", pair.bridges(1)));
        }
        frames
    })
}
