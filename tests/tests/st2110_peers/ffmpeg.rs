//! FFmpeg: it writes a session description of its stream, and reads ours.

use crate::noise::Noise;
use crate::sound::{self, Sound};
use crate::video::{self, LARGE, SMALL, Video};
use crate::{exact_row, hosts, shape, start};
use mcm_tests::drops::undisturbed;
use mcm_tests::pair::Pair;
use media::{AudioFormat, PixelFormat, Scan};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const FORMATS: [PixelFormat; 2] = [PixelFormat::Yuv422p10le, PixelFormat::Uyvy422];
const SCANS: [Scan; 2] = [Scan::Progressive, Scan::Interlaced];

/// Options before input and output.
const COMMON: &str = "-nostdin -loglevel error -y";

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split_ascii_whitespace().map(str::to_owned)
}

/// Arguments to send so many frames of a file.
fn sending(video: &Video, file: &Path, frames: usize, sdp: &Path) -> Vec<String> {
    let (width, height) = video.size;
    let codec = if video.format == PixelFormat::Uyvy422 { "rawvideo" } else { "bitpacked" };
    let (filter, order) = match video.scan {
        Scan::Interlaced => ("setfield=tff", "-field_order tt"),
        _ => ("setfield=prog", ""),
    };
    let (format, rate, port) = (video.format, video.rate(), video.port);
    let input = format!("-re -f rawvideo -pix_fmt {format} -s {width}x{height} -r {rate} -i");
    let output = format!("-frames:v {frames} -vf {filter} {order} -c:v {codec} -f rtp -sdp_file");
    let to = format!("rtp://{}:{port}?pkt_size=1452&buffer_size=4194304", video.destination());
    let mut args: Vec<String> = words(COMMON).chain(words(&input)).collect();
    args.push(file.display().to_string());
    args.extend(words(&output));
    args.extend([sdp.display().to_string(), to]);
    args
}

fn run(pair: &Pair, host: usize, args: &[String]) {
    let mut process = start(pair, host, "ffmpeg", args);
    assert!(process.wait().success(), "{}", process.output());
}

/// The description that FFmpeg writes. It does that when it starts, so it is run for one frame,
/// which nobody receives.
fn description(pair: &Pair, args: impl FnOnce(&Path) -> Vec<String>) -> String {
    let path = pair.runs[0].outside().join("peer.sdp");
    run(pair, 1, &args(&path));
    std::fs::read_to_string(path).expect("the description")
}

/// Configuration of a receiver: that description, and for unicast the sender, which it does not
/// contain.
fn from(sdp: &str, multicast: bool) -> Value {
    match multicast {
        true => json!({ "sdp": sdp }),
        false => json!({ "sdp": sdp, "ipAddr": "10.77.0.1" }),
    }
}

fn receive(cases: &[Video]) {
    const FRAMES: usize = 6;
    let Some(pair) = hosts("ffmpeg") else { return };
    shape(&pair);
    let file = pair.runs[0].outside().join("frames");
    for case in cases {
        let noise = case.noise();
        noise.write(&file, FRAMES);
        let sdp = description(&pair, |sdp| sending(case, &file, 1, sdp));
        let scratch = pair.runs[0].outside().join("again.sdp");
        let args = sending(case, &file, FRAMES, &scratch);
        undisturbed(&pair.net, &format!("{case:?}"), || {
            // What came in a run before is not to be seen.
            let _ = pair.wait_bridges(2, 0);
            let receiver = case.receiver(&pair, from(&sdp, case.multicast));
            std::thread::scope(|scope| {
                scope.spawn(|| run(&pair, 1, &args));
                video::take(&receiver, &noise, 0..FRAMES);
            });
        });
        println!("{case:?}: exact");
    }
}

/// Arguments to write what is received by a description.
fn receiving(pair: &Pair, sdp: &str, output: &str, file: &Path) -> Vec<String> {
    let description = pair.runs[1].outside().join("ours.sdp");
    std::fs::write(&description, sdp).expect("a file");
    let input =
        "-protocol_whitelist file,udp,rtp -analyzeduration 0 -probesize 32 -buffer_size 4194304 -i";
    let mut args: Vec<String> = words(COMMON).chain(words(input)).collect();
    args.push(description.display().to_string());
    args.extend(words(output));
    args.push(file.display().to_string());
    args
}

