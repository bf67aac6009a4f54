//! Uncompressed video of other senders, over the loopback: what FFmpeg and GStreamer send is placed to the last bit.

use media::PixelFormat;
use st2110::rtp;
use st2110::video::*;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Few enough lines for a frame to fit the default receive buffer of the kernel, whatever bursts a sender makes.
const HEIGHT: u32 = 48;
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that a test needs; `None`, loudly, where it is not installed.
fn program(name: &str) -> Option<Command> {
    if Command::new(name).arg("--version").output().is_ok() {
        let mut command = Command::new(name);
        command.stdin(Stdio::null());
        return Some(command);
    }
    assert!(std::env::var_os("CI").is_none(), "{name} is needed");
    eprintln!("SKIPPED: {name} is not installed");
    None
}

/// Ends the sender with the test.
struct Sender(Child);

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first frame that a sender sends to a port of ours, and how its lines were numbered.
fn receive(
    picture: Picture,
    layout: PixelFormat,
    start: impl FnOnce(u16) -> Command,
) -> (Vec<u8>, RowNumbering) {
    let layout = FrameLayout::Mesh(layout);
    let mut depacketiser = Depacketiser::new(picture, layout, RowNumbering::PerField).unwrap();
    let mut rows = RowNumbering::PerField;
    let mut frame = vec![0; depacketiser.frame_size()];
    let mut arrival = Arrival::new(picture);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let _sender = Sender(start(socket.local_addr().unwrap().port()).spawn().unwrap());
    let deadline = Instant::now() + PATIENCE;
    let mut seen: Vec<Vec<u8>> = Vec::new();
    while !arrival.is_complete() {
        assert!(Instant::now() < deadline, "missing: {:?}", arrival.missing().collect::<Vec<_>>());
        let mut datagram = [0; 2048];
        let Ok(len) = socket.recv(&mut datagram) else { continue };
        let (_, payload) = rtp::Header::parse(&datagram[..len]).unwrap();
        seen.push(datagram[payload].to_vec());
        match depacketiser.place(&seen[seen.len() - 1], &mut frame, &mut arrival) {
            Err(PacketError::RowsPerFrame) => {
                // Again from the beginning, the other way.
                rows = RowNumbering::PerFrame;
                depacketiser.set_row_numbering(rows);
                arrival.clear();
                for payload in &seen {
                    depacketiser.place(payload, &mut frame, &mut arrival).unwrap();
                }
            }
            result => assert!(result.unwrap() > 0, "a packet of another frame"),
        }
    }
    (frame, rows)
}

fn picture(layout: PixelFormat, width: u32, scan: Scan) -> Picture {
    Picture::new(WireFormat::of(layout).unwrap(), width, HEIGHT, scan).unwrap()
}

fn output(mut command: Command) -> Vec<u8> {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn ffmpeg() {
    for (layout, codec, scan, width) in [
        (PixelFormat::Yuv422p10le, "bitpacked", Scan::Progressive, 320),
        (PixelFormat::Yuv422p10le, "bitpacked", Scan::Interlaced, 640),
        (PixelFormat::Uyvy422, "rawvideo", Scan::Progressive, 64),
        (PixelFormat::Rgb24, "rawvideo", Scan::Progressive, 322),
    ] {
        let Some(sending) = program("ffmpeg") else { return };
        let input = format!("testsrc2=s={width}x{HEIGHT}:r=5,noise=alls=50:allf=t");
        let filter = if scan == Scan::Interlaced { "setfield=tff" } else { "setfield=prog" };
        let with = |mut command: Command, codec: &str, rest: &[&str]| {
            command.args(["-loglevel", "error", "-f", "lavfi", "-i", &input, "-frames:v", "1"]);
            command.args(["-vf", &format!("format={layout},{filter}"), "-c:v", codec]);
            if scan == Scan::Interlaced {
                command.args(["-field_order", "tt"]);
            }
            command.args(rest);
            command
        };
        let (frame, rows) = receive(picture(layout, width, scan), layout, |port| {
            let to = format!("rtp://127.0.0.1:{port}?pkt_size=1452");
            let mut command = with(sending, codec, &["-f", "rtp", &to]);
            command.stdout(Stdio::null());
            command
        });
        let reference = with(program("ffmpeg").unwrap(), "rawvideo", &["-f", "rawvideo", "-"]);
        assert!(frame == output(reference), "{layout} {scan:?} differs");
        assert_eq!(rows, RowNumbering::PerField);
    }
}

#[test]
fn gstreamer() {
    for (format, layout, scan, width) in [
        ("UYVP", PixelFormat::Yuv422p10Rfc4175, Scan::Progressive, 320),
        ("UYVP", PixelFormat::Yuv422p10Rfc4175, Scan::Interlaced, 640),
        ("UYVY", PixelFormat::Uyvy422, Scan::Progressive, 64),
        ("I420", PixelFormat::Yuv420p, Scan::Progressive, 640),
        ("RGB", PixelFormat::Rgb24, Scan::Progressive, 320),
    ] {
        let Some(mut sending) = program("gst-launch-1.0") else { return };
        let mode = match scan {
            Scan::Progressive => "",
            _ => ",interlace-mode=interleaved,field-order=top-field-first",
        };
        let caps = format!(
            "video/x-raw,format={format},width={width},height={HEIGHT},framerate=25/1{mode}"
        );
        let source = ["-q", "videotestsrc", "pattern=snow", "num-buffers=1", "!", &caps, "!"];
        let (frame, rows) = receive(picture(layout, width, scan), layout, |port| {
            sending.args(source).args(["rtpvrawpay", "mtu=1460", "!", "udpsink", "host=127.0.0.1"]);
            sending.arg(format!("port={port}"));
            sending
        });
        let mut reference = program("gst-launch-1.0").unwrap();
        reference.args(source).args(["fdsink", "fd=1"]);
        assert!(frame == output(reference), "{format} {scan:?} differs");
        let interlaced = scan == Scan::Interlaced;
        assert_eq!(
            rows == RowNumbering::PerFrame,
            interlaced,
            "GStreamer numbers within the frame"
        );
    }
}
