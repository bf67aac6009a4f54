//! A device that waits logs the reason once; an output that waits for receivers lets other outputs
//! open.

mod common;

use common::{Mesh, PATIENT, finish, said};
use mcm_tests::process::Process;
use mcm_tests::wait;

const SINE: &str = "-f lavfi -i sine=sample_rate=48000";

/// Waits for a line, and that it stands there once.
fn says_once(process: &Process, line: &str) {
    wait::until(line, || process.output().contains(line));
    assert_eq!(process.output().matches(line).count(), 1, "{}", process.output());
}

/// Inputs that are told nothing are joined one after the other. The film's sound comes first in the
/// file, and its pictures late: the decoder keeps some.
#[test]
fn video_and_sound_wait_for_receivers_that_are_told_nothing() {
    let mut mesh = Mesh::new();
    mesh.plain(
        "-f lavfi -i testsrc2=size=640x360:rate=25:duration=5 -f lavfi -i sine=sample_rate=48000:duration=5 \
         -map 1 -map 0 -c:v libx264 -preset medium -bf 8 -c:a aac film.mp4",
    );
    mesh.plain("-i film.mp4 -map 0:v -pix_fmt yuv422p10le -f framemd5 direct.v");
    mesh.plain("-i film.mp4 -map 0:a -ac 2 -c:a pcm_s24le -f md5 direct.a");
    let send = |film: &str, sound: &str| {
        format!(
            "-i film.mp4 -map 0:v -pix_fmt yuv422p10le -f mcm -wait_receivers 1 {PATIENT} {film} \
             -map 0:a -ar 48000 -ac 2 -f mcm_audio_pcm24 -wait_receivers 1 {PATIENT} {sound}"
        )
    };
    let receive = |film: &str, sound: &str, number: u32| {
        let [video, audio] = [format!("-f mcm -i {film}"), format!("-f mcm_audio -i {sound}")];
        let outputs = |v: u32, a: u32| {
            format!("-map {v} -f framemd5 {number}.v -map {a} -c:a pcm_s24le -f md5 {number}.a")
        };
        match number % 2 {
            0 => format!("{video} {audio} {}", outputs(0, 1)),
            _ => format!("{audio} {video} {}", outputs(1, 0)),
        }
    };
    for number in 0..4 {
        let (film, sound) = (format!("film-{number}"), format!("sound-{number}"));
        let mut running = Vec::new();
        if number >= 2 {
            running.push(mesh.start("other", &send(&film, &sound)));
            mesh.wait_for_source(&sound);
        }
        running.push(mesh.start("one", &receive(&film, &sound, number)));
        if number < 2 {
            running.push(mesh.start("other", &send(&film, &sound)));
        }
        running.into_iter().for_each(finish);
        assert_eq!(mesh.sums(&format!("{number}.v")), mesh.sums("direct.v"), "{number}");
        assert_eq!(mesh.sums(&format!("{number}.a")), mesh.sums("direct.a"), "{number}");
    }
}

#[test]
fn a_wait_is_told_once() {
    let mut mesh = Mesh::new();
    let mut asking = mesh.start("asking", "-f mcm -i nowhere -f null -");
    let mut early = mesh.start("early", "-f mcm -video_size 64x64 -i early -f null -");
    let source = "-f lavfi -i testsrc2=size=64x64:duration=1 -pix_fmt yuv420p -f mcm";
    let mut alone = mesh.start("alone", &format!("{source} -wait_receivers 2 alone"));
    mesh.wait_for_source("alone");
    let mut first = mesh.start("first", "-f mcm -i alone -f null -");
    says_once(&asking, "waiting for group \"nowhere\"");
    says_once(&early, "waiting for a source of group \"early\"");
    says_once(&alone, "waiting for 1 receiver of group \"alone\"");
    says_once(&first, "waiting for frames of group \"alone\": its source sends none");
    for process in [&mut asking, &mut early, &mut alone, &mut first] {
        process.kill();
    }
}

#[test]
fn a_stream_of_which_nothing_comes_is_named() {
    let mesh = Mesh::on_loopback();
    let stream = "-conn_type st2110 -ip_addr 127.0.0.1 -port 20030";
    let mut receiver =
        mesh.start("receiver", &format!("-f mcm {stream} -video_size 64x64 -i - -f null -"));
    says_once(&receiver, "waiting for packets of ST 2110 stream 127.0.0.1:20030");
    receiver.kill();
}

#[test]
fn a_source_whose_receivers_do_not_come_in_time_fails() {
    let mesh = Mesh::new();
    for (output, group) in [
        ("-f lavfi -i testsrc2=size=64x64 -pix_fmt yuv420p -f mcm", "pictures"),
        (&format!("{SINE} -f mcm_audio"), "sound"),
    ] {
        let (success, text) =
            mesh.output(&format!("{output} -wait_receivers 2 -wait_timeout 300 {group}"));
        let line = format!("waited 300 ms for 2 receivers of group \"{group}\" (-wait_timeout)");
        assert!(!success && text.contains(&line), "{text}");
    }
}

/// All of a short clip is held back when FFmpeg is done with it.
#[test]
fn a_short_clip_waits_for_its_receivers_at_its_end() {
    let mut mesh = Mesh::new();
    let source = "-f lavfi -i testsrc2=size=64x64:rate=25:duration=1 -pix_fmt yuv420p";
    mesh.plain(&format!("{source} -f framemd5 direct"));
    let sender = mesh.start("sender", &format!("{source} -f mcm -wait_receivers 1 {PATIENT} clip"));
    wait::until("FFmpeg is done", || sender.output().contains("waiting for 1 receiver of group"));
    let (success, text) =
        said(mesh.wrapper("mcm-ffmpeg", "-v error -nostdin -y -f mcm -i clip -f framemd5 got"));
    assert!(success, "{text}");
    finish(sender);
    assert_eq!(mesh.sums("got"), mesh.sums("direct"));
    let mut sender =
        mesh.start("sender", &format!("{source} -f mcm -wait_receivers 1 {PATIENT} never"));
    mesh.wait_for_source("never");
    sender.signal(rustix::process::Signal::INT);
    sender.wait();
}
