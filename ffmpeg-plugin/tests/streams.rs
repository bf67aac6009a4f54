//! Received frames equal sent frames: checksums against FFmpeg without the mesh.

mod common;

use common::{Mesh, PATIENT, finish};

const SIZE: &str = "324x180";

/// The side that starts first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Source,
    Receivers,
}

/// Sends the clip's video to two receivers, and compares what they get with the file `direct`.
fn video(mesh: &mut Mesh, group: &str, sent: &str, received: &str, direct: &str, first: First) {
    let source = format!("-i clip.mp4 -map 0:v {sent} -f mcm -wait_receivers 2 {PATIENT} {group}");
    let receiver = |number: u32| {
        format!("-f mcm -video_size {SIZE} {received} -i {group} -f framemd5 {group}.{number}")
    };
    let mut running = Vec::new();
    if first == First::Source {
        running.push(mesh.start("source", &source));
        mesh.wait_for_source(group);
    }
    running.extend([1, 2].map(|number| mesh.start("receiver", &receiver(number))));
    if first == First::Receivers {
        mesh.wait_for_receivers(group, 2);
        running.push(mesh.start("source", &source));
    }
    running.into_iter().for_each(finish);
    let direct = mesh.sums(direct);
    assert_eq!(direct.len(), 25, "{direct:?}");
    for number in [1, 2] {
        assert_eq!(mesh.sums(&format!("{group}.{number}")), direct, "{group}, receiver {number}");
    }
}

#[test]
fn every_pixel_format_arrives_as_it_was_sent() {
    let mut mesh = Mesh::new();
    mesh.clip(SIZE, 1);
    let formats = [
        "yuv422p10le",
        "uyvy422",
        "yuv420p",
        "nv12",
        "yuv422p",
        "yuv444p10le",
        "yuv420p10le",
        "p010le",
        "rgb24",
        "bgr24",
        "rgba",
        "bgra",
        "gray",
        "gray10le",
        "gray16le",
    ];
    for (index, format) in formats.into_iter().enumerate() {
        let first = if index % 2 == 0 { First::Source } else { First::Receivers };
        mesh.plain(&format!("-i clip.mp4 -map 0:v -pix_fmt {format} -f framemd5 direct"));
        let (sent, received) = (format!("-pix_fmt {format}"), format!("-pixel_format {format}"));
        video(&mut mesh, format, &sent, &received, "direct", first);
    }
}

#[test]
fn either_side_may_come_first() {
    let mut mesh = Mesh::new();
    mesh.clip(SIZE, 1);
    for format in ["yuv422p10le", "yuv420p", "uyvy422", "rgb24"] {
        mesh.plain(&format!("-i clip.mp4 -map 0:v -pix_fmt {format} -f framemd5 direct"));
        let (sent, received) = (format!("-pix_fmt {format}"), format!("-pixel_format {format}"));
        for (name, first) in [("source", First::Source), ("receivers", First::Receivers)] {
            video(&mut mesh, &format!("{format}-{name}"), &sent, &received, "direct", first);
        }
    }
}

#[test]
fn raw_video_is_taken_too() {
    let mut mesh = Mesh::new();
    mesh.clip(SIZE, 1);
    mesh.plain("-i clip.mp4 -map 0:v -pix_fmt yuv422p10le -f framemd5 direct");
    let sent = "-c:v rawvideo -pix_fmt yuv422p10le";
    video(&mut mesh, "raw", sent, "", "direct", First::Receivers);
}

