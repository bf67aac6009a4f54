//! ST 2110 streams: frames that arrive, and frames that are lost.

mod common;

use common::{Mesh, finish};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// A free port of the loopback interface.
fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.local_addr().expect("its address").port()
}

/// Takes packets until told to stop, and sends them on but for those that are left out: frame, and
/// packet of that frame.
fn relay(from: &UdpSocket, to: u16, left_out: &[(u32, u32)], stop: &AtomicBool) {
    from.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    let mut packet = [0; 2048];
    let mut place = (0, 0);
    while !stop.load(Relaxed) {
        let Ok(len) = from.recv(&mut packet) else { continue };
        if !left_out.contains(&place) {
            from.send_to(&packet[..len], ("127.0.0.1", to)).expect("the packet sent on");
        }
        // The marker bit stands in the last packet of a frame (RFC 4175 §4.1).
        place = if packet[1] & 0x80 != 0 { (place.0 + 1, 0) } else { (place.0, place.1 + 1) };
    }
}

const SOURCE: &str = "-re -f lavfi -i testsrc2=size=160x90:rate=25:duration=2";
const FRAMES: usize = 30;

#[test]
fn incomplete_frames_are_marked_as_corrupt() {
    let mut mesh = Mesh::on_loopback();
    let port = free_port();
    let between = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    // A buffer for all packets, even if the test does not read for a while.
    rustix::net::sockopt::set_socket_recv_buffer_size(&between, 4 << 20).expect("a larger buffer");
    let group = format!("127.0.0.1:{port}");
    let input = format!(
        "-f mcm -conn_type st2110 -ip_addr 127.0.0.1 -port {port} -payload_type 96 \
         -video_size 160x90 -pixel_format uyvy422 -frame_rate 25 -i -"
    );
    let all = mesh
        .start("all", &format!("{input} -frames:v {FRAMES} -fps_mode passthrough -f framemd5 all"));
    let good = format!(
        "-fflags +discardcorrupt {input} -frames:v {FRAMES} -fps_mode passthrough -f framemd5 good"
    );
    let good = mesh.start("good", &good);
    mesh.wait_for_source(&group);
    mesh.wait_for_receivers(&group, 2);

    let stop = AtomicBool::new(false);
    let left_out = [(3, 11), (10, 7)];
    std::thread::scope(|scope| {
        scope.spawn(|| relay(&between, port, &left_out, &stop));
        let to = between.local_addr().expect("an address").port();
        mesh.plain(&format!(
            "{SOURCE} -pix_fmt uyvy422 -c:v rawvideo -f rtp -sdp_file sdp rtp://127.0.0.1:{to}?pkt_size=1452"
        ));
        stop.store(true, Relaxed);
    });
    for mut receiver in [all, good] {
        let status = receiver.wait();
        let output = receiver.output();
        assert!(status.success(), "{status}: {output}");
        assert_eq!(output.matches("Packet corrupt").count(), 2, "{output}");
    }
    let pictures = |file: &str| -> Vec<String> {
        let sum = |line: &String| line.rsplit(',').next().expect("a sum").trim().to_owned();
        mesh.sums(file).iter().map(sum).collect()
    };
    mesh.plain(&format!("{} -pix_fmt uyvy422 -f framemd5 sent", SOURCE.trim_start_matches("-re ")));
    let (all, good, sent) = (pictures("all"), pictures("good"), pictures("sent"));
    assert_eq!((all.len(), good.len()), (FRAMES, FRAMES));
    let differ: Vec<_> = (0..FRAMES).filter(|&index| all[index] != sent[index]).collect();
    assert_eq!(differ, [3, 10]);
    let mut complete = sent.clone();
    complete.remove(10);
    complete.remove(3);
    assert_eq!(good, complete[..FRAMES]);
}

