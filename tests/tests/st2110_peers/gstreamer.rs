//! GStreamer. Its launcher neither writes nor reads session descriptions: the fields of ours become
//! its capabilities.

use crate::noise::Noise;
use crate::sound::{self, Sound};
use crate::video::{self, LARGE, SMALL, Video};
use crate::{exact_row, hosts, shape};
use mcm_tests::drops::undisturbed;
use mcm_tests::pair::Pair;
use mcm_tests::process::Process;
use mcm_tests::wait;
use media::{AudioFormat, PixelFormat, Scan};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// Its UYVP is what stands in packets, and UYVY is the same for 8 bits.
const FORMATS: [PixelFormat; 2] = [PixelFormat::Yuv422p10Rfc4175, PixelFormat::Uyvy422];

const PROGRAM: &str = "gst-launch-1.0";

fn start(pair: &Pair, host: usize, pipeline: &str) -> Process {
    let args: Vec<_> = ["-q"].into_iter().chain(pipeline.split_ascii_whitespace()).collect();
    crate::start(pair, host, PROGRAM, &args)
}

fn sink(destination: &str, port: u16) -> String {
    format!("udpsink host={destination} port={port} multicast-iface=eth0 buffer-size=4194304")
}

fn fields(destination: &str, port: u16, transport: &str, multicast: bool) -> Value {
    // A receiver of a unicast stream names its sender.
    let from = if multicast { destination } else { "10.77.0.1" };
    json!({ "ipAddr": from, "port": port, "transport": transport, "payloadType": 96 })
}

fn receive(cases: &[Video]) {
    const FRAMES: usize = 6;
    let Some(pair) = hosts(PROGRAM) else { return };
    shape(&pair);
    let file = pair.runs[0].outside().join("frames");
    for case in cases {
        let noise = case.noise();
        noise.write(&file, FRAMES);
        let stream = fields(case.destination(), case.port, "st2110-20", case.multicast);
        let (width, height) = case.size;
        let format = if case.format == PixelFormat::Uyvy422 { "uyvy" } else { "uyvp" };
        let interlaced = case.scan == Scan::Interlaced;
        let pipeline = format!(
            "filesrc location={} ! rawvideoparse format={format} width={width} height={height} \
             framerate={}/1 interlaced={interlaced} top-field-first=true ! \
             rtpvrawpay mtu=1460 pt=96 ! {}",
            file.display(),
            case.rate(),
            sink(case.destination(), case.port)
        );
        // The first frame shows how it numbers the lines of fields, and is lost.
        let first = usize::from(interlaced);
        undisturbed(&pair.net, &format!("{case:?}"), || {
            // What came in a run before is not to be seen.
            let _ = pair.wait_bridges(2, 0);
            let receiver = case.receiver(&pair, stream.clone());
            let mut sender = start(&pair, 1, &pipeline);
            video::take(&receiver, &noise, first..FRAMES);
            assert!(sender.wait().success(), "{}", sender.output());
        });
        println!("{case:?}: exact");
    }
}

/// The capabilities that a description amounts to, as GStreamer's own reader of descriptions would
/// have it.
fn caps(sdp: &str) -> String {
    let line = |start: &str| sdp.lines().find_map(|line| line.trim().strip_prefix(start));
    let (_, mapping) = line("a=rtpmap:").and_then(|it| it.split_once(' ')).expect("a=rtpmap");
    let mut mapping = mapping.split('/');
    let (name, clock) = (mapping.next().unwrap(), mapping.next().expect("a clock rate"));
    let name = name.to_uppercase();
    let media = if name == "RAW" { "video" } else { "audio" };
    let mut caps =
        format!("caps=application/x-rtp,media={media},clock-rate={clock},encoding-name={name}");
    if media == "audio" {
        caps += &format!(",channels={}", mapping.next().unwrap_or("1"));
        return caps;
    }
    let (_, parameters) = line("a=fmtp:").and_then(|it| it.split_once(' ')).expect("a=fmtp");
    for parameter in parameters.split(';') {
        if let Some((key, value)) = parameter.trim().split_once('=')
            && ["sampling", "depth", "width", "height"].contains(&key)
        {
            caps += &format!(",{key}=(string){value}");
        }
    }
    caps
}

/// Lets GStreamer write what it receives.
fn receiving(pair: &Pair, address: &str, caps: &str, depay: &str, file: &Path) -> Process {
    let pipeline = format!(
        "udpsrc {address} multicast-iface=eth0 buffer-size=4194304 {caps} ! {depay} ! \
         filesink buffer-mode=unbuffered location={}",
        file.display()
    );
    start(pair, 2, &pipeline)
}

fn address(destination: &str, port: u16, multicast: bool) -> String {
    let group = if multicast { format!("address={destination} ") } else { String::new() };
    format!("{group}port={port}")
}

fn send(cases: &[Video]) {
    let Some(pair) = hosts(PROGRAM) else { return };
    let file = pair.runs[1].outside().join("written");
    for case in cases {
        let noise = Arc::new(case.noise());
        let source = case.source(&pair);
        let sdp = case.sdp(&pair);
        let sender = video::send(source, Arc::clone(&noise));
        let address = address(case.destination(), case.port, case.multicast);
        let frames = exact_row(&pair, &format!("{case:?} {sdp}"), &noise, &file, || {
            receiving(&pair, &address, &caps(&sdp), "rtpvrawdepay", &file)
        });
        drop(sender);
        println!("{case:?}: {frames:?}");
    }
}

