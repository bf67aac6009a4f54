//! Inputs whose format is not given, or only in part: they query the mesh.

mod common;

use common::{Mesh, PATIENT, finish, said};
use mcm_tests::wait;
use rustix::process::Signal;

/// A source of two seconds, as fast as its receiver, which sends nothing before that is there.
fn source(group: &str) -> String {
    format!(
        "-f lavfi -i testsrc2=size=96x50:rate=60000/1001:duration=2 -pix_fmt uyvy422 -f mcm -wait_receivers 1 {PATIENT} {group}"
    )
}

#[test]
fn what_is_left_out_is_that_of_the_group() {
    let mut mesh = Mesh::new();
    mesh.plain(
        "-f lavfi -i testsrc2=size=96x50:rate=60000/1001:duration=2 -pix_fmt uyvy422 -f framemd5 direct",
    );
    for (index, options) in
        ["", "-video_size 96x50", "-pixel_format uyvy422 -frame_rate 59.94"].into_iter().enumerate()
    {
        let group = format!("group-{index}");
        let running = mesh.start("source", &source(&group));
        mesh.wait_for_source(&group);
        let (success, text) =
            mesh.output(&format!("-f mcm {options} -i {group} -f framemd5 got-{index}"));
        assert!(success, "{text}");
        finish(running);
        assert_eq!(mesh.sums(&format!("got-{index}")), mesh.sums("direct"), "{options}");
    }
}

#[test]
fn an_input_that_was_told_nothing_waits_for_its_group() {
    let mut mesh = Mesh::new();
    let receiver = mesh.start("receiver", "-f mcm -i late -f framemd5 got");
    wait_until_it_asks(&mut mesh, 1);
    assert!(mesh.control.group("late").is_none());
    finish(mesh.start("source", &source("late")));
    finish(receiver);
    assert_eq!(mesh.sums("got").len(), 120);
}

/// Until so many programs have said Hello to the proxy, which they do to ask.
fn wait_until_it_asks(mesh: &mut Mesh, clients: u32) {
    wait::until("the input asks", || mesh.control.info().clients >= clients);
}

#[test]
fn ctrl_c_ends_an_input_that_waits_for_its_group() {
    let mut mesh = Mesh::new();
    let mut receiver = mesh.start("receiver", "-f mcm -i never -f null -");
    wait_until_it_asks(&mut mesh, 1);
    receiver.signal(Signal::INT);
    receiver.wait();
}

#[test]
fn an_input_whose_time_is_up_has_the_defaults() {
    let mut mesh = Mesh::new();
    for (options, format) in [
        ("-f mcm -group_timeout 50 -frame_rate 50", "video 1920x1080 50 yuv422p10le"),
        ("-f mcm -video_size 64x64", "video 64x64 25 yuv422p10le"),
        ("-f mcm_audio -group_timeout 0 -channels 2", "audio 2 x 48000 Hz pcm_s24be 1ms"),
        ("-f mcm_audio_pcm16 -channels 1", "audio 1 x 48000 Hz pcm_s16be 1ms"),
    ] {
        let mut receiver = mesh.start("receiver", &format!("{options} -i alone -f null -"));
        mesh.wait_for_receivers("alone", 1);
        assert_eq!(mesh.control.group("alone").unwrap().format, format, "{options}");
        receiver.kill();
        wait::until("the group is gone", || mesh.control.group("alone").is_none());
    }
}

/// Nothing is made up for a group that is not there.
#[test]
fn a_group_that_is_not_there_in_time_is_an_error() {
    let mesh = Mesh::new();
    for (arguments, line) in [
        ("-group_timeout 100 nope", "waited 100 ms for group \"nope\" (-group_timeout)"),
        ("-group_timeout 0 nope", "waited 0 ms for group \"nope\" (-group_timeout)"),
        ("-wait_timeout 100 nope", "waited 100 ms for group \"nope\" (-wait_timeout)"),
        (
            "-wait_timeout 100 -video_size 64x64 nope",
            "waited 100 ms for a source of group \"nope\" (-wait_timeout)",
        ),
    ] {
        let probe =
            mesh.wrapper("mcm-ffprobe", &format!("-v error -show_packets -f mcm {arguments}"));
        let (_, text) = said(probe);
        assert!(text.contains(line) && !text.contains("width"), "{arguments}: {text}");
    }
    let (success, text) = mesh.output("-f mcm -group_timeout 100 -i nope -f null -");
    assert!(!success && text.contains("nope"), "{text}");
}

#[test]
fn ffprobe_needs_no_options() {
    let mut mesh = Mesh::new();
    let mut sources = vec![mesh.start(
        "video",
        &format!(
            "-re -f lavfi -i testsrc2=size=64x48:rate=24 -pix_fmt rgb24 -f mcm {PATIENT} video"
        ),
    )];
    sources.push(mesh.start(
        "audio",
        &format!(
            "-re -f lavfi -i sine=sample_rate=96000 -ac 6 -c:a pcm_s8 -f mcm_audio -ptime 125us {PATIENT} audio"
        ),
    ));
    for (device, group, entries, expected) in [
        ("mcm", "video", "width,height,pix_fmt,avg_frame_rate", "64,48,rgb24,24/1"),
        (
            "mcm_audio",
            "audio",
            "codec_name,sample_rate,channels,channel_layout",
            "pcm_s8,96000,6,5.1",
        ),
    ] {
        mesh.wait_for_source(group);
        let arguments =
            format!("-v error -show_entries stream={entries} -of csv=p=0 -f {device} {group}");
        let (success, text) = said(mesh.wrapper("mcm-ffprobe", &arguments));
        assert!(success && text.trim() == expected, "{text}");
    }
    // The proxy names the programs as they were called.
    let source = mesh.control.group("video").and_then(|group| group.source).unwrap();
    assert_eq!(source.program, "ffmpeg");
    sources.iter_mut().for_each(mcm_tests::process::Process::kill);
}

/// Libraries before this function are as good for those who say everything.
#[test]
fn a_library_that_cannot_be_asked_still_receives() {
    let mut mesh = Mesh::new();
    let library = mesh.file("lib/libmcm_dp.so.1");
    let mut bytes = std::fs::read(&library).unwrap();
    let name = b"mesh_get_group_config\0";
    let places: Vec<usize> =
        (0..bytes.len() - name.len()).filter(|at| bytes[*at..].starts_with(name)).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| bytes[at] = b'M');
    std::fs::write(&library, bytes).unwrap();
    let running = mesh.start("source", &source("old"));
    mesh.wait_for_source("old");
    let told = "-video_size 96x50 -pixel_format uyvy422 -frame_rate 59.94";
    let (success, text) = mesh.output(&format!("-f mcm {told} -i old -f null -"));
    assert!(success && text.is_empty(), "{text}");
    finish(running);
    let mut receiver = mesh.start("receiver", "-f mcm -i new -f null -");
    mesh.wait_for_receivers("new", 1);
    wait::until("the defaults are named", || receiver.output().contains("defaults are assumed"));
    receiver.kill();
}