/// 324 pixels are 54 groups, and need padding in FFmpeg; 288 pixels are 6 full blocks of 48 and
/// need none.
#[test]
fn v210_arrives_with_and_without_padded_lines() {
    let mut mesh = Mesh::new();
    mesh.clip(SIZE, 1);
    mesh.plain("-i clip.mp4 -map 0:v -c:v v210 direct.avi");
    mesh.plain("-i direct.avi -f framemd5 direct");
    for first in [First::Source, First::Receivers] {
        let group = if first == First::Source { "v210-a" } else { "v210-b" };
        video(&mut mesh, group, "-c:v v210", "-pixel_format v210", "direct", first);
    }

    mesh.plain("-i clip.mp4 -map 0:v -s 288x180 -c:v v210 unpadded.avi");
    mesh.plain("-i unpadded.avi -f framemd5 unpadded");
    let receiver = mesh.start(
        "receiver",
        "-f mcm -video_size 288x180 -pixel_format v210 -i unpadded -f framemd5 got",
    );
    mesh.wait_for_receivers("unpadded", 1);
    finish(mesh.start(
        "source",
        &format!(
            "-i clip.mp4 -map 0:v -s 288x180 -c:v v210 -f mcm -pixel_format v210 {PATIENT} unpadded"
        ),
    ));
    finish(receiver);
    assert_eq!(mesh.sums("got"), mesh.sums("unpadded"));
}

/// A line of 1280 pixels ends within a word of v210.
#[test]
fn v210_of_any_even_width_arrives() {
    let mut mesh = Mesh::new();
    for size in ["1280x720", "62x6"] {
        let source = format!("-f lavfi -i testsrc2=size={size}:rate=25:duration=0.4");
        mesh.plain(&format!("{source} -c:v v210 direct.mov"));
        mesh.plain("-i direct.mov -f framemd5 direct");
        let sender = mesh.start(
            "source",
            &format!("{source} -c:v v210 -f mcm -wait_receivers 1 {PATIENT} v210-{size}"),
        );
        mesh.wait_for_source(&format!("v210-{size}"));
        finish(mesh.start("receiver", &format!("-f mcm -i v210-{size} -f framemd5 got")));
        finish(sender);
        assert_eq!(mesh.sums("got"), mesh.sums("direct"), "{size}");
    }
}

/// Packed as on the wire of ST 2110-20, which FFmpeg has no pixel format for.
#[test]
fn packed_pixels_arrive_as_planar_ones() {
    let mut mesh = Mesh::new();
    mesh.clip(SIZE, 1);
    mesh.plain("-i clip.mp4 -map 0:v -pix_fmt yuv422p10le -f framemd5 direct");
    for (group, codec, received) in
        [("frames", "", ""), ("raw", "-c:v rawvideo", "-pixel_format yuv422p10rfc4175")]
    {
        let sent = format!("{codec} -pix_fmt yuv422p10le -pixel_format yuv422p10rfc4175");
        video(&mut mesh, group, &sent, received, "direct", First::Source);
    }
    let source = mesh.start(
        "source",
        "-i clip.mp4 -map 0:v -pix_fmt yuv422p10le -f mcm -pixel_format yuv422p10rfc4175 -wait_receivers 9 group",
    );
    mesh.wait_for_source("group");
    let format = mesh.group("group").unwrap().format;
    assert!(format.contains("yuv422p10rfc4175"), "{format}");
    drop(source);
}

#[test]
fn audio_arrives_to_the_last_sample() {
    let mut mesh = Mesh::new();
    mesh.clip("64x64", 1);
    for (device, bits, channels) in [("pcm16", "s16", 1), ("pcm24", "s24", 1), ("pcm16", "s16", 6)]
    {
        for first in [First::Source, First::Receivers] {
            let order = if first == First::Source { "source" } else { "receivers" };
            let group = format!("{device}-{channels}-{order}");
            let sound = format!("-c:a pcm_{bits}le -f md5");
            mesh.plain(&format!("-i clip.mp4 -map 0:a -ac {channels} {sound} direct"));
            let source = format!(
                "-i clip.mp4 -map 0:a -ac {channels} -f mcm_audio_{device} -wait_receivers 2 {PATIENT} {group}"
            );
            let receiver = |number: u32| {
                format!(
                    "-f mcm_audio_{device} -channels {channels} -i {group} {sound} {group}.{number}"
                )
            };
            let mut running = Vec::new();
            if first == First::Source {
                running.push(mesh.start("source", &source));
                mesh.wait_for_source(&group);
            }
            running.extend([1, 2].map(|number| mesh.start("receiver", &receiver(number))));
            if first == First::Receivers {
                mesh.wait_for_receivers(&group, 2);
                running.push(mesh.start("source", &source));
            }
            running.into_iter().for_each(finish);
            for number in [1, 2] {
                assert_eq!(mesh.sums(&format!("{group}.{number}")), mesh.sums("direct"), "{group}");
            }
        }
    }
}

