//! ST 2110 streams to and from programs of others: FFmpeg and GStreamer, as Debian has them. Every sample is compared.

use mcm_dp::client::{Client, Connection, Direction, Timeout};
use mcm_tests::netns::Net;
use mcm_tests::process::Process;
use mcm_tests::proxy::Proxy;
use mcm_tests::run::Run;
use mcm_tests::wait;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const WIDTH: usize = 640;
const HEIGHT: usize = 360;
/// Frames of a clip.
const FRAMES: usize = 50;
const GROUP: &str = "239.77.0.9";

/// A host with a proxy, and one with somebody else's program.
struct Place {
    proxy: Proxy,
    client: Arc<Client>,
    net: Net,
    run: Run,
}

impl Place {
    /// `None`, with the reason on standard error, without hosts or without the program.
    fn new(program: &str, package: &str) -> Option<Self> {
        if Command::new(program).arg("--version").output().is_err() {
            let reason = format!("{program} (Debian package {package}) is not there");
            assert!(std::env::var_os("CI").is_none(), "{reason}");
            eprintln!("SKIPPED: {reason}");
            return None;
        }
        let net = Net::new(2)?;
        let run = Run::new();
        let proxy = net.proxy(1, &run, &["-i", "10.77.0.1"]);
        let client = proxy.client();
        Some(Self { proxy, client, net, run })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.run.outside().join(name)
    }

    /// A program on the other host.
    fn peer(&self, program: &str, args: &str) -> Process {
        let mut command = self.net.command(2, program);
        command.args(args.split_whitespace());
        Process::start(program, command, |_| false)
    }
}

/// A clip of pictures that all differ, in bytes of a frame's size. `depth` is that of the samples in words of 16 bits, or 8.
fn clip(frame_bytes: usize, depth: u32) -> Vec<Vec<u8>> {
    let sample = |frame: usize, index: usize| -> usize { index * 7 + (index >> 8) + frame * 131 };
    let frame = |number: usize| -> Vec<u8> {
        if depth == 8 {
            return (0..frame_bytes).map(|index| sample(number, index) as u8).collect();
        }
        let words = (0..frame_bytes / 2).map(|index| sample(number, index) & ((1 << depth) - 1));
        words.flat_map(|word| (word as u16).to_le_bytes()).collect()
    };
    (0..FRAMES).map(frame).collect()
}

fn video(format: &str, scan: &str) -> Value {
    json!({
        "connection": { "st2110": { "ipAddr": GROUP, "port": 5004, "payloadType": 96 } },
        "payload": { "video": {
            "width": WIDTH, "height": HEIGHT, "fps": 25, "pixelFormat": format, "scan": scan,
        }},
        "bufferQueueCapacity": 32,
    })
}

/// Bytes of a frame, and the depth of its samples.
fn shape(format: &str) -> (usize, u32) {
    match format {
        "yuv422p10le" => (WIDTH * HEIGHT * 4, 10),
        "uyvy422" => (WIDTH * HEIGHT * 2, 8),
        "yuv422p10rfc4175" => (WIDTH * HEIGHT * 5 / 2, 8),
        other => panic!("{other}"),
    }
}

/// Takes frames until so many whole ones have come in a row, each of which is the next of the clip.
fn receive(connection: &Connection, clip: &[Vec<u8>], count: usize) {
    let mut row = 0;
    let mut last = None;
    wait::until("frames of the clip in a row", || {
        let buffer = connection.get(Timeout::After(wait::DEADLINE)).expect("a frame");
        if buffer.info().incomplete {
            (row, last) = (0, None);
            return false;
        }
        let found = clip.iter().position(|frame| frame == buffer.payload());
        let found = found.expect("a whole frame is exactly one of the clip");
        row = if last.is_some_and(|last| (last + 1) % clip.len() == found) { row + 1 } else { 1 };
        last = Some(found);
        row >= count
    });
}

/// Sends a clip again and again until told to stop.
fn send(connection: &Connection, clip: &[Vec<u8>], stop: &AtomicBool) {
    for frame in clip.iter().cycle() {
        if stop.load(Relaxed) {
            return;
        }
        let mut buffer = connection.get(Timeout::Infinite).expect("a buffer");
        buffer.payload_mut()[..frame.len()].copy_from_slice(frame);
        Connection::put(buffer, Timeout::Infinite).map_err(|(_, error)| error).expect("put");
    }
}

