//! Video and audio of one command are in sync: a flash and a beep once a second, measured in the
//! file that two devices filled.

mod common;

use common::{Mesh, PATIENT, finish};

const SECONDS: usize = 6;
const RATE: f64 = 25.0;
const SAMPLES: f64 = 48000.0;

/// Bright in the first frame of each second.
fn flashes() -> String {
    format!(
        "-f lavfi -i color=black:size=64x64:rate=25:duration={SECONDS},drawbox=c=white:t=fill:enable='lt(mod(t,1),0.03)'"
    )
}

/// Loud in the first 40 ms of each second.
fn beeps() -> String {
    format!("-f lavfi -i aevalsrc='if(lt(mod(t,1),0.04),0.9,0)':s=48000:d={SECONDS}")
}

/// Times of all packets of a stream, in seconds.
fn times(mesh: &Mesh, file: &str, stream: &str) -> Vec<f64> {
    let mut probe = std::process::Command::new("ffprobe");
    let arguments =
        format!("-v error -select_streams {stream} -show_entries packet=pts_time -of csv=p=0");
    probe.args(arguments.split(' ')).arg(mesh.file(file));
    let (success, text) = common::said(probe);
    assert!(success, "{text}");
    let time = |line: &str| line.trim_end_matches(',').parse().expect("a time");
    text.lines().map(time).collect()
}

/// Times at which a signal begins.
fn onsets(loud: impl Iterator<Item = bool>) -> Vec<usize> {
    let mut before = false;
    let mut found = Vec::new();
    for (index, now) in loud.enumerate() {
        if now && !before {
            found.push(index);
        }
        before = now;
    }
    found
}

#[test]
fn a_flash_and_its_beep_come_at_the_same_time() {
    let mut mesh = Mesh::new();
    for first in ["receiver", "source"] {
        let (v, a) = (format!("v-{first}"), format!("a-{first}"));
        let receive = format!(
            "-f mcm -video_size 64x64 -pixel_format gray -i {v} -f mcm_audio_pcm16 -channels 1 -i {a} -map 0 -map 1 -c copy both.nut"
        );
        let send = format!(
            "{} {} -map 0 -pix_fmt gray -f mcm -wait_receivers 1 {PATIENT} {v} -map 1 -f mcm_audio_pcm16 -wait_receivers 1 {PATIENT} {a}",
            flashes(),
            beeps()
        );
        let mut running = Vec::new();
        if first == "receiver" {
            running.push(mesh.start("receiver", &receive));
            mesh.wait_for_receivers(&v, 1);
            mesh.wait_for_receivers(&a, 1);
        }
        running.push(mesh.start("source", &send));
        if first == "source" {
            mesh.wait_for_source(&v);
            running.push(mesh.start("receiver", &receive));
        }
        running.into_iter().for_each(finish);

        let (frames, packets) = (times(&mesh, "both.nut", "v"), times(&mesh, "both.nut", "a"));
        mesh.plain("-i both.nut -map 0:v -f rawvideo frames");
        mesh.plain("-i both.nut -map 0:a -f s16le samples");
        let frames_read = std::fs::read(mesh.file("frames")).unwrap();
        let samples_read = std::fs::read(mesh.file("samples")).unwrap();
        let samples: Vec<i16> =
            samples_read.chunks_exact(2).map(|it| i16::from_le_bytes([it[0], it[1]])).collect();
        assert_eq!(frames.len(), SECONDS * RATE as usize);
        assert_eq!(samples.len(), SECONDS * SAMPLES as usize);
        // Every packet of audio begins where the one before has ended.
        for (index, time) in packets.iter().enumerate() {
            let expected = packets[0] + index as f64 * 0.02;
            assert!((time - expected).abs() < 0.0005, "packet {index} is at {time}");
        }
        let flashes = onsets(frames_read.chunks_exact(64 * 64).map(|frame| frame[0] > 128));
        let beeps = onsets(samples.iter().map(|sample| *sample > 1000));
        assert_eq!((flashes.len(), beeps.len()), (SECONDS, SECONDS));
        let offsets: Vec<f64> = flashes
            .iter()
            .zip(&beeps)
            .map(|(frame, sample)| packets[0] + *sample as f64 / SAMPLES - frames[*frame])
            .collect();
        let drift = offsets[SECONDS - 1] - offsets[0];
        // Times are kept to a millisecond at the least by any container; a frame lasts 40.
        assert!(offsets.iter().all(|offset| offset.abs() < 0.001), "{offsets:?}");
        assert!(drift.abs() < 0.001, "{offsets:?}");
    }
}
