//! Restarted proxies, late or dead receivers, a source that dies without closing: the others go on,
//! and know what they missed.

mod common;

use common::{Mesh, PATIENT, finish};
use mcm_tests::process::Process;
use mcm_tests::wait;
use rustix::process::Signal;

const FRAMES: usize = 100;
const SOURCE: &str = "-f lavfi -i testsrc2=size=64x64:rate=25:duration=4";
const RECEIVER: &str = "-f mcm -video_size 64x64 -pixel_format yuv420p";

/// Sums of the frames alone, without their times.
fn pictures(mesh: &Mesh, file: &str) -> Vec<String> {
    let sum = |line: String| line.rsplit(',').next().map(|sum| sum.trim().to_owned());
    mesh.sums(file).into_iter().filter_map(sum).collect()
}

fn direct(mesh: &Mesh) -> Vec<String> {
    mesh.plain(&format!("{SOURCE} -f framemd5 direct"));
    let pictures = pictures(mesh, "direct");
    assert_eq!(pictures.len(), FRAMES);
    pictures
}

/// Number of frames that a receiver reports as missed.
fn missed(process: &Process) -> usize {
    let output = process.output();
    let counts = output.lines().filter_map(|line| {
        let (before, _) = line.split_once(" frames missed")?;
        before.rsplit(' ').next()?.parse::<usize>().ok()
    });
    counts.sum()
}

fn published(mesh: &mut Mesh, group: &str) -> Option<u64> {
    Some(mesh.control.group(group)?.source?.frames)
}

/// Whatever a receiver got are frames of the source in order, and it has said how many it missed in
/// between.
#[track_caller]
fn check_late(mesh: &Mesh, file: &str, direct: &[String], missed: usize) {
    let got = pictures(mesh, file);
    let mut rest = direct.iter();
    assert!(got.iter().all(|sum| rest.any(|other| other == sum)), "{file}: out of order");
    assert!(!got.is_empty() && missed > 0, "{file}: {} frames, {missed} missed", got.len());
    assert_eq!(got.len() + missed, direct.len(), "{file}");
}

#[test]
fn frames_flow_on_while_the_proxy_restarts() {
    let mut mesh = Mesh::new();
    let direct = direct(&mesh);
    let receiver = mesh.start("receiver", &format!("{RECEIVER} -i camera -f framemd5 got"));
    mesh.wait_for_receivers("camera", 1);
    let source = mesh.start("source", &format!("-re {SOURCE} -f mcm {PATIENT} camera"));
    wait::until("frames flow", || published(&mut mesh, "camera").is_some_and(|count| count > 5));
    mesh.proxy.end(Signal::KILL);
    mesh.proxy.start_again();
    mesh.control = mesh.proxy.control();
    wait::until("both are back", || mesh.control.is_complete("camera", 1));
    // Who comes now is as welcome as before.
    let late = mesh.start("late", &format!("{RECEIVER} -i camera -f framemd5 late"));
    mesh.wait_for_receivers("camera", 2);
    finish(source);
    finish(receiver);
    finish(late);
    assert_eq!(pictures(&mesh, "got"), direct);
    let late = pictures(&mesh, "late");
    assert!(!late.is_empty() && direct.ends_with(&late), "{} frames", late.len());
}

#[test]
fn a_source_waits_for_a_slow_receiver() {
    let mut mesh = Mesh::new();
    let direct = direct(&mesh);
    let slow = mesh.start("slow", &format!("{RECEIVER} -i camera -f framemd5 got"));
    mesh.wait_for_receivers("camera", 1);
    slow.stop();
    let source =
        mesh.start("source", &format!("{SOURCE} -f mcm -buf_queue_cap 4 {PATIENT} camera"));
    wait::until("the queue is full", || published(&mut mesh, "camera") == Some(4));
    slow.go_on();
    finish(source);
    finish(slow);
    assert_eq!(pictures(&mesh, "got"), direct);
}

#[test]
fn a_receiver_that_is_too_late_misses_frames_and_says_so() {
    let mut mesh = Mesh::new();
    let direct = direct(&mesh);
    let mut slow = mesh.start("slow", &format!("{RECEIVER} -i camera -f framemd5 got"));
    mesh.wait_for_receivers("camera", 1);
    slow.stop();
    finish(
        mesh.start("source", &format!("{SOURCE} -f mcm -buf_queue_cap 4 -stall_timeout 1 camera")),
    );
    slow.go_on();
    assert!(slow.wait().success(), "{}", slow.output());
    check_late(&mesh, "got", &direct, missed(&slow));
}

