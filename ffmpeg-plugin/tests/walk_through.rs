//! The walk-through of docs/st2110.md exactly as printed: two hosts, one of them with the mesh.

mod common;

use common::{Hosts, Mesh, said};
use mcm_tests::drops::{undisturbed, whole};
use mcm_tests::process::Process;
use mcm_tests::{program, wait};
use std::path::Path;
use std::process::Command;

/// Frames that each command asks for, but for the first one: programs without the mesh show the one
/// that is under way when they join.
const FRAMES: usize = 49;
/// Of two seconds, which FFmpeg counts from the first to the last time: a machine that is busy adds
/// pauses to a source whose times are those of arrival.
const SAMPLES: usize = 3 * 48_000 / 2;

/// Blocks of the walk-through.
fn blocks() -> Vec<&'static str> {
    let document = include_str!("../../docs/st2110.md");
    let (_, section) = document.split_once("\n## Walk-through\n").expect("the walk-through");
    let section = section.split("\n## ").next().expect("its end");
    section.split("```sh\n").skip(1).filter_map(|block| block.split("```").next()).collect()
}

/// Commands of a block, each with the host that it runs on: 1 has the mesh.
fn commands(block: &'static str) -> Vec<(usize, &'static str)> {
    let mut host = 0;
    let mut commands = Vec::new();
    for line in block.lines() {
        match line {
            "# on the host of the mesh" => host = 1,
            "# on the other host" => host = 2,
            command => commands.push((host, command)),
        }
    }
    commands
}

/// A shell command on a host, in the folder that both share, as if a description had been sent by
/// mail.
fn pasted(hosts: &Hosts, host: usize, command: &str) -> Command {
    let mesh = &hosts.a;
    let mut shell = hosts.net.command(host, "sh");
    let path = std::env::var("PATH").unwrap_or_default();
    shell.env("PATH", format!("{}:{path}", mesh.file("bin").display()));
    shell.env("MCM_RUN_DIR", mesh.run.path()).current_dir(mesh.run.outside());
    // What would ask is answered, and a signal reaches the program itself.
    let command = command.replacen("ffmpeg ", "ffmpeg -nostdin -y ", 1);
    let exec = if command.contains('>') { "" } else { "exec " };
    shell.arg("-c").arg(format!("{exec}{command}"));
    shell
}

/// Runs a block: what ends in `&` goes on in the background until the others are done. Returns what
/// these have said.
fn run(hosts: &mut Hosts, block: &'static str) -> String {
    let commands = commands(block);
    assert!(commands.len() >= 2, "{block}");
    let mut background: Vec<Process> = Vec::new();
    let mut all = String::new();
    for (host, command) in commands {
        if let Some(command) = command.strip_suffix(" &") {
            background.push(Process::start("sender", pasted(hosts, host, command), |_| false));
            sender_is_there(hosts, command);
            continue;
        }
        let (success, text) = said(pasted(hosts, host, command));
        let senders: String = background.iter().map(Process::output).collect();
        assert!(success, "{command}\n{text}\n{senders}");
        all += &text;
    }
    background.iter_mut().for_each(Process::kill);
    all
}

/// Waits for what the next command needs of a sender.
fn sender_is_there(hosts: &mut Hosts, command: &str) {
    let after =
        |option: &str| command.split(option).nth(1).and_then(|it| it.split_whitespace().next());
    if let Some(sdp) = after("-sdp_file ") {
        let path = hosts.a.file(sdp);
        wait::until("the description", || {
            std::fs::read_to_string(&path).is_ok_and(|text| text.contains("a=rtpmap"))
        });
    }
    if let (Some(address), Some(port)) = (after("-ip_addr "), after("-port ")) {
        hosts.a.wait_for_source(&format!("{address}:{port}"));
    }
}

/// Checksums of the frames of an input of FFmpeg.
fn pictures(mesh: &Mesh, input: &str) -> Vec<String> {
    mesh.plain(&format!("{input} -pix_fmt yuv422p10le -fps_mode passthrough -f framemd5 sums"));
    let sum = |line: String| line.rsplit(',').next().map(|sum| sum.trim().to_owned());
    mesh.sums("sums").into_iter().filter_map(sum).collect()
}

