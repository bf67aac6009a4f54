//! FFmpeg's listing of the devices, and the errors that users see.

mod common;

use common::{Mesh, PATIENT, said};
use std::process::Command;

const DEVICES: [&str; 4] = ["mcm", "mcm_audio", "mcm_audio_pcm16", "mcm_audio_pcm24"];

#[test]
fn the_devices_are_listed_and_described() {
    let mesh = Mesh::new();
    for program in ["mcm-ffmpeg", "mcm-ffprobe", "mcm-ffplay"] {
        let (success, list) = said(mesh.wrapper(program, "-hide_banner -devices"));
        assert!(success, "{list}");
        for device in DEVICES {
            let line = list.lines().find(|line| line.split_whitespace().nth(1) == Some(device));
            assert!(line.is_some_and(|line| line.trim().starts_with("DE")), "{program}: {list}");
        }
    }
    for (kind, device, option) in [
        ("demuxer", "mcm", "-video_size"),
        ("muxer", "mcm", "-wait_receivers"),
        ("demuxer", "mcm_audio_pcm16", "-sample_rate"),
        ("muxer", "mcm_audio_pcm24", "-ptime"),
        ("muxer", "mcm_audio", "-sample_format"),
        ("demuxer", "mcm_audio", "-group_timeout"),
    ] {
        let (success, help) = mesh.output(&format!("-h {kind}={device}"));
        assert!(success && help.contains(option), "{help}");
    }
}

#[test]
fn ffprobe_describes_a_stream() {
    let mut mesh = Mesh::new();
    for (group, rate, exact) in [("camera", "59.94", "60000/1001"), ("fast", "120", "120/1")] {
        let mut source = mesh.start(
            "source",
            &format!(
                "-re -f lavfi -i testsrc2=size=64x48:rate={exact} -pix_fmt uyvy422 -f mcm {group}"
            ),
        );
        mesh.wait_for_source(group);
        let arguments = format!(
            "-v error -show_entries stream=codec_name,width,height,pix_fmt,avg_frame_rate -of csv=p=0 \
             -f mcm -video_size 64x48 -pixel_format uyvy422 -frame_rate {rate} {group}"
        );
        let (success, text) = said(mesh.wrapper("mcm-ffprobe", &arguments));
        assert!(success, "{text}");
        assert_eq!(text.trim(), format!("rawvideo,64,48,uyvy422,{exact}"));
        // The rate that filters and encoders are told.
        mesh.output(&format!(
            "-f mcm -video_size 64x48 -pixel_format uyvy422 -frame_rate {rate} -i {group} -frames:v 3 -f framemd5 sums"
        ));
        let sums = std::fs::read_to_string(mesh.file("sums")).unwrap();
        let (num, den) = exact.split_once('/').unwrap();
        assert!(sums.contains(&format!("#tb 0: {den}/{num}")), "{sums}");
        source.kill();
    }
}

/// A failure is one line in the device's name that says why; FFmpeg's own may follow.
fn fails(mesh: &Mesh, arguments: &str, reason: &str) {
    let (success, text) = mesh.output(arguments);
    assert!(!success, "{arguments}");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("[mcm")).collect();
    assert_eq!(lines.len(), 1, "{arguments}: {text}");
    assert!(lines[0].contains(reason), "{arguments}: {text}");
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    let mesh = Mesh::new();
    let video = "-f lavfi -i testsrc2=size=64x64";
    let sine = "-f lavfi -i sine";
    for (arguments, reason) in [
        (
            "-f mcm -pixel_format rgb48le -i x -f null -",
            "pixel_format: found rgb48le; allowed: yuv",
        ),
        ("-f mcm -video_size big -i x -f null -", "video_size: found big"),
        ("-f mcm -frame_rate fast -i x -f null -", "frame_rate: found fast"),
        (
            "-f mcm -conn_type rdma -i x -f null -",
            "conn_type: found rdma; allowed: multipoint-group, st2110",
        ),
        ("-f mcm -conn_type st2110 -transport st2110-30 -i x -f null -", "payload: found video"),
        (
            "-f mcm -conn_type st2110 -ip_addr nowhere -i x -f null -",
            "] ip_addr: found \"nowhere\"",
        ),
        ("-f mcm -conn_type st2110 -transport st2110-99 -i x -f null -", "] transport: found"),
        (
            "-f mcm -conn_type st2110 -mcast_sip_addr here -i x -f null -",
            "] mcast_sip_addr: found \"here\"",
        ),
        (
            "-f mcm -conn_type st2110 -transport_pixel_format rgb -i x -f null -",
            "transport_pixel_format: found \"rgb\"",
        ),
        (
            "-f mcm -end_of_stream never -i x -f null -",
            "end_of_stream: found \"never\"; allowed: wait, close",
        ),
        ("-f mcm -delivery fast -i x -f null -", "] delivery: found \"fast\""),
        ("-f mcm -rdma_provider x -i x -f null -", "rdma_provider: found \"x\""),
        (
            "-f mcm -pixel_format v210 -video_size 64x64 -i x -f null -",
            "video_size: found 64x64; v210 needs an even width, and a number of pixels that is divisible by 6",
        ),
        ("-f mcm -pixel_format yuv422p10rfc4175 -video_size 63x64 -i x -f null -", "an even width"),
        (&format!("{video} -f mcm -pixel_format yuv422p10rfc4175 x"), "-pix_fmt yuv422p10le"),
        ("-f mcm -video_size 63x64 -i x -f null -", "yuv422p10le"),
        ("-f mcm_audio_pcm16 -ptime 2ms -i x -f null -", "] ptime: found \"2ms\""),
        ("-f mcm_audio_pcm16 -sample_rate 8000 -i x -f null -", "] sample_rate: found 8000"),
        (
            "-f mcm_audio -sample_format pcm_s32le -i x -f null -",
            "allowed: pcm_s24be, pcm_s16be, pcm_s8",
        ),
        (
            "-f mcm -protocol_type memif -i x -f null -",
            "protocol_type: found memif; programs of one host",
        ),
        ("-f mcm -protocol_type udp -i x -f null -", "use -conn_type st2110"),
        ("-f mcm -socket_name /run/x -i x -f null -", "socket_name: found /run/x; "),
        ("-f mcm -interface_id 0 -i x -f null -", "name the group with -urn"),
        ("-f mcm -payload_type st30 -i x -f null -", "payload_type: found st30; allowed: 0 to 127"),
        ("-f mcm -sdp x.sdp -i x -f null -", "sdp: found x.sdp; needs -conn_type st2110"),
        ("-f mcm -ttl 3 -i x -f null -", "ttl: found 3; needs -conn_type st2110"),
        (&format!("{video} -pix_fmt rgb48le -f mcm x"), "choose one with -pix_fmt"),
        (&format!("{video} -c:v mpeg4 -f mcm x"), "codec of the stream: found mpeg4"),
        (&format!("{sine} -c:a aac -f mcm_audio x"), "codec of the stream: found aac"),
        (&format!("{video} -f mcm -video_size 32x32 x"), "the stream is 64x64"),
        (&format!("{video} -f mcm -pixel_format rgb24 x"), "the stream is yuv420p"),
        (&format!("{video} -f mcm -pixel_format v210 x"), "-c:v v210"),
        (&format!("{video} -c:v v210 -f mcm x"), "divisible by 6"),
        (&format!("{sine} -c:a pcm_s16le -f mcm_audio_pcm16 x"), "allowed: pcm_s16be"),
        (
            &format!("{sine} -c:a pcm_s16be -f mcm_audio -sample_format pcm_s24be x"),
            "the stream is pcm_s16be",
        ),
        (&format!("{sine} -ar 48000 -f mcm_audio_pcm24 -channels 2 x"), "the stream has 1"),
    ] {
        fails(&mesh, arguments, reason);
    }
}