#[test]
fn small_video_from_gstreamer() {
    receive(&video::cases(SMALL, &FORMATS, &[Scan::Progressive, Scan::Interlaced]));
}

#[test]
fn small_video_to_gstreamer() {
    send(&video::cases(SMALL, &FORMATS, &[Scan::Progressive]));
}

/// GStreamer's depayloader does not know fields: it refuses streams that are described as
/// interlaced, does not look at the F bit, and ends a picture with each marker. Told half of the
/// height, it has each field as a picture, exact and in order.
#[test]
fn fields_to_gstreamer() {
    let Some(pair) = hosts(PROGRAM) else { return };
    let file = pair.runs[1].outside().join("written");
    for case in video::cases(SMALL, &FORMATS, &[Scan::Interlaced]) {
        let (_, height) = case.size;
        let field = case.noise().frame_size() / 2;
        let fields = Arc::new(Noise::pixels(case.format, field));
        let source = case.source(&pair);
        let caps = caps(&case.sdp(&pair));
        let halved = caps.replace(
            &format!("height=(string){height}"),
            &format!("height=(string){}", height / 2),
        );
        assert_ne!(caps, halved);
        let row = field / (height as usize / 2);
        let sender = video::send_fields(source, Arc::clone(&fields), row);
        let address = address(case.destination(), case.port, case.multicast);
        let pictures = exact_row(&pair, &format!("{case:?} {halved}"), &fields, &file, || {
            receiving(&pair, &address, &halved, "rtpvrawdepay", &file)
        });
        drop(sender);
        println!("{case:?}: {pictures:?}");
    }
}

/// Of each format one, and both kinds of addresses.
fn some_large() -> Vec<Video> {
    let mut cases = video::cases(LARGE, &FORMATS, &[Scan::Progressive]);
    cases.retain(|case| case.multicast == (case.format == PixelFormat::Uyvy422));
    cases
}

#[test]
fn large_video_from_gstreamer() {
    receive(&some_large());
}

#[test]
fn large_video_to_gstreamer() {
    send(&some_large());
}

#[test]
#[ignore = "slow: scripts/ci-slow.sh"]
fn all_large_video_from_gstreamer() {
    receive(&video::cases(LARGE, &FORMATS, &[Scan::Progressive, Scan::Interlaced]));
}

#[test]
#[ignore = "slow: scripts/ci-slow.sh"]
fn all_large_video_to_gstreamer() {
    send(&video::cases(LARGE, &FORMATS, &[Scan::Progressive]));
}

fn names(sound: &Sound) -> (&'static str, &'static str) {
    if sound.format == AudioFormat::PcmS16be { ("s16be", "L16") } else { ("s24be", "L24") }
}

#[test]
fn audio_from_gstreamer() {
    let Some(pair) = hosts(PROGRAM) else { return };
    let file = pair.runs[0].outside().join("samples");
    let noise = Noise::octets(sound::SECOND);
    noise.write(&file, 1);
    for case in sound::cases() {
        let stream = fields(case.destination(), case.port, "st2110-30", case.multicast);
        let (sample, name) = names(&case);
        let pipeline = format!(
            "filesrc location={} ! rawaudioparse format=pcm pcm-format={sample} sample-rate=48000 \
             num-channels={} ! rtp{name}pay max-ptime=1000000 min-ptime=1000000 pt=96 ! {}",
            file.display(),
            case.channels,
            sink(case.destination(), case.port)
        );
        undisturbed(&pair.net, &format!("{case:?}"), || {
            // What came in a run before is not to be seen.
            let _ = pair.wait_bridges(2, 0);
            let receiver = case.receiver(&pair, stream.clone());
            let _sender = start(&pair, 1, &pipeline);
            case.take(&receiver, noise.frame(0));
        });
        println!("{case:?}: exact");
    }
}

#[test]
fn audio_to_gstreamer() {
    let Some(pair) = hosts(PROGRAM) else { return };
    for case in sound::cases() {
        let samples = Arc::new(Noise::octets(sound::SECOND));
        let source = case.source(&pair);
        let sdp = pair.net.on(1, || pair.a.control().sdp(&case.group())).unwrap();
        let sender = case.send(source, Arc::clone(&samples));
        let (_, name) = names(&case);
        let address = address(case.destination(), case.port, case.multicast);
        let depay = format!("rtp{name}depay");
        let file = pair.runs[1].outside().join("written");
        undisturbed(&pair.net, &format!("{case:?}"), || {
            let mut receiver = receiving(&pair, &address, &caps(&sdp), &depay, &file);
            wait::until("GStreamer has written enough", || {
                assert!(!receiver.has_ended(), "{}", receiver.output());
                file.metadata().is_ok_and(|it| it.len() >= sound::SECOND as u64 / 3)
            });
            receiver.kill();
            let written = std::fs::read(&file).expect("what was written");
            std::fs::remove_file(&file).expect("the file");
            case.check(&written, samples.frame(0));
        });
        drop(sender);
        println!("{case:?}: exact");
    }
}