/// Frames of a test source, of which some may be missing where the machine was too slow for them,
/// and none is another.
fn check_pictures(mesh: &Mesh, got: &[String], moving: bool) -> Result<(), String> {
    let got = &got[1.min(got.len())..];
    if got.len() < FRAMES {
        return Err(format!("{} frames", got.len()));
    }
    if !moving {
        // Each is the same, and none is black.
        let black = pictures(mesh, "-f lavfi -i color=size=320x180:rate=25:duration=0.04");
        let good = got.iter().all(|sum| *sum == got[0] && *sum != black[0]);
        return if good { Ok(()) } else { Err(format!("{got:?}")) };
    }
    let sent = pictures(mesh, "-f lavfi -i testsrc2=size=320x180:rate=25:duration=60");
    let mut rest = sent.iter();
    match got.iter().position(|sum| !rest.any(|other| other == sum)) {
        Some(index) => Err(format!("frame {index} was not sent, or earlier")),
        None => Ok(()),
    }
}

/// Both channels of a tone of 440 Hz: silence, noise and lost packets cross zero at other times.
fn check_sound(mesh: &Mesh) -> Result<(), String> {
    mesh.plain("-i got.wav -f s16le sound");
    let bytes = std::fs::read(mesh.file("sound")).expect("the sound");
    let samples: Vec<i16> =
        bytes.chunks_exact(2).map(|it| i16::from_le_bytes([it[0], it[1]])).collect();
    if samples.len() < 2 * SAMPLES {
        return Err(format!("{} samples", samples.len()));
    }
    for channel in 0..2 {
        let one: Vec<i16> = samples.iter().skip(channel).step_by(2).copied().collect();
        let up: Vec<usize> = (1..one.len()).filter(|&at| one[at - 1] < 0 && one[at] >= 0).collect();
        // 109.09 samples a period.
        let odd = up.windows(2).filter(|it| !(108..=110).contains(&(it[1] - it[0]))).count();
        if odd > 0 {
            return Err(format!("{} periods, {odd} of another length", up.len()));
        }
    }
    Ok(())
}

fn check(mesh: &Mesh, block: &str) -> Result<(), String> {
    if block.contains("raw.uyvp") {
        let frame = 320 * 180 * 5 / 2;
        let bytes = std::fs::read(mesh.file("raw.uyvp")).expect("frames");
        let whole = &bytes[..bytes.len() / frame * frame];
        std::fs::write(mesh.file("raw.planar"), unpacked(whole)).expect("a file");
        let raw = "-f rawvideo -video_size 320x180 -pixel_format yuv422p10le -framerate 25";
        check_pictures(mesh, &pictures(mesh, &format!("{raw} -i raw.planar")), true)
    } else if block.contains("got.mkv") {
        check_pictures(mesh, &pictures(mesh, "-i got.mkv"), block.contains("testsrc2"))
    } else {
        check_sound(mesh)
    }
}

/// Pgroups of RFC 4175, 4:2:2 with 10 bits, as planes.
fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for frame in packed.chunks_exact(320 * 180 * 5 / 2) {
        let mut planes = [const { Vec::new() }; 3];
        for group in frame.chunks_exact(5) {
            let bits = group.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            for (plane, shift) in [(1, 30), (0, 20), (2, 10), (0, 0)] {
                planes[plane].extend(((bits >> shift & 0x3FF) as u16).to_le_bytes());
            }
        }
        all.extend(planes.concat());
    }
    all
}

#[test]
fn every_block_does_what_it_says() {
    let blocks = blocks();
    assert_eq!(blocks.len(), 8, "video and audio, to and from FFmpeg and GStreamer");
    Hosts::test(|hosts| {
        // The proxy of a test has another port than a proxy that is alone on its host.
        let mcm = format!(
            "#!/bin/sh\nexec {} \"$@\" -s 127.0.0.1:{}\n",
            program::mcm().display(),
            hosts.a.proxy.grpc_port
        );
        executable(&hosts.a.file("bin/mcm"), &mcm);
        let net = std::sync::Arc::clone(&hosts.net);
        for block in &blocks {
            undisturbed(&*net, block, || {
                for file in ["got.mkv", "got.wav", "raw.uyvp"] {
                    let _ = std::fs::remove_file(hosts.a.file(file));
                }
                let said = run(hosts, block);
                whole(check(&hosts.a, block).map_err(|reason| format!("{reason}\n{said}")));
            });
        }
    });
}

fn executable(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).expect("a program");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("its mode");
}
