//! Counts the copies of a frame in stock FFmpeg, by interposing the functions that copy.

mod common;

use common::{Mesh, PATIENT, finish};
use mcm_tests::process::Process;
use std::process::Command;

const FRAMES: u64 = 25;
const SIZE: &str = "1280x720";
/// Formats that are tried, and bytes of their frames.
const FORMATS: [(&str, u64); 3] =
    [("yuv422p10le", 1280 * 720 * 4), ("uyvy422", 1280 * 720 * 2), ("rgb24", 1280 * 720 * 3)];

/// Bytes that an FFmpeg has copied.
#[derive(Debug)]
struct Copies {
    all: u64,
    /// In copies of more than 64 KB.
    large: u64,
}

fn build_counter(mesh: &Mesh) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/copies.c");
    let mut compiler = Command::new("cc");
    // Loops that copy must not become calls of the functions that they are in.
    compiler.args(["-O3", "-fno-builtin", "-fno-tree-loop-distribute-patterns"]);
    compiler.args(["-Wall", "-Wextra", "-shared", "-fPIC", source, "-o"]);
    assert!(compiler.arg(mesh.file("copies.so")).status().expect("cc").success());
}

/// Starts FFmpeg with the devices and the counter, which leaves its result in the file `name`.
fn start(mesh: &Mesh, name: &str, arguments: &str) -> Process {
    let plugin = mesh.file("lib/libmcm_avdevice.so");
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-nostats", "-y"]);
    command.args(arguments.split_whitespace()).current_dir(mesh.run.outside());
    command.env("MCM_RUN_DIR", mesh.run.path()).env("COPIES", mesh.file(name));
    let libraries = format!("{}:{}", mesh.file("copies.so").display(), plugin.display());
    command.env("LD_PRELOAD", libraries);
    Process::start(name, command, |_| false)
}

fn copies(mesh: &Mesh, name: &str) -> Copies {
    let text = std::fs::read_to_string(mesh.file(name)).expect("a result");
    let mut numbers = text.split_whitespace().map(|it| it.parse().expect("a number"));
    let mut next = || numbers.next().expect("two numbers");
    Copies { all: next(), large: next() }
}

/// An input of so many frames of one format.
fn input(format: &str) -> String {
    format!("-f lavfi -i color=size={SIZE}:rate=25:duration=1,format={format}")
}

/// Copies of a receiver with `output` behind its input.
fn received(mesh: &mut Mesh, format: &str, output: &str) -> Copies {
    let receiver = start(
        mesh,
        "received",
        &format!("-f mcm -video_size {SIZE} -pixel_format {format} -i group {output}"),
    );
    mesh.wait_for_receivers("group", 1);
    finish(mesh.start("source", &format!("{} -f mcm {PATIENT} group", input(format))));
    finish(receiver);
    copies(mesh, "received")
}

#[test]
fn reception_copies_nothing() {
    let mut mesh = Mesh::new();
    build_counter(&mesh);
    for (format, frame) in FORMATS {
        let none = received(&mut mesh, format, "-f null -");
        assert_eq!(none.large, 0, "{format}: {none:?}");
        assert!(none.all < frame, "{format}: {none:?}");
        // The control: an encoder of raw video has to put its frames into packets.
        let once = received(&mut mesh, format, "-c:v rawvideo -f null -");
        let least = FRAMES * frame;
        assert!((least..least + frame).contains(&once.all), "{format}: {once:?}");
    }
}

/// The mesh adds one copy to those of FFmpeg without it. Raw video, which is the control, is copied
/// once more, into its packet.
#[test]
fn transmission_copies_a_frame_once() {
    let mesh = Mesh::new();
    build_counter(&mesh);
    for (format, frame) in FORMATS {
        let sent = |output: &str| {
            finish(start(&mesh, "sent", &format!("{} {output}", input(format))));
            copies(&mesh, "sent").all
        };
        let floor = sent("-f null -");
        for (times, output) in [(1, "-f mcm group"), (2, "-c:v rawvideo -f mcm group")] {
            let added = sent(output) - floor;
            let least = times * FRAMES * frame;
            assert!((least..least + frame).contains(&added), "{format}, {output}: {added}");
        }
    }
}