#[test]
fn a_group_of_another_format_says_what_it_has() {
    let mut mesh = Mesh::new();
    let mut source = mesh.start(
        "source",
        &format!("-re -f lavfi -i testsrc2=size=64x64 -pix_fmt yuv420p -f mcm {PATIENT} camera"),
    );
    mesh.wait_for_source("camera");
    fails(&mesh, "-f mcm -video_size 64x64 -pixel_format rgb24 -i camera -f null -", "yuv420p");
    fails(&mesh, "-f mcm -video_size 64x48 -i camera -f null -", "height");
    fails(&mesh, "-f mcm_audio -i camera -f null -", "group \"camera\" carries video, not audio");
    fails(&mesh, "-f lavfi -i testsrc2=size=64x64 -f mcm camera", "source");
    assert!(!source.has_ended(), "{}", source.output());
    source.kill();
}

#[test]
fn a_stream_that_changes_is_refused_by_name() {
    let mesh = Mesh::new();
    let mut command = mesh.compiled("changes");
    command.arg("changing");
    let (success, text) = said(command);
    assert!(success, "{text}");
    let line = "the stream changes to 160x120 gray10le; it began with 320x240 uyvy422";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_missing_proxy_is_named() {
    let mesh = Mesh::new();
    let mut command =
        mesh.wrapper("mcm-ffmpeg", "-hide_banner -nostdin -v error -f mcm -i x -f null -");
    command.env("MCM_MEDIA_PROXY_IP", "127.0.0.1").env("MCM_MEDIA_PROXY_PORT", "1");
    let (success, text) = said(command);
    assert!(!success);
    assert!(text.starts_with("[mcm @") && text.contains("127.0.0.1:1"), "{text}");
}

#[test]
fn without_the_library_of_the_mesh_only_the_devices_fail() {
    let mesh = Mesh::new();
    std::fs::remove_file(mesh.file("lib/libmcm_dp.so.1")).unwrap();
    fails(&mesh, "-f mcm -i x -f null -", "libmcm_dp.so.1");
    let (success, text) = mesh.output("-f lavfi -i testsrc2=duration=1 -f null -");
    assert!(success, "{text}");
}

#[test]
fn everything_else_works_as_before() {
    let mesh = Mesh::new();
    let arguments = "-f lavfi -i testsrc2=size=64x64:duration=1 -f framemd5";
    mesh.plain(&format!("{arguments} plain"));
    let (success, text) = mesh.output(&format!("{arguments} wrapped"));
    assert!(success && text.is_empty(), "{text}");
    assert_eq!(mesh.sums("plain"), mesh.sums("wrapped"));
    let devices = |program: &mut Command| -> Vec<String> {
        let output = program.args(["-hide_banner", "-devices"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().filter(|line| !line.contains(" mcm")).map(str::to_owned).collect()
    };
    assert_eq!(devices(&mut mesh.wrapper("mcm-ffmpeg", "")), devices(&mut Command::new("ffmpeg")));
}

#[test]
fn a_plugin_that_cannot_be_loaded_leaves_the_plain_program() {
    let mesh = Mesh::new();
    std::fs::write(mesh.file("broken.so"), "no library").unwrap();
    for plugin in ["missing.so", "broken.so"] {
        let mut command = mesh.wrapper("mcm-ffmpeg", "-version");
        let output = command.env("MCM_AVDEVICE", mesh.file(plugin)).output().unwrap();
        assert!(output.status.success());
        assert!(output.stdout.starts_with(b"ffmpeg version"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains("running plain ffmpeg without the mesh") && said.contains(plugin),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
