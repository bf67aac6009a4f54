//! Uncompressed video from and to others, over the loopback: what FFmpeg and GStreamer send is
//! placed to the last bit, and so is what we send them.

use media::PixelFormat;
use st2110::rtp;
use st2110::video::*;
use std::io::Read;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Few enough lines for a frame to fit the default receive buffer of the kernel, whatever bursts a
/// sender makes.
const HEIGHT: u32 = 48;
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that a test needs; `None`, loudly, where it is not installed.
fn program(name: &str) -> Option<Command> {
    if Command::new(name).arg("--version").output().is_ok() {
        let mut command = Command::new(name);
        command.stdin(Stdio::null());
        return Some(command);
    }
    testkit::skip(name);
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
    Picture::new(WireFormat::of(layout), width, HEIGHT, scan).unwrap()
}

fn output(mut command: Command) -> Vec<u8> {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn from_ffmpeg() {
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
fn from_gstreamer() {
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

/// A frame of noise within the samples' depth.
fn noise(picture: Picture, layout: FrameLayout) -> Vec<u8> {
    let simd = Simd::detect();
    let conversion = Conversion::new(picture, layout, Direction::Receive, simd).unwrap();
    let mut frame = vec![0; conversion.frame_size()];
    let mut state = 1u32;
    let mut octet = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for row in 0..picture.rows() {
        let wire: Vec<_> = (0..picture.row_octets()).map(|_| octet()).collect();
        let segment = Segment { row, first: 0, count: picture.row_pgroups() };
        conversion.unpack(&wire, &mut frame, segment);
    }
    frame
}

/// Sends one frame again and again to a port until the receiver has written three of them, and
/// compares the last one: the first may have begun in the middle.
fn send(
    picture: Picture,
    layout: PixelFormat,
    packing: Packing,
    start: impl FnOnce(u16) -> Command,
) {
    let packetiser =
        Packetiser::new(picture, FrameLayout::Mesh(layout), packing, MAX_UDP_PAYLOAD).unwrap();
    let frame = noise(picture, FrameLayout::Mesh(layout));
    // A port that was free just now.
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut receiver = Sender(start(port).stdout(Stdio::piped()).spawn().unwrap());
    let mut output = receiver.0.stdout.take().unwrap();
    let mut written = vec![0; frame.len() * 3];
    let reader = std::thread::spawn(move || output.read_exact(&mut written).map(|()| written));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let deadline = Instant::now() + PATIENCE;
    let (mut sequence, mut timestamp) = (0xFFF0u32, 0u32);
    let mut datagram = [0; MAX_UDP_PAYLOAD];
    while !reader.is_finished() {
        assert!(Instant::now() < deadline, "{layout} {:?}: no frames", picture.scan());
        for field in picture.fields() {
            let packets = packetiser.packets(*field);
            for index in 0..packets {
                let used = packetiser
                    .write(&frame, *field, index..index + 1, sequence, &mut datagram)
                    .unwrap();
                let header = rtp::Header {
                    marker: index + 1 == packets,
                    payload_type: 96,
                    sequence: sequence as u16,
                    timestamp,
                    ssrc: 1,
                };
                datagram[..RTP_HEADER].copy_from_slice(&header.to_bytes());
                // Nobody may be there yet.
                let _ = socket.send_to(&datagram[..used], ("127.0.0.1", port));
                sequence += 1;
                // The default receive buffer holds about 90 packets, and a frame has more.
                if index % 32 == 31 {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            timestamp = timestamp.wrapping_add(3600 / picture.fields().len() as u32);
        }
        // The frame's own time: receivers take it as they please.
        std::thread::sleep(Duration::from_millis(40));
    }
    let written = reader.join().unwrap().unwrap();
    let last = &written[frame.len() * 2..];
    assert!(last == frame, "{layout} {:?} {packing:?} differs", picture.scan());
}

#[test]
fn to_ffmpeg() {
    let directory = tempfile::tempdir().unwrap();
    for (layout, scan, packing, width) in [
        (PixelFormat::Yuv422p10le, Scan::Progressive, Packing::General, 640),
        (PixelFormat::Yuv422p10le, Scan::Interlaced, Packing::Block, 640),
        (PixelFormat::Yuv422p, Scan::Progressive, Packing::General, 322),
        (PixelFormat::Rgb24, Scan::Progressive, Packing::Block, 640),
    ] {
        let Some(mut command) = program("ffmpeg") else { return };
        let picture = picture(layout, width, scan);
        send(picture, layout, packing, |port| {
            let flags = if scan == Scan::Progressive { "" } else { "; interlace" };
            let WireFormat { sampling, depth } = picture.format();
            let text = format!(
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                 m=video {port} RTP/AVP 96\r\na=rtpmap:96 raw/90000\r\n\
                 a=fmtp:96 sampling={sampling}; depth={depth}; width={width}; height={HEIGHT}; exactframerate=25{flags}\r\n"
            );
            let file = directory.path().join(format!("{port}.sdp"));
            std::fs::write(&file, text).unwrap();
            command.args(["-loglevel", "error", "-protocol_whitelist", "file,udp,rtp"]);
            command.args(["-analyzeduration", "0", "-probesize", "32", "-i"]).arg(file);
            command.args(["-pix_fmt", layout.name(), "-f", "rawvideo", "-"]);
            command
        });
    }
}

#[test]
fn to_gstreamer() {
    for (layout, packing, width) in [
        (PixelFormat::Yuv422p10Rfc4175, Packing::General, 640),
        (PixelFormat::Yuv422p10Rfc4175, Packing::Block, 320),
        (PixelFormat::Uyvy422, Packing::Block, 64),
        (PixelFormat::Yuv420p, Packing::General, 640),
        (PixelFormat::Rgb24, Packing::General, 320),
    ] {
        let Some(mut command) = program("gst-launch-1.0") else { return };
        let picture = picture(layout, width, Scan::Progressive);
        send(picture, layout, packing, |port| {
            let format = picture.format();
            let (sampling, depth) = (format.sampling.name(), format.depth.bits());
            let caps = format!(
                "caps=application/x-rtp,media=video,clock-rate=90000,encoding-name=RAW,payload=96,\
                 sampling=(string){sampling},depth=(string){depth},width=(string){width},\
                 height=(string){HEIGHT}"
            );
            command.args([
                "-q",
                "udpsrc",
                &format!("port={port}"),
                &caps,
                "!",
                "rtpvrawdepay",
                "!",
            ]);
            command.args(["fdsink", "fd=1"]);
            command
        });
    }
}
