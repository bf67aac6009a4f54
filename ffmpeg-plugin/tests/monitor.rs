//! mpv as a monitor, without a screen.

mod common;

use common::{Mesh, PATIENT};
use mcm_tests::process::Process;
use mcm_tests::wait;
use std::process::Command;

/// Needs the package mpv, which users of the plugin do not need.
#[test]
fn mpv_shows_a_group() {
    if Command::new("mpv").arg("--version").output().is_err() {
        mcm_tests::skip("mpv");
        return;
    }
    let mut mesh = Mesh::new();
    let mut video = mesh.start(
        "video",
        &format!(
            "-re -f lavfi -i testsrc2=size=96x64:rate=25 -pix_fmt yuv420p -f mcm {PATIENT} film"
        ),
    );
    let mut audio = mesh
        .start("audio", &format!("-re -f lavfi -i sine -ar 48000 -f mcm_audio {PATIENT} sound"));
    mesh.wait_for_source("film");
    mesh.wait_for_source("sound");
    for (device, group, options) in [
        ("mcm", "film", "--demuxer-lavf-o=delivery=live --frames=10"),
        ("mcm_audio", "sound", "--length=0.2"),
    ] {
        let mut command = mesh.wrapper("mcm-mpv", "");
        command.args([
            "--no-config",
            "--vo=null",
            "--ao=null",
            "--profile=low-latency",
            "--untimed",
        ]);
        command.args(options.split(' ')).arg(format!("av://{device}:{group}"));
        let mut mpv = Process::start("mpv", command, |_| false);
        wait::until("mpv is a receiver", || {
            let group = mesh.control.group(group);
            group.is_some_and(|it| it.receivers.iter().any(|it| it.program == "mpv"))
                || mpv.has_ended()
        });
        assert!(mpv.wait().success(), "{}", mpv.output());
        assert!(mpv.output().contains("Exiting... (End of file)"), "{}", mpv.output());
    }
    video.kill();
    audio.kill();
}