fn send(cases: &[Video]) {
    let Some(pair) = hosts("ffmpeg") else { return };
    let file = pair.runs[1].outside().join("written");
    for case in cases {
        let noise = Arc::new(case.noise());
        let source = case.source(&pair);
        let sdp = case.sdp(&pair);
        let sender = video::send(source, Arc::clone(&noise));
        let format = case.format;
        let output = format!(
            "-fps_mode passthrough -c:v rawvideo -pix_fmt {format} -flush_packets 1 -f rawvideo"
        );
        let args = receiving(&pair, &sdp, &output, &file);
        let frames = exact_row(&pair, &format!("{case:?} {sdp}"), &noise, &file, || {
            start(&pair, 2, "ffmpeg", &args)
        });
        drop(sender);
        println!("{case:?}: {frames:?}");
    }
}

#[test]
fn small_video_from_ffmpeg() {
    receive(&video::cases(SMALL, &FORMATS, &SCANS));
}

#[test]
fn small_video_to_ffmpeg() {
    send(&video::cases(SMALL, &FORMATS, &SCANS));
}

/// Of each kind one.
fn some_large() -> Vec<Video> {
    let mut cases = video::cases(LARGE, &FORMATS, &SCANS);
    cases.retain(|case| case.multicast == (case.scan == Scan::Progressive));
    cases.retain(|case| (case.format == PixelFormat::Uyvy422) != case.multicast);
    cases
}

#[test]
fn large_video_from_ffmpeg() {
    receive(&some_large());
}

#[test]
fn large_video_to_ffmpeg() {
    send(&some_large());
}

#[test]
#[ignore = "slow: scripts/ci-slow.sh"]
fn all_large_video_from_ffmpeg() {
    receive(&video::cases(LARGE, &FORMATS, &SCANS));
}

#[test]
#[ignore = "slow: scripts/ci-slow.sh"]
fn all_large_video_to_ffmpeg() {
    send(&video::cases(LARGE, &FORMATS, &SCANS));
}

fn sample(sound: &Sound) -> &'static str {
    if sound.format == AudioFormat::PcmS16be { "s16be" } else { "s24be" }
}

#[test]
fn audio_from_ffmpeg() {
    let Some(pair) = hosts("ffmpeg") else { return };
    shape(&pair);
    let file = pair.runs[0].outside().join("samples");
    let noise = Noise::octets(sound::SECOND);
    noise.write(&file, 1);
    for case in sound::cases() {
        let (sample, channels, port) = (sample(&case), case.channels, case.port);
        let sending = |sdp: &Path| {
            let input = format!("-re -f {sample} -ar 48000 -ac {channels} -i");
            let mut args: Vec<String> = words(COMMON).chain(words(&input)).collect();
            args.push(file.display().to_string());
            args.extend(words(&format!("-c:a pcm_{sample} -f rtp -sdp_file")));
            let to = format!("rtp://{}:{port}?pkt_size=1452", case.destination());
            args.extend([sdp.display().to_string(), to]);
            args
        };
        let sdp = description(&pair, sending);
        let args = sending(&pair.runs[0].outside().join("again.sdp"));
        undisturbed(&pair.net, &format!("{case:?}"), || {
            // What came in a run before is not to be seen.
            let _ = pair.wait_bridges(2, 0);
            let receiver = case.receiver(&pair, from(&sdp, case.multicast));
            std::thread::scope(|scope| {
                scope.spawn(|| run(&pair, 1, &args));
                case.take(&receiver, noise.frame(0));
            });
        });
        println!("{case:?}: exact");
    }
}

#[test]
fn audio_to_ffmpeg() {
    let Some(pair) = hosts("ffmpeg") else { return };
    for case in sound::cases() {
        let samples = Arc::new(Noise::octets(sound::SECOND));
        let source = case.source(&pair);
        let sdp = pair.net.on(1, || pair.a.control().sdp(&case.group())).unwrap();
        let sender = case.send(source, Arc::clone(&samples));
        let sample = sample(&case);
        let file = pair.runs[1].outside().join("written");
        let output = format!("-t 0.5 -c:a pcm_{sample} -f {sample}");
        let args = receiving(&pair, &sdp, &output, &file);
        undisturbed(&pair.net, &format!("{case:?}"), || {
            run(&pair, 2, &args);
            case.check(&std::fs::read(&file).expect("what was written"), samples.frame(0));
        });
        drop(sender);
        println!("{case:?}: exact\n{sdp}");
    }
}