/// 2500 samples are 52 packets of the mesh and 4 samples. They come out in packets of 20 ms, and
/// nothing is added.
#[test]
fn the_last_audio_packet_is_short() {
    let mut mesh = Mesh::new();
    let receiver = mesh
        .start("receiver", "-f mcm_audio_pcm16 -channels 1 -i short -c copy -f framemd5 packets");
    mesh.wait_for_receivers("short", 1);
    finish(mesh.start(
        "source",
        &format!(
            "-f lavfi -i sine=sample_rate=48000,atrim=end_sample=2500 -f mcm_audio_pcm16 {PATIENT} short"
        ),
    ));
    finish(receiver);
    let column = |line: &String, index: usize| -> u64 {
        line.split(',').nth(index).and_then(|text| text.trim().parse().ok()).expect("a number")
    };
    let packets = mesh.sums("packets");
    let times: Vec<u64> = packets.iter().map(|line| column(line, 2)).collect();
    let sizes: Vec<u64> = packets.iter().map(|line| column(line, 4)).collect();
    assert_eq!(times, [0, 960, 1920]);
    assert_eq!(sizes, [1920, 1920, 1160]);
}

/// `reverse` holds every frame until the end: more than a receiver may lease, so that most must be
/// copies.
#[test]
fn a_program_may_keep_more_frames_than_the_queue_has() {
    let mut mesh = Mesh::new();
    mesh.clip(SIZE, 1);
    mesh.plain("-i clip.mp4 -map 0:v -pix_fmt yuv422p10le -vf reverse -f framemd5 direct");
    for capacity in [2, 3, 8] {
        let group = format!("kept-{capacity}");
        let receiver = mesh.start(
            "receiver",
            &format!("-f mcm -video_size {SIZE} -i {group} -vf reverse -f framemd5 {group}.sums"),
        );
        mesh.wait_for_receivers(&group, 1);
        finish(mesh.start(
            "source",
            &format!("-i clip.mp4 -map 0:v -pix_fmt yuv422p10le -f mcm -buf_queue_cap {capacity} {PATIENT} {group}"),
        ));
        finish(receiver);
        assert_eq!(mesh.sums(&format!("{group}.sums")), mesh.sums("direct"), "{capacity}");
    }
}

/// A stream of ST 2110 that a program of this host sends is a group here, which programs of this
/// host receive from.
#[test]
fn a_stream_of_st2110_is_received_on_its_own_host() {
    let mut mesh = Mesh::new();
    mesh.plain("-f lavfi -i testsrc2=size=320x180:rate=25:duration=1 -pix_fmt yuv422p10le -f framemd5 direct");
    let stream = "-conn_type st2110 -ip_addr 127.0.0.1 -port 20000";
    let source = mesh.start(
        "source",
        &format!(
            "-f lavfi -i testsrc2=size=320x180:rate=25:duration=1 -pix_fmt yuv422p10le -f mcm {stream} -wait_receivers 2 {PATIENT} -"
        ),
    );
    mesh.wait_for_source("127.0.0.1:20000");
    // It asks for the format, as in any group.
    let (success, text) = mesh.output(&format!("-f mcm {stream} -i - -f framemd5 got"));
    assert!(success, "{text}");
    finish(source);
    assert_eq!(mesh.sums("got"), mesh.sums("direct"));
}
