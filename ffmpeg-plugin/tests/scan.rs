//! Interlaced streams are sent and received as interlaced without an option.

mod common;

use common::{Mesh, PATIENT, finish, said};

/// A file of interlaced frames, each of which has two fields of moments 20 ms apart.
fn interlaced(mesh: &Mesh) {
    mesh.plain(
        "-f lavfi -i testsrc2=size=720x576:rate=50:duration=1 -vf tinterlace=interleave_top,setfield=tff -pix_fmt yuv422p \
         -c:v mpeg2video -flags +ildct+ilme -top 1 fields.mxf",
    );
}

/// Whether FFmpeg says that the frames of a file have fields, and which one comes first.
fn fields(mesh: &Mesh, file: &str) -> String {
    let mut probe = std::process::Command::new("ffprobe");
    probe.args(["-v", "error", "-show_entries", "frame=interlaced_frame,top_field_first"]);
    probe.args(["-of", "csv=p=0", "-read_intervals", "%+#1"]).arg(mesh.file(file));
    said(probe).1.trim().trim_end_matches(',').to_owned()
}

#[test]
fn an_interlaced_file_is_sent_and_received_interlaced() {
    let mut mesh = Mesh::new();
    interlaced(&mesh);
    for (group, codec) in [
        ("frames", "-pix_fmt yuv422p10le"),
        ("raw", "-pix_fmt uyvy422 -c:v rawvideo"),
        ("v210", "-c:v v210"),
    ] {
        let source = mesh.start(
            "source",
            &format!("-i fields.mxf {codec} -f mcm -wait_receivers 1 {PATIENT} {group}"),
        );
        mesh.wait_for_source(group);
        finish(mesh.start("receiver", &format!("-f mcm -i {group} -c:v ffv1 {group}.mkv")));
        finish(source);
        assert_eq!(fields(&mesh, &format!("{group}.mkv")), "1,1", "{group}");
    }
}

#[test]
fn an_interlaced_file_leaves_as_interlaced_st2110() {
    let mut mesh = Mesh::on_loopback();
    interlaced(&mesh);
    let stream = "-conn_type st2110 -ip_addr 127.0.0.1 -port 20020";
    let mut source = mesh.start(
        "source",
        &format!("-re -stream_loop -1 -i fields.mxf -pix_fmt yuv422p10le -f mcm {stream} -"),
    );
    mesh.wait_for_source("127.0.0.1:20020");
    let sdp = mesh.sdp("127.0.0.1:20020");
    assert!(sdp.contains("interlace;") && sdp.contains("exactframerate=25;"), "{sdp}");
    source.kill();
}

#[test]
fn what_cannot_be_sent_as_fields_is_refused_or_said() {
    let mesh = Mesh::new();
    interlaced(&mesh);
    let refused = |arguments: &str, reason: &str| {
        let (success, text) = mesh.output(arguments);
        assert!(!success && text.contains(reason), "{arguments}: {text}");
    };
    refused(
        "-i fields.mxf -vf setfield=bff -pix_fmt yuv422p -f mcm x",
        "the stream's bottom field comes first; convert it with -vf fieldorder=tff",
    );
    // As it is, if the user says so.
    let (success, text) =
        mesh.output("-i fields.mxf -vf setfield=bff -pix_fmt yuv422p -f mcm -scan progressive x");
    assert!(success, "{text}");
    std::fs::write(
        mesh.file("progressive.sdp"),
        "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=video 20022 RTP/AVP 96\nc=IN IP4 127.0.0.1\na=rtpmap:96 raw/90000\n\
         a=fmtp:96 sampling=YCbCr-4:2:2; width=720; height=576; depth=10; exactframerate=25; colorimetry=BT601; PM=2110GPM; \
         SSN=ST2110-20:2017; TP=2110TPW\na=ts-refclk:localmac=00-00-00-00-00-00\na=mediaclk:direct=0\n",
    )
    .unwrap();
    refused(
        "-i fields.mxf -pix_fmt yuv422p10le -f mcm -conn_type st2110 -sdp progressive.sdp -",
        "scan of the stream: found interlaced; the SDP says progressive",
    );
    // Of raw video FFmpeg knows nothing.
    mesh.plain(
        "-f lavfi -i testsrc2=size=720x576:rate=25:duration=0.2 -pix_fmt yuv422p -f rawvideo raw",
    );
    let raw = "-v warning -f rawvideo -video_size 720x576 -pixel_format yuv422p -framerate 25 -i raw -c copy -f mcm";
    let warns = |arguments: &str| {
        let (success, text) = mesh.output(arguments);
        assert!(success, "{text}");
        text.contains("does not say whether it is interlaced")
    };
    assert!(warns(&format!("{raw} x")));
    assert!(!warns(&format!("{raw} -scan interlaced x")));
}