/// Sends a clip while the other host's program writes what it receives to a file of so many frames; these must be a part of the clip.
fn record(
    place: &Place,
    config: &Value,
    clip: &[Vec<u8>],
    least: usize,
    program: impl FnOnce(&Place, &str) -> (Process, PathBuf),
) {
    let source = place.client.connect(Direction::Send, &config.to_string()).expect("a connection");
    let sdp = place.net.on(1, || place.proxy.control().sdp(&format!("{GROUP}:5004"))).unwrap();
    let stop = AtomicBool::new(false);
    let bytes = std::thread::scope(|scope| {
        scope.spawn(|| send(&source, clip, &stop));
        let (mut process, path) = program(place, &sdp);
        let status = process.wait();
        stop.store(true, Relaxed);
        assert!(status.success(), "{}", process.output());
        std::fs::read(path).expect("what was recorded")
    });
    let frames: Vec<_> = bytes.chunks(clip[0].len()).collect();
    assert!(frames.len() >= least, "{} frames", frames.len());
    // The first may have been under way when the program began to listen; the others are exact, and in order.
    let places: Vec<_> =
        frames[1..].iter().map(|frame| clip.iter().position(|it| it == frame)).collect();
    let first = places[0].expect("an exact frame");
    let expected: Vec<_> = (0..places.len()).map(|n| Some((first + n) % clip.len())).collect();
    assert_eq!(places, expected);
}

#[test]
fn video_from_ffmpeg() {
    let Some(place) = Place::new("ffmpeg", "ffmpeg") else { return };
    for (format, ffmpeg, codec) in
        [("yuv422p10le", "yuv422p10le", "bitpacked"), ("uyvy422", "uyvy422", "rawvideo")]
    {
        let (bytes, depth) = shape(format);
        let clip = clip(bytes, depth);
        let file = place.file(format);
        std::fs::write(&file, clip.concat()).unwrap();
        let config = video(format, "progressive").to_string();
        let receiver = place.client.connect(Direction::Receive, &config).expect("a connection");
        let args = format!(
            "-loglevel error -re -stream_loop -1 -f rawvideo -pix_fmt {ffmpeg} -s {WIDTH}x{HEIGHT} -r 25 -i {} \
             -c:v {codec} -f rtp rtp://{GROUP}:5004?pkt_size=1452&buffer_size=4194304",
            file.display()
        );
        let _ffmpeg = place.peer("ffmpeg", &args);
        receive(&receiver, &clip, 10);
    }
}

#[test]
fn video_to_ffmpeg() {
    let Some(place) = Place::new("ffmpeg", "ffmpeg") else { return };
    for (format, scan) in
        [("yuv422p10le", "progressive"), ("uyvy422", "progressive"), ("yuv422p10le", "interlaced")]
    {
        let (bytes, depth) = shape(format);
        record(&place, &video(format, scan), &clip(bytes, depth), 8, |place, sdp| {
            let (description, out) = (place.file("stream.sdp"), place.file("out.raw"));
            std::fs::write(&description, sdp).unwrap();
            let args = format!(
                "-y -loglevel error -protocol_whitelist file,udp,rtp -analyzeduration 0 -probesize 32 \
                 -buffer_size 4194304 -i {} -frames:v 10 -f rawvideo -pix_fmt {format} {}",
                description.display(),
                out.display()
            );
            (place.peer("ffmpeg", &args), out)
        });
    }
}

#[test]
fn video_from_gstreamer() {
    let Some(place) = Place::new("gst-launch-1.0", "gstreamer1.0-tools") else { return };
    for (format, gstreamer) in [("yuv422p10rfc4175", "uyvp"), ("uyvy422", "uyvy")] {
        let (bytes, depth) = shape(format);
        let clip = clip(bytes, depth);
        let file = place.file(format);
        std::fs::write(&file, clip.concat()).unwrap();
        let config = video(format, "progressive").to_string();
        let receiver = place.client.connect(Direction::Receive, &config).expect("a connection");
        let args = format!(
            "-q filesrc location={} ! rawvideoparse format={gstreamer} width={WIDTH} height={HEIGHT} framerate=25/1 \
             ! rtpvrawpay mtu=1460 pt=96 ! udpsink host={GROUP} port=5004 sync=true",
            file.display()
        );
        let _gstreamer = place.peer("gst-launch-1.0", &args);
        receive(&receiver, &clip, 10);
    }
}

