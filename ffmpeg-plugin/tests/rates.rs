//! FFmpeg keeps a group's frame rate, however low, and raw video keeps its input's.

mod common;

use common::{Mesh, PATIENT, finish, said};

/// More than the queue holds, so that the source cannot be gone before its receiver has begun.
const FRAMES: usize = 20;

#[test]
fn frames_are_neither_repeated_nor_dropped_at_any_rate() {
    let mut mesh = Mesh::new();
    for (index, rate) in
        ["1/5", "7", "12.5", "24000/1001", "25", "30000/1001", "60000/1001", "120", "1000"]
            .into_iter()
            .enumerate()
    {
        let group = format!("rate-{index}");
        let source = mesh.start(
            "source",
            &format!(
                "-f lavfi -i testsrc2=size=64x64:rate={rate} -frames:v {FRAMES} -pix_fmt yuv420p -f mcm -wait_receivers 1 {PATIENT} {group}"
            ),
        );
        mesh.wait_for_source(&group);
        // A constant rate, which FFmpeg makes by repeating and dropping frames.
        let receiver = format!("-f mcm -i {group} -fps_mode cfr -f framemd5 {group}.md5");
        finish(mesh.start("receiver", &receiver));
        finish(source);
        assert_eq!(mesh.sums(&format!("{group}.md5")).len(), FRAMES, "{rate}");
    }
}

/// FFmpeg's guess of the rate (`r_frame_rate`, "tbr") is the rate of the group, for codecs as well
/// as for raw frames.
#[test]
fn the_guessed_rate_is_that_of_the_group() {
    let mut mesh = Mesh::new();
    for (group, rate, codec) in [
        ("slow", "1/5", "-pix_fmt yuv420p"),
        ("half", "25/2", "-pix_fmt yuv420p"),
        ("v210", "25/1", "-c:v v210"),
        ("film", "30000/1001", "-c:v v210"),
    ] {
        let mut source = mesh.start(
            "source",
            &format!("-f lavfi -i testsrc2=size=96x64:rate={rate} {codec} -f mcm -wait_receivers 9 {PATIENT} {group}"),
        );
        mesh.wait_for_source(group);
        let arguments =
            "-v error -show_entries stream=r_frame_rate,avg_frame_rate -of csv=p=0 -f mcm";
        let (success, text) = said(mesh.wrapper("mcm-ffprobe", &format!("{arguments} {group}")));
        assert!(success && text.trim() == format!("{rate},{rate}"), "{text}");
        source.kill();
    }
}

#[test]
fn the_rate_of_copied_raw_video_is_that_of_its_input() {
    let mut mesh = Mesh::new();
    mesh.plain("-f lavfi -i testsrc2=size=64x64:duration=0.8 -pix_fmt yuv420p -f rawvideo raw");
    let source = mesh.start(
        "source",
        &format!(
            "-f rawvideo -video_size 64x64 -framerate 30000/1001 -i raw -c copy -f mcm -wait_receivers 1 {PATIENT} copied"
        ),
    );
    mesh.wait_for_source("copied");
    let format = mesh.group("copied").unwrap().format;
    assert!(format.contains(" 30000/1001 "), "{format}");
    finish(mesh.start("receiver", "-f mcm -i copied -f null -"));
    finish(source);
}
