//! Filters that draw into their input frame, which other receivers see too.

mod common;

use common::{Mesh, PATIENT, finish};

const SIZE: &str = "324x180";

/// Both receivers get the same 25 frames, and the queue has room for all of them, so that each is
/// lent and none is copied. The second one stands still until the first one has drawn into all of
/// its own.
///
/// A filter alone finds its frame still in use by FFmpeg, and copies it for that reason. Behind
/// `reverse`, which keeps frames back, it is the only user, and would draw into the frame itself if
/// that were not read-only.
#[test]
fn a_filter_that_draws_never_changes_what_another_receiver_sees() {
    let mut mesh = Mesh::new();
    mesh.clip(SIZE, 1);
    let draw = "drawbox=x=40:w=100:c=red:t=fill";
    for (index, format) in ["yuv422p", "rgb24"].into_iter().enumerate() {
        mesh.plain(&format!("-i clip.mp4 -map 0:v -pix_fmt {format} -f framemd5 direct"));
        mesh.plain(&format!("-i clip.mp4 -map 0:v -pix_fmt {format} -c:v rawvideo raw.nut"));
        for before in ["", "reverse,"] {
            let group = format!("{index}-{}", before.len());
            let filters = format!("-vf {before}{draw}");
            mesh.plain(&format!("-i raw.nut {filters} -f framemd5 drawn"));
            let receiver = format!("-f mcm -video_size {SIZE} -pixel_format {format} -i {group}");
            let drawing =
                mesh.start("drawing", &format!("{receiver} {filters} -f framemd5 {group}.drawn"));
            let looking = mesh.start("looking", &format!("{receiver} -f framemd5 {group}.seen"));
            mesh.wait_for_receivers(&group, 2);
            looking.stop();
            finish(mesh.start(
                "source",
                &format!(
                    "-i clip.mp4 -map 0:v -pix_fmt {format} -f mcm -buf_queue_cap 40 {PATIENT} {group}"
                ),
            ));
            finish(drawing);
            looking.go_on();
            finish(looking);
            let (drawn, seen) = (format!("{group}.drawn"), format!("{group}.seen"));
            assert_eq!(mesh.sums(&drawn), mesh.sums("drawn"), "{format}, {filters}");
            assert_eq!(mesh.sums(&seen), mesh.sums("direct"), "{format}, {filters}");
            assert_ne!(mesh.sums(&drawn), mesh.sums(&seen), "{format}, {filters}");
        }
    }
}
