//! A recording ends only when its source closes in order, whatever happens to proxies and bridges.

mod common;

use common::{Mesh, Pair, finish};
use mcm_tests::process::Process;
use mcm_tests::wait;
use rustix::process::Signal;
use std::net::UdpSocket;

const SOURCE: &str = "-re -f lavfi -i testsrc2=size=64x64:rate=25:duration";
const FORMAT: &str = "-video_size 64x64 -pixel_format yuv420p";

/// Waits until FFmpeg, started with `-progress pipe:1`, has written so many frames more than now.
#[track_caller]
fn wait_for_more(process: &mut Process, count: u64) {
    let frames = |process: &Process| {
        let output = process.output();
        let frames = output.lines().filter_map(|line| line.strip_prefix("frame=")?.parse().ok());
        frames.max().unwrap_or(0_u64)
    };
    let before = frames(process);
    wait::until(&format!("{count} frames"), || {
        assert!(!process.has_ended(), "{}", process.output());
        frames(process) >= before + count
    });
}

/// Sums of the pictures in a file.
fn pictures(mesh: &Mesh, file: &str) -> Vec<String> {
    let sum = |line: &String| line.rsplit(',').next().expect("a sum").trim().to_owned();
    mesh.sums(file).iter().map(sum).collect()
}

/// The recording has the last picture of the source, and nothing that is not of it, in order.
#[track_caller]
fn is_recorded_to_its_end(mesh: &Mesh, seconds: u32, format: &str) {
    let source = SOURCE.trim_start_matches("-re ");
    mesh.plain(&format!("{source}={seconds} {format} -f framemd5 direct"));
    let (got, direct) = (pictures(mesh, "got"), pictures(mesh, "direct"));
    assert_eq!(got.last(), direct.last(), "{} of {} frames", got.len(), direct.len());
    let mut rest = direct.iter();
    assert!(got.iter().all(|sum| rest.any(|other| other == sum)), "out of order");
}

/// The proxies of both hosts are restarted while one host records what the other one sends.
#[test]
fn a_recording_outlives_the_proxies_of_both_hosts() {
    let Some(mut pair) = Pair::new() else { return };
    let input = format!("-progress pipe:1 -f mcm {FORMAT} -i studio");
    let receiver = format!("{input} -fps_mode passthrough -f framemd5 got");
    let mut receiver = pair.b.start("receiver", &receiver);
    pair.b.wait_for_receivers("studio", 1);
    let source = pair.a.start("source", &format!("{SOURCE}=14 -f mcm -wait_receivers 1 studio"));
    wait_for_more(&mut receiver, 10);
    pair.a.restart_proxy(Signal::TERM);
    wait_for_more(&mut receiver, 25);
    pair.b.restart_proxy(Signal::TERM);
    wait_for_more(&mut receiver, 25);
    finish(source);
    finish(receiver);
    is_recorded_to_its_end(&pair.b, 14, "-pix_fmt yuv420p");
}

fn network_input(port: u16) -> String {
    format!(
        "-conn_type st2110 -ip_addr 127.0.0.1 -port {port} -payload_type 96 -video_size 64x64 \
         -pixel_format uyvy422 -frame_rate 25"
    )
}

fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.local_addr().expect("its address").port()
}

/// A receiver waits for a stream of the network, and a program beside it begins to send to that
/// address.
#[test]
fn a_bridge_that_makes_way_for_a_sender_is_no_end() {
    let mut mesh = Mesh::on_loopback();
    let port = free_port();
    let group = format!("127.0.0.1:{port}");
    let input = network_input(port);
    let receiver = mesh
        .start("receiver", &format!("-f mcm {input} -i - -fps_mode passthrough -f framemd5 got"));
    mesh.wait_for_source(&group);
    mesh.wait_for_receivers(&group, 1);
    let source = format!(
        "{SOURCE}=1 -pix_fmt uyvy422 -f mcm -conn_type st2110 -ip_addr 127.0.0.1 -port {port} -payload_type 96 -"
    );
    finish(mesh.start("source", &source));
    finish(receiver);
    assert_eq!(mesh.sums("got").len(), 25);
    is_recorded_to_its_end(&mesh, 1, "-pix_fmt uyvy422");
}

/// The proxy that brings a stream of the network in is restarted, as in an upgrade.
#[test]
fn a_restart_of_the_proxy_is_no_end_of_a_stream_from_the_network() {
    let (mut here, mut there) = (Mesh::on_loopback(), Mesh::on_loopback());
    let port = free_port();
    let input = network_input(port);
    let receiver = format!(
        "-progress pipe:1 -f mcm {input} -i - -frames:v 100 -fps_mode passthrough -f framemd5 got"
    );
    let mut receiver = there.start("receiver", &receiver);
    let group = format!("127.0.0.1:{port}");
    there.wait_for_source(&group);
    let source = format!(
        "{SOURCE}=600 -pix_fmt uyvy422 -f mcm -conn_type st2110 -ip_addr 127.0.0.1 -port {port} -payload_type 96 -"
    );
    let mut source = here.start("source", &source);
    here.wait_for_source(&group);
    wait_for_more(&mut receiver, 10);
    there.restart_proxy(Signal::TERM);
    finish(receiver);
    assert_eq!(there.sums("got").len(), 100);
    source.kill();
}

/// An operator's deletion is an error, and not the end of a file.
#[test]
fn a_receiver_that_an_operator_ends_says_so() {
    let mut mesh = Mesh::new();
    let input = format!("-xerror -progress pipe:1 -f mcm {FORMAT} -i camera -f null -");
    let mut receiver = mesh.start("receiver", &input);
    mesh.wait_for_receivers("camera", 1);
    let mut source = mesh.start("source", &format!("{SOURCE}=600 -f mcm camera"));
    wait_for_more(&mut receiver, 3);
    let id = mesh.group("camera").expect("the group").receivers[0].conn_id.clone();
    mesh.control.delete(&id).expect("the receiver is ended");
    let status = receiver.wait();
    let output = receiver.output();
    assert!(!status.success() && output.contains("closed by the media proxy"), "{output}");
    source.kill();
}
