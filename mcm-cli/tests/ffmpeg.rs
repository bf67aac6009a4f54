//! Streams between FFmpeg and `mcm st2110`: the same bytes.

mod common;

use common::{Place, free_port, mcm, noise, run, text, wait_for_port};
use std::process::{Command, Stdio};

/// Whether FFmpeg is there; in CI it must be.
fn ffmpeg_is_there() -> bool {
    let found = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status().is_ok();
    if !found {
        testkit::skip("ffmpeg");
    }
    found
}

fn ffmpeg(arguments: &[&str]) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-nostdin", "-y"]).args(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

const VIDEO: [&str; 8] = ["-f", "rawvideo", "-pix_fmt", "uyvy422", "-s", "320x180", "-r", "25"];
const FRAME: usize = 320 * 180 * 2;

/// A description as FFmpeg writes it.
fn description(medium: &str, format: &str) -> String {
    format!(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=No Name\nc=IN IP4 127.0.0.1\nt=0 0\nm={medium} RTP/AVP 96\na=rtpmap:96 {format}\n"
    )
}

fn video(port: u16) -> String {
    let raw = "raw/90000\na=fmtp:96 sampling=YCbCr-4:2:2; width=320; height=180; depth=8";
    description(&format!("video {port}"), raw)
}

/// Receives so many frames of what FFmpeg sends, with FFmpeg's own description.
fn from_ffmpeg(
    name: &str,
    sdp: impl Fn(u16) -> String,
    input: &[&str],
    codec: &str,
    frames: usize,
    content: &[u8],
) {
    if !ffmpeg_is_there() {
        return;
    }
    let place = Place::new(name);
    let port = free_port();
    let sdp = place.file("x.sdp", sdp(port).as_bytes());
    let file = place.file("in", content);
    let output = place.0.join("out");
    let count = frames.to_string();
    let receive =
        ["st2110", "recv", "--fps", "25", "-n", &count, "-t", "60", &sdp, output.to_str().unwrap()];
    let mut receiver = mcm(&receive).spawn().unwrap();
    wait_for_port(&mut receiver, port);
    let url = format!("rtp://127.0.0.1:{port}?pkt_size=1452&buffer_size=4194304");
    let mut arguments = vec!["-re"];
    arguments.extend_from_slice(input);
    arguments.extend(["-i", &file, "-c", codec, "-payload_type", "96", "-f", "rtp", &url]);
    let sent = ffmpeg(&arguments).output().unwrap();
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    let received = receiver.wait_with_output().unwrap();
    let said = text(&received.stderr);
    assert!(received.status.success(), "{said}");
    assert!(said.contains(" 0 of them with gaps"), "{said}");
    assert!(std::fs::read(&output).unwrap() == content, "other bytes: {said}");
}

#[test]
fn video_from_ffmpeg() {
    from_ffmpeg("fv", video, &VIDEO, "rawvideo", 5, &noise(FRAME * 5));
}

/// FFmpeg sends packets of its own length, several at once, and pauses between them.
#[test]
fn audio_from_ffmpeg_is_cut_anew() {
    for (name, coding, format, codec, bytes) in
        [("fa24", "L24", "s24be", "pcm_s24be", 3), ("fa16", "L16", "s16be", "pcm_s16be", 2)]
    {
        let sdp = |port: u16| description(&format!("audio {port}"), &format!("{coding}/48000/2"));
        let input = ["-f", format, "-ar", "48000", "-ac", "2"];
        from_ffmpeg(name, sdp, &input, codec, 500, &noise(48 * 2 * bytes * 500));
    }
}

#[test]
fn video_to_ffmpeg() {
    if !ffmpeg_is_there() {
        return;
    }
    let place = Place::new("tf");
    let port = free_port();
    let sdp = place.file("x.sdp", video(port).as_bytes());
    let content = noise(FRAME * 5);
    // FFmpeg hands a frame on when the next one begins.
    let file = place.file("in", &[&content[..], &content[..FRAME]].concat());
    let output = place.0.join("out");
    let mut receiver = ffmpeg(&[
        "-protocol_whitelist",
        "file,udp,rtp",
        "-analyzeduration",
        "0",
        "-probesize",
        "32",
        "-buffer_size",
        "4194304",
        "-i",
        &sdp,
        "-frames:v",
        "5",
        "-c",
        "copy",
        "-f",
        "rawvideo",
        output.to_str().unwrap(),
    ])
    .spawn()
    .unwrap();
    wait_for_port(&mut receiver, port);
    let sent = run(&["st2110", "send", "--fps", "25", &sdp, &file]);
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    let received = receiver.wait_with_output().unwrap();
    assert!(received.status.success(), "{}", text(&received.stderr));
    assert!(std::fs::read(&output).unwrap() == content, "other bytes: {}", text(&received.stderr));
}
