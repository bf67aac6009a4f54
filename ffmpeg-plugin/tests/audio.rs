//! Audio of every sample format and of up to 64 channels.

mod common;

use common::{Mesh, PATIENT, finish};

/// Samples of each channel: a packet of the mesh is not filled by the last ones.
const SAMPLES: usize = 4900;

/// Samples in a file, every one different from those around it.
fn write_samples(mesh: &Mesh, name: &str, channels: usize, bytes: usize) {
    let mut random = mcm_tests::random::Random::new(7);
    let noise: Vec<u8> = (0..SAMPLES * channels * bytes).map(|_| random.below(256) as u8).collect();
    std::fs::write(mesh.file(name), noise).expect("a file");
}

#[test]
fn any_number_of_channels_arrives_in_order() {
    let mut mesh = Mesh::new();
    for channels in [1, 2, 6, 8, 16, 64] {
        for (device, codec, bytes) in [
            ("mcm_audio", "pcm_s8", 1),
            ("mcm_audio", "pcm_s16be", 2),
            ("mcm_audio_pcm16", "pcm_s16be", 2),
            ("mcm_audio_pcm24", "pcm_s24be", 3),
        ] {
            let group = format!("{device}-{channels}-{bytes}");
            write_samples(&mesh, "sent", channels, bytes);
            let raw = codec.trim_start_matches("pcm_");
            let source = mesh.start(
                "source",
                &format!(
                    "-f {raw} -ar 48000 -ac {channels} -i sent -c:a copy -f {device} -wait_receivers 2 {PATIENT} {group}"
                ),
            );
            mesh.wait_for_source(&group);
            // One is told everything, one nothing.
            let options = match device {
                "mcm_audio" => format!("-channels {channels} -sample_format {codec}"),
                _ => format!("-channels {channels}"),
            };
            let running = [options.as_str(), ""].map(|options| {
                let file = if options.is_empty() { "asked" } else { "told" };
                mesh.start(
                    file,
                    &format!("-f {device} {options} -i {group} -c:a copy -f {raw} {file}"),
                )
            });
            finish(source);
            running.into_iter().for_each(finish);
            let read = |name: &str| std::fs::read(mesh.file(name)).expect("a file");
            for name in ["told", "asked"] {
                assert!(read(name) == read("sent"), "{group}: {name} differs from what was sent");
            }
        }
    }
}

/// What FFmpeg has as 64 channels of its own goes out through an encoder, and comes in through a
/// decoder.
#[test]
fn sixty_four_channels_pass_through_filters() {
    let mut mesh = Mesh::new();
    write_samples(&mesh, "raw", 64, 2);
    let input = "-f s16le -ar 48000 -ac 64 -i raw";
    mesh.plain(&format!("{input} -c:a pcm_s16le -f md5 direct"));
    let source = mesh
        .start("source", &format!("{input} -f mcm_audio_pcm16 -wait_receivers 1 {PATIENT} many"));
    mesh.wait_for_source("many");
    finish(mesh.start("receiver", "-f mcm_audio -i many -c:a pcm_s16le -f md5 got"));
    finish(source);
    assert_eq!(mesh.sums("got"), mesh.sums("direct"));
}

/// Packets of a millisecond have no whole number of samples at 44.1 kHz.
#[test]
fn the_rate_of_compact_discs_needs_no_packet_time() {
    let mut mesh = Mesh::new();
    let sine = "-f lavfi -i sine=sample_rate=44100:duration=0.5";
    mesh.plain(&format!("{sine} -c:a pcm_s24be -f md5 direct"));
    let receiver = mesh.start(
        "receiver",
        "-f mcm_audio -channels 1 -sample_rate 44100 -i cd -c:a pcm_s24be -f md5 got",
    );
    mesh.wait_for_receivers("cd", 1);
    finish(mesh.start("source", &format!("{sine} -f mcm_audio {PATIENT} cd")));
    finish(receiver);
    assert_eq!(mesh.sums("got"), mesh.sums("direct"));
}
