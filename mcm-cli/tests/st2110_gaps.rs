//! What `mcm st2110` does with frames of which something is missing, and with ancillary data beside
//! video.

mod common;

use common::{Place, free_port, mcm, noise, run, text, wait_for_port};
use media::PixelFormat;
use st2110::ancillary::{Packet, write_block};
use st2110::rtp;
use st2110::video::{FrameLayout, MAX_UDP_PAYLOAD, Packetiser, Packing, Picture, Scan, WireFormat};
use std::net::UdpSocket;

const FRAME: usize = 64 * 36 * 2;
const VIDEO: &str =
    r#"{"video": {"width": 64, "height": 36, "fps": 25, "pixelFormat": "uyvy422"}}"#;

/// The packets of so many frames.
fn packets(frames: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let format = PixelFormat::Uyvy422;
    let picture = Picture::new(WireFormat::of(format), 64, 36, Scan::Progressive).unwrap();
    let layout = FrameLayout::Mesh(format);
    let packetiser = Packetiser::new(picture, layout, Packing::General, MAX_UDP_PAYLOAD).unwrap();
    let field = picture.fields()[0];
    let count = packetiser.packets(field);
    let packet = |number: usize, frame: &[u8], index: usize| {
        let sequence = (number * count + index) as u32;
        let mut datagram = vec![0; MAX_UDP_PAYLOAD];
        let part = index..index + 1;
        let used = packetiser.write(frame, field, part, sequence, &mut datagram).unwrap();
        let header = rtp::Header {
            marker: index + 1 == count,
            payload_type: 96,
            sequence: sequence as u16,
            timestamp: 3600 * number as u32,
            ssrc: 5,
        };
        let header = header.to_bytes();
        datagram[..header.len()].copy_from_slice(&header);
        datagram.truncate(used);
        datagram
    };
    let frames = frames.chunks_exact(FRAME).enumerate();
    frames.map(|(number, frame)| (0..count).map(|it| packet(number, frame, it)).collect()).collect()
}

/// Receives five frames: the last packet of the first, the second and third, the fourth without its
/// first packet, the fifth. Returns what is in the file, and what the command said.
fn receive(name: &str, options: &[&str], frames: &str) -> (Vec<u8>, String) {
    let place = Place::new(name);
    let port = free_port();
    let config = format!(
        r#"{{"connection": {{"st2110": {{"ipAddr": "127.0.0.1", "port": {port}, "payloadType": 96}}}}, "payload": {VIDEO}}}"#
    );
    let config = place.file("connection.json", config.as_bytes());
    let output = place.0.join("out");
    let output = output.to_str().unwrap();
    let arguments = [&["st2110", "recv", "-n", frames, "-t", "60"], options, &[&config, output]];
    let mut receiver = mcm(&arguments.concat()).spawn().unwrap();
    wait_for_port(&mut receiver, port);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let frames = packets(&noise(FRAME * 5));
    let count = frames[0].len();
    for (number, frame) in frames.iter().enumerate() {
        for (index, packet) in frame.iter().enumerate() {
            if (number == 0 && index + 1 < count) || (number == 3 && index == 0) {
                continue;
            }
            socket.send_to(packet, ("127.0.0.1", port)).unwrap();
        }
    }
    let received = receiver.wait_with_output().unwrap();
    let said = text(&received.stderr);
    assert!(received.status.success(), "{said}");
    (std::fs::read(output).unwrap(), said)
}

#[test]
fn a_frame_that_was_under_way_is_left_out_and_frames_with_gaps_are_named() {
    let sent = noise(FRAME * 5);
    let (file, said) = receive("gaps", &[], "4");
    assert_eq!(file.len(), FRAME * 4);
    assert!(file[..FRAME * 2] == sent[FRAME..FRAME * 3], "{said}");
    assert!(file[FRAME * 2..FRAME * 3] != sent[FRAME * 3..FRAME * 4], "{said}");
    assert!(file[FRAME * 3..] == sent[FRAME * 4..], "{said}");
    assert!(said.contains("gaps in frame 2\n"), "{said}");
    assert!(said.contains("received 4 frames, 1 of them with gaps"), "{said}");
    assert!(said.contains("1 because it had begun before"), "{said}");
}

#[test]
fn frames_with_gaps_may_be_dropped() {
    let sent = noise(FRAME * 5);
    let (file, said) = receive("drop", &["--incomplete", "drop"], "3");
    assert!(file == [&sent[FRAME..FRAME * 3], &sent[FRAME * 4..]].concat(), "{said}");
    assert!(said.contains("received 3 frames, 0 of them with gaps"), "{said}");
    assert!(!said.contains("warning: gaps"), "{said}");
}

#[test]
fn ancillary_data_ride_with_video_there_and_back() {
    const FRAMES: u8 = 5;
    let place = Place::new("riding");
    let (port, beside) = (free_port(), free_port());
    let config = format!(
        r#"{{"connection": {{"st2110": {{"ipAddr": "127.0.0.1", "port": {port}, "pacing": "wide",
            "ancillary": {{"port": {beside}}}}}}}, "maxMetadataSize": 1000, "payload": {VIDEO}}}"#
    );
    let config = place.file("connection.json", config.as_bytes());
    let pixels = noise(FRAME * usize::from(FRAMES));
    let mut blocks = Vec::new();
    for number in 0..FRAMES {
        let packets: Vec<_> =
            (0..number).map(|did| Packet::new(did + 1, number, &[number; 20])).collect();
        let mut block = vec![0; 1000];
        let len = write_block([&packets, &[]], &mut block).unwrap();
        blocks.extend((len as u32).to_be_bytes());
        blocks.extend(&block[..len]);
    }
    let [pixels_in, blocks_in] =
        [("in", &pixels), ("in.anc", &blocks)].map(|it| place.file(it.0, it.1));
    let [pixels_out, blocks_out] =
        ["out", "out.anc"].map(|name| place.0.join(name).to_str().unwrap().to_owned());
    let count = FRAMES.to_string();
    let receive = ["st2110", "recv", "-n", &count, "-t", "60", "--ancillary", &blocks_out];
    let mut receiver = mcm(&[&receive[..], &[&config, &pixels_out]].concat()).spawn().unwrap();
    wait_for_port(&mut receiver, port);
    wait_for_port(&mut receiver, beside);
    let sent = run(&["st2110", "send", "--ancillary", &blocks_in, &config, &pixels_in]);
    assert!(sent.status.success(), "{}", text(&sent.stderr));
    let received = receiver.wait_with_output().unwrap();
    let said = text(&received.stderr);
    assert!(received.status.success(), "{said}");
    assert!(std::fs::read(pixels_out).unwrap() == pixels, "other pixels: {said}");
    assert!(std::fs::read(blocks_out).unwrap() == blocks, "other blocks: {said}");
    assert!(said.contains("ancillary data: 5 packets, 0 lost"), "{said}");

    for (arguments, reason) in [
        (["st2110", "recv", &config, "/dev/null"], "a file of their own: --ancillary FILE"),
        (["st2110", "send", &config, "/dev/null"], "a file of their own: --ancillary FILE"),
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(reason), "{}", text(&output.stderr));
    }
}