/// A stopped live receiver delays no source, and a live source never waits, whatever its stall
/// time.
#[test]
fn live_is_for_the_receiver_or_for_the_source() {
    let mut mesh = Mesh::new();
    let direct = direct(&mesh);
    let careful = mesh.start("careful", &format!("{RECEIVER} -i one -f framemd5 careful"));
    let mut live =
        mesh.start("live", &format!("{RECEIVER} -delivery live -i one -f framemd5 live"));
    mesh.wait_for_receivers("one", 2);
    live.stop();
    finish(mesh.start("source", &format!("{SOURCE} -f mcm -buf_queue_cap 4 {PATIENT} one")));
    finish(careful);
    live.go_on();
    assert!(live.wait().success(), "{}", live.output());
    assert_eq!(pictures(&mesh, "careful"), direct);
    check_late(&mesh, "live", &direct, missed(&live));

    let mut late = mesh.start("late", &format!("{RECEIVER} -i two -f framemd5 late"));
    mesh.wait_for_receivers("two", 1);
    late.stop();
    finish(mesh.start(
        "source",
        &format!("{SOURCE} -f mcm -buf_queue_cap 4 -delivery live {PATIENT} two"),
    ));
    late.go_on();
    assert!(late.wait().success(), "{}", late.output());
    check_late(&mesh, "late", &direct, missed(&late));
}

#[test]
fn a_killed_receiver_is_not_waited_for() {
    let mut mesh = Mesh::new();
    let direct = direct(&mesh);
    let other = mesh.start("other", &format!("{RECEIVER} -i camera -f framemd5 got"));
    let mut victim = mesh.start("victim", &format!("{RECEIVER} -i camera -f null -"));
    mesh.wait_for_receivers("camera", 2);
    victim.stop();
    let source =
        mesh.start("source", &format!("{SOURCE} -f mcm -buf_queue_cap 4 {PATIENT} camera"));
    wait::until("the source waits", || published(&mut mesh, "camera") == Some(4));
    victim.kill();
    finish(source);
    finish(other);
    assert_eq!(pictures(&mesh, "got"), direct);
}

/// When another output of its command fails, FFmpeg completes this one.
#[test]
fn a_command_that_fails_elsewhere_ends_its_stream() {
    let mut mesh = Mesh::new();
    let receiver = mesh.start("receiver", &format!("{RECEIVER} -i camera -f framemd5 got"));
    mesh.wait_for_receivers("camera", 1);
    let mut broken = mesh.start(
        "broken",
        &format!("-xerror -re {SOURCE} -f mcm {PATIENT} camera -c:v rawvideo -flush_packets 1 -f rawvideo /dev/full"),
    );
    assert!(!broken.wait().success(), "{}", broken.output());
    finish(receiver);
}

/// A program that never writes the trailer has not said that its stream is over. As long as it
/// lives, it is the source; when it is gone, its receivers wait for the next one.
#[test]
fn a_source_without_a_trailer_is_no_end() {
    let mut mesh = Mesh::new();
    let direct = direct(&mesh);
    let receiver = mesh.start("receiver", &format!("{RECEIVER} -i camera -f framemd5 got"));
    mesh.wait_for_receivers("camera", 1);
    let mut command = mesh.compiled("abandon");
    command.arg("camera");
    let mut program = Process::start("program", command, |_| false);
    wait::until("it has given up", || program.output().contains("abandoned"));
    assert_eq!(published(&mut mesh, "camera"), Some(5));
    program.tell("exit");
    assert!(program.wait().success(), "{}", program.output());
    wait::until("the group has no source", || {
        mesh.control.group("camera").is_some_and(|group| group.source.is_none())
    });
    finish(mesh.start("source", &format!("{SOURCE} -f mcm {PATIENT} camera")));
    finish(receiver);
    let got = pictures(&mesh, "got");
    assert_eq!((got.len(), &got[5..]), (5 + FRAMES, &direct[..]));
}