/// The proxies are those of two hosts, whose network is the loopback interface.
fn crosses(pixel_format: &str, sending: &str, receiving: &str) {
    let (mut here, mut there) = (Mesh::on_loopback(), Mesh::on_loopback());
    let [port, second] = [free_port(), free_port()];
    let group = format!("127.0.0.1:{port}");
    let fill =
        |text: &str| text.replace("PORT", &port.to_string()).replace("SECOND", &second.to_string());
    let frames = format!("-frames:v {FRAMES} -fps_mode passthrough");
    let receive = |there: &mut Mesh, stream: &str| {
        let input = format!(
            "-f mcm -conn_type st2110 {stream} -video_size 160x90 -pixel_format {pixel_format} -frame_rate 25 -i -"
        );
        let receiver = there.start("receiver", &format!("{input} {frames} -f framemd5 got"));
        there.wait_for_source(&group);
        receiver
    };
    let receiver = receive(&mut there, &fill(receiving));
    let source =
        format!("{SOURCE} -pix_fmt {pixel_format} -f mcm -conn_type st2110 {} -", fill(sending));
    let source = here.start("source", &source);
    here.wait_for_source(&group);
    finish(receiver);
    finish(source);
    here.plain(&format!(
        "{} {frames} -pix_fmt {pixel_format} -f framemd5 sent",
        SOURCE.trim_start_matches("-re ")
    ));
    let sum = |line: String| line.rsplit(',').next().map(|sum| sum.trim().to_owned());
    let sums =
        |mesh: &Mesh, file: &str| mesh.sums(file).into_iter().filter_map(sum).collect::<Vec<_>>();
    assert_eq!(sums(&there, "got"), sums(&here, "sent"));
}

#[test]
fn rgb_crosses_the_network() {
    let stream = "-ip_addr 127.0.0.1 -port PORT";
    crosses("rgb24", stream, stream);
}

/// Frames have no more bits than before, and none of those is lost on the way.
#[test]
fn twelve_bits_cross_the_network() {
    let stream = "-ip_addr 127.0.0.1 -port PORT -sampling YCbCr-4:2:2 -depth 12";
    crosses("yuv422p10le", stream, stream);
}

#[test]
fn fields_cross_the_network() {
    let stream = "-ip_addr 127.0.0.1 -port PORT -scan interlaced -packing bpm -pacing linear";
    crosses("uyvy422", stream, stream);
}

#[test]
fn incomplete_audio_is_marked_or_left_out() {
    let mut mesh = Mesh::on_loopback();
    let port = free_port();
    let between = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let group = format!("127.0.0.1:{port}");
    let input = |incomplete: &str| {
        format!(
            "-f mcm_audio_pcm16 -conn_type st2110 -ip_addr 127.0.0.1 -port {port} -payload_type 97 \
             -buf_queue_cap 64 {incomplete} -i - -t 1 -c:a pcm_s16be -f s16be"
        )
    };
    for (name, incomplete, corrupt) in
        [("marked", "", true), ("left-out", "-incomplete_frames drop", false)]
    {
        let receiver = mesh.start(name, &format!("{} {name}", input(incomplete)));
        mesh.wait_for_source(&group);
        mesh.wait_for_receivers(&group, 1);
        let stop = AtomicBool::new(false);
        let mut receiver = std::thread::scope(|scope| {
            // A marker bit, which the first packet may have, begins the count anew.
            scope.spawn(|| relay(&between, port, &[(0, 20), (1, 20)], &stop));
            let to = between.local_addr().expect("an address").port();
            mesh.plain(&format!(
                "-re -f lavfi -i sine=sample_rate=48000:duration=2 -ac 2 -c:a pcm_s16be -payload_type 97 \
                 -f rtp -sdp_file sdp rtp://127.0.0.1:{to}?pkt_size=1000"
            ));
            stop.store(true, Relaxed);
            receiver
        });
        let status = receiver.wait();
        let output = receiver.output();
        assert!(status.success(), "{status}: {output}");
        assert_eq!(output.contains("Packet corrupt"), corrupt, "{name}: {output}");
    }
}

#[test]
fn two_paths_cross_the_network() {
    let stream = "-ip_addr 127.0.0.1 -port PORT -second_ip_addr 127.0.0.1 -second_port SECOND";
    crosses("yuv422p10le", stream, stream);
}