#[test]
fn video_to_gstreamer() {
    let Some(place) = Place::new("gst-launch-1.0", "gstreamer1.0-tools") else { return };
    for (format, depth) in [("yuv422p10rfc4175", 10), ("uyvy422", 8)] {
        let (bytes, samples) = shape(format);
        record(&place, &video(format, "progressive"), &clip(bytes, samples), 8, |place, _sdp| {
            let out = place.file("out.raw");
            let args = format!(
                "-q udpsrc address={GROUP} port=5004 buffer-size=4194304 \
                 caps=application/x-rtp,media=video,clock-rate=90000,encoding-name=RAW,sampling=(string)YCbCr-4:2:2,\
                 depth=(string){depth},width=(string){WIDTH},height=(string){HEIGHT},colorimetry=(string)BT709-2,payload=96 \
                 ! rtpvrawdepay ! identity eos-after=11 ! filesink location={}",
                out.display()
            );
            (place.peer("gst-launch-1.0", &args), out)
        });
    }
}

fn audio(format: &str) -> Value {
    json!({
        "connection": { "st2110": {
            "ipAddr": GROUP, "port": 5004, "payloadType": 97, "transport": "st2110-30",
        }},
        "payload": { "audio": {
            "channels": 2, "sampleRate": 48000, "format": format, "packetTime": "1ms",
        }},
        "bufferQueueCapacity": 128,
    })
}

/// Sound in which every run of bytes longer than a packet is unique.
fn sound(bytes: usize) -> Vec<u8> {
    let mut random = mcm_tests::random::Random::new(7);
    (0..bytes).map(|_| random.below(256) as u8).collect()
}

#[test]
fn audio_from_ffmpeg() {
    let Some(place) = Place::new("ffmpeg", "ffmpeg") else { return };
    for (format, encoding, size) in [("pcm_s24be", 4_u32, 3), ("pcm_s16be", 3, 2)] {
        let packet = 48 * 2 * size;
        let sound = sound(30 * 48_000 * 2 * size);
        let file = place.file(&format!("{format}.au"));
        // A Sun audio file, which FFmpeg reads in pieces of a packet's length: in longer ones it would send in bursts, with pauses
        // longer than any receiver of ST 2110-30 waits.
        let header = [0x2e73_6e64, 24, sound.len() as u32, encoding, 48_000, 2];
        let header: Vec<_> = header.into_iter().flat_map(u32::to_be_bytes).collect();
        std::fs::write(&file, [header.as_slice(), &sound].concat()).unwrap();
        let config = audio(format).to_string();
        let receiver = place.client.connect(Direction::Receive, &config).expect("a connection");
        let args = format!(
            "-loglevel error -re -f lavfi -i amovie={},asetnsamples=n=48:p=0 -c:a {format} -payload_type 97 \
             -f rtp rtp://{GROUP}:5004?pkt_size={}",
            file.display(),
            12 + packet
        );
        let _ffmpeg = place.peer("ffmpeg", &args);
        // FFmpeg sends in bursts, and a busy machine may let this program be late; then it misses buffers, and is told how many.
        let mut origin = None;
        let mut whole = 0;
        while whole < 300 {
            let buffer = receiver.get(Timeout::After(wait::DEADLINE)).expect("a buffer");
            if buffer.info().incomplete {
                continue;
            }
            let sequence = buffer.info().sequence as usize;
            let (first, start) = *origin.get_or_insert_with(|| {
                let mut places = (0..sound.len()).step_by(2 * size);
                let found = places.find(|at| sound[*at..].starts_with(buffer.payload()));
                (sequence, found.expect("the first buffer is of the sound"))
            });
            let place = start + (sequence - first) * packet;
            assert!(sound[place..].starts_with(buffer.payload()), "buffer {sequence} is exact");
            whole += 1;
        }
    }
}
