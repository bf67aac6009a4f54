//! Ends of streams: in order, by a signal, by death; and two devices in one command.

mod common;

use common::{Mesh, PATIENT, finish};
use mcm_tests::process::Process;
use mcm_tests::wait;
use rustix::process::Signal;

const SOURCE: &str = "-re -f lavfi -i testsrc2=size=64x64:rate=25:duration";
const RECEIVER: &str = "-f mcm -video_size 64x64 -pixel_format yuv420p";

/// Waits until FFmpeg, started with `-progress pipe:1`, has written so many frames.
fn wait_for_frames(process: &Process, count: u64) {
    wait::until(&format!("{count} frames"), || {
        let output = process.output();
        let frames = output.lines().filter_map(|line| line.strip_prefix("frame=")?.parse().ok());
        frames.max().unwrap_or(0) >= count
    });
}

/// Ends FFmpeg as Ctrl-C does, once; it must not need more.
fn interrupt(process: &mut Process) {
    process.signal(Signal::INT);
    process.wait();
}

fn frames(mesh: &Mesh, file: &str) -> usize {
    mesh.plain(&format!("-i {file} -map 0:v -f framemd5 {file}.sums"));
    mesh.sums(&format!("{file}.sums")).len()
}

#[test]
fn a_killed_source_is_no_end_and_its_successor_goes_on() {
    let mut mesh = Mesh::new();
    let mut receiver = mesh.start(
        "receiver",
        &format!("-progress pipe:1 {RECEIVER} -i camera -f framemd5 -fps_mode passthrough got"),
    );
    mesh.wait_for_receivers("camera", 1);
    let mut first = mesh.start("first", &format!("{SOURCE}=600 -f mcm {PATIENT} camera"));
    wait_for_frames(&receiver, 5);
    first.kill();
    wait::until("the group has no source", || {
        mesh.control.group("camera").is_some_and(|group| group.source.is_none())
    });
    assert!(!receiver.has_ended(), "{}", receiver.output());
    let second = mesh.start("second", &format!("{SOURCE}=1 -f mcm {PATIENT} camera"));
    finish(second);
    finish(receiver);
    // All 25 frames of the second one, behind at least 5 of the first one; times grow all the way.
    let sums = mesh.sums("got");
    assert!(sums.len() >= 30, "{}", sums.len());
    let times: Vec<i64> = sums
        .iter()
        .map(|line| line.split(',').nth(2).and_then(|it| it.trim().parse().ok()).expect("a time"))
        .collect();
    assert!(times.is_sorted_by(|one, two| one < two), "{times:?}");
    mesh.plain("-f lavfi -i testsrc2=size=64x64:rate=25:duration=1 -f framemd5 direct");
    let sum = |line: &String| line.rsplit(',').next().map(str::to_owned);
    let tail: Vec<_> = sums[sums.len() - 25..].iter().map(sum).collect();
    assert_eq!(tail, mesh.sums("direct").iter().map(sum).collect::<Vec<_>>());
}

#[test]
fn a_receiver_that_waits_outlives_a_clean_end() {
    let mut mesh = Mesh::new();
    let receiver = mesh.start(
        "receiver",
        &format!(
            "-progress pipe:1 {RECEIVER} -end_of_stream wait -i camera -frames:v 40 -f framemd5 got"
        ),
    );
    mesh.wait_for_receivers("camera", 1);
    for _ in 0..2 {
        finish(mesh.start("source", &format!("{SOURCE}=1 -f mcm {PATIENT} camera")));
        wait::until("the source has left", || {
            mesh.control.group("camera").is_none_or(|group| group.source.is_none())
        });
    }
    finish(receiver);
    assert_eq!(mesh.sums("got").len(), 40);
}

#[test]
fn ctrl_c_at_the_source_completes_the_files_of_both() {
    let mut mesh = Mesh::new();
    let receiver =
        mesh.start("receiver", &format!("-progress pipe:1 {RECEIVER} -i camera got.mp4"));
    mesh.wait_for_receivers("camera", 1);
    let mut source = mesh.start(
        "source",
        &format!("{SOURCE}=600 -map 0:v -f mcm {PATIENT} camera -map 0:v -c:v libx264 sent.mp4"),
    );
    wait_for_frames(&receiver, 1);
    interrupt(&mut source);
    finish(receiver);
    assert!(frames(&mesh, "got.mp4") >= 1);
    assert!(frames(&mesh, "sent.mp4") >= 1);
}

#[test]
fn ctrl_c_ends_a_receiver_whose_source_is_silent() {
    let mut mesh = Mesh::new();
    let mut receiver = mesh
        .start("receiver", &format!("-progress pipe:1 {RECEIVER} -i camera -c:v rawvideo got.nut"));
    mesh.wait_for_receivers("camera", 1);
    let mut source = mesh.start("source", &format!("{SOURCE}=600 -f mcm {PATIENT} camera"));
    wait_for_frames(&receiver, 3);
    source.kill();
    interrupt(&mut receiver);
    assert!(frames(&mesh, "got.nut") >= 3);
}

#[test]
fn ctrl_c_ends_who_waits_for_the_other_side() {
    let mut mesh = Mesh::new();
    let mut receiver = mesh.start("receiver", &format!("{RECEIVER} -i lonely -f null -"));
    mesh.wait_for_receivers("lonely", 1);
    interrupt(&mut receiver);

    let mut source = mesh.start("source", &format!("{SOURCE}=600 -f mcm -wait_receivers 1 alone"));
    mesh.wait_for_source("alone");
    interrupt(&mut source);
}

/// The source waits for a receiver of its audio before it sends video, and the other way round:
/// neither side is stuck, and both devices share one zero.
#[test]
fn video_and_audio_stay_together() {
    let mut mesh = Mesh::new();
    mesh.clip("64x64", 2);
    let receiver = mesh.start(
        "receiver",
        &format!(
            "{RECEIVER} -i v -f mcm_audio_pcm16 -channels 1 -i a -map 0 -map 1 -c copy both.nut"
        ),
    );
    mesh.wait_for_receivers("v", 1);
    mesh.wait_for_receivers("a", 1);
    let source = mesh.start(
        "source",
        &format!(
            "-re -i clip.mp4 -map 0:v -pix_fmt yuv420p -f mcm -wait_receivers 1 {PATIENT} v \
             -map 0:a -f mcm_audio_pcm16 -wait_receivers 1 {PATIENT} a"
        ),
    );
    finish(source);
    finish(receiver);
    let mut probe = std::process::Command::new("ffprobe");
    probe.args("-v error -show_entries packet=stream_index,pts_time -of csv=p=0".split(' '));
    let output = probe.arg(mesh.file("both.nut")).output().expect("ffprobe");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (mut first, mut last) = ([f64::MAX; 2], [f64::MIN; 2]);
    for line in text.lines() {
        let (stream, time) = line.split_once(',').expect("a stream and a time");
        let stream: usize = stream.parse().expect("a stream");
        let time: f64 = time.trim_end_matches(',').parse().expect("a time");
        first[stream] = first[stream].min(time);
        last[stream] = last[stream].max(time);
    }
    assert!((first[0] - first[1]).abs() < 0.002, "{first:?}");
    // The last frame begins at 1.96 s; the last packet of 20 ms at 1.98 s or, as AAC fills up its
    // own last one, 2.00 s.
    assert!((0.0..0.045).contains(&(last[1] - last[0])), "{last:?}");
}
