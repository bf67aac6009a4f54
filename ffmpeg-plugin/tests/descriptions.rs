//! Inputs and outputs that get nothing but a session description, as devices of other vendors write
//! it, between two hosts.

mod common;

use common::{Hosts, Mesh, finish};
use mcm_tests::drops::loss;

/// Name of the stream at the source's host.
const SENT: &str = "239.77.0.1:5004";
/// Behaviour of the receiver's host: the description has a source filter.
const RECEIVED: &str = "10.77.0.1@239.77.0.1:5004";

fn session(media: &str) -> String {
    format!(
        "v=0\r\no=- 1443716955 1443716955 IN IP4 10.77.0.1\r\ns=camera 1\r\nt=0 0\r\n{media}\
         a=source-filter: incl IN IP4 239.77.0.1 10.77.0.1\r\na=mediaclk:direct=0\r\n\
         a=ts-refclk:localmac=40-a3-6b-a0-2b-d2\r\n"
    )
}

fn video(format: &str) -> String {
    session(&format!(
        "m=video 5004 RTP/AVP 98\r\nc=IN IP4 239.77.0.1/32\r\na=rtpmap:98 raw/90000\r\n\
         a=fmtp:98 {format}; colorimetry=BT709; PM=2110GPM; SSN=ST2110-20:2017; TP=2110TPW;\r\n"
    ))
}

fn audio(format: &str, ptime: &str) -> String {
    session(&format!(
        "m=audio 5004 RTP/AVP 99\r\nc=IN IP4 239.77.0.1/32\r\na=rtpmap:99 {format}\r\n\
         a=fmtp:99 channel-order=SMPTE2110.(U01)\r\na=ptime:{ptime}\r\n"
    ))
}

fn write(mesh: &Mesh, sdp: &str) {
    std::fs::write(mesh.file("stream.sdp"), sdp).expect("a file");
}

/// The queue is long enough for programs that have to wait for their turn.
const STREAM: &str = "-conn_type st2110 -sdp stream.sdp -buf_queue_cap 64";

/// Sends from one host for as long as the other receives, with nothing but the description. What
/// the groups carry on both is `format`.
fn crosses(hosts: &mut Hosts, sdp: &str, format: &str, input: &str, output: &str, got: &str) {
    write(&hosts.a, sdp);
    write(&hosts.b, sdp);
    let receiver = hosts.b.start("receiver", &format!("{input} {STREAM} -i - {got} got"));
    hosts.b.wait_for_source(RECEIVED);
    assert_eq!(hosts.b.group(RECEIVED).expect("the group").format, format);
    let mut source = hosts.a.start("source", &format!("-re {output} {STREAM} -"));
    hosts.a.wait_for_source(SENT);
    assert_eq!(hosts.a.group(SENT).expect("the group").format, format);
    finish(receiver);
    source.kill();
}

#[test]
fn video_is_as_described() {
    const FRAMES: usize = 20;
    for (format, carried, pixels) in [
        (
            "sampling=YCbCr-4:2:2; width=640; height=360; exactframerate=15000/1001; depth=10",
            "video 640x360 15000/1001 yuv422p10le",
            "yuv422p10le",
        ),
        (
            "sampling=YCbCr-4:2:2; width=320; height=180; exactframerate=50; depth=8",
            "video 320x180 50 uyvy422",
            "uyvy422",
        ),
    ] {
        let size = carried.split(' ').nth(1).expect("a size");
        let rate = carried.split(' ').nth(2).expect("a rate");
        let picture = format!("-f lavfi -i testsrc2=size={size}:rate={rate} -pix_fmt {pixels}");
        let sums = format!("-frames:v {FRAMES} -fps_mode passthrough -f framemd5");
        Hosts::test(|hosts| {
            let output = format!("{picture} -f mcm");
            crosses(hosts, &video(format), carried, "-f mcm", &output, &sums);
            hosts.a.plain(&format!("{picture} {sums} sent"));
            let sums = |mesh: &Mesh, name: &str| -> Vec<String> {
                let sum = |line: &String| line.rsplit(',').next().expect("a sum").trim().to_owned();
                mesh.sums(name).iter().map(sum).collect()
            };
            let (got, sent) = (sums(&hosts.b, "got"), sums(&hosts.a, "sent"));
            assert_eq!(sent.len(), FRAMES);
            if got != sent {
                loss(format!("{got:?} of {sent:?}"));
            }
            let text = std::fs::read_to_string(hosts.b.file("got")).expect("what was received");
            assert!(text.contains(&format!("#dimensions 0: {size}")), "{text}");
        });
    }
}

/// Whether these samples stand among others, from a whole sample on.
fn is_in(samples: &[u8], part: &[u8], sample: usize) -> bool {
    samples.windows(part.len()).step_by(sample).any(|window| window == part)
}

#[test]
fn audio_is_as_described() {
    for (format, ptime, carried, device, sample) in [
        ("L16/96000", "1", "audio 1 x 96000 Hz pcm_s16be 1ms", "mcm_audio_pcm16", "s16be"),
        ("L24/48000/6", "0.25", "audio 6 x 48000 Hz pcm_s24be 250us", "mcm_audio", "s24be"),
    ] {
        let fields: Vec<_> = carried.split(' ').collect();
        let (channels, rate) = (fields[1].parse::<usize>().expect("a number"), fields[3]);
        // Each channel has a tone of its own.
        let tones: Vec<_> =
            (1..=channels).map(|number| format!("0.5*sin(2*PI*t*{})", 100 * number)).collect();
        let tones = tones.join("|");
        let sound = format!("-f lavfi -i aevalsrc={tones}:s={rate} -c:a pcm_{sample}");
        Hosts::test(|hosts| {
            let output = format!("{sound} -f {device}");
            let got = format!("-t 1 -c:a pcm_{sample} -f {sample}");
            crosses(hosts, &audio(format, ptime), carried, &format!("-f {device}"), &output, &got);
            hosts.a.plain(&format!("{sound} -t 5 -f {sample} sent"));
            let read = |mesh: &Mesh, name: &str| std::fs::read(mesh.file(name)).expect("samples");
            let (got, sent) = (read(&hosts.b, "got"), read(&hosts.a, "sent"));
            let frame = channels * if sample == "s16be" { 2 } else { 3 };
            // A machine that stands still for a while may lose some; what is not torn is exact in
            // every channel.
            let part = 120 * frame;
            let parts = rate.parse::<usize>().expect("a number") / 120;
            let exact = got.chunks_exact(part).filter(|part| is_in(&sent, part, frame)).count();
            if exact * 2 <= parts {
                loss(format!("{exact} of {parts}"));
            }
        });
    }
}

#[test]
fn what_disagrees_with_the_description_is_refused() {
    let mesh = Mesh::on_loopback();
    let picture =
        "sampling=YCbCr-4:2:2; width=640; height=360; exactframerate=15000/1001; depth=10";
    let files = [("picture.sdp", video(picture)), ("sound.sdp", audio("L24/48000/6", "1"))];
    for (name, sdp) in files {
        std::fs::write(mesh.file(name), sdp).expect("a file");
    }
    let picture = "-f lavfi -i testsrc2=size=640x360:rate=25";
    let sine = "-f lavfi -i sine=sample_rate=48000";
    for (arguments, reason) in [
        (
            "-f mcm -conn_type st2110 -sdp picture.sdp -video_size 1920x1080 -i - -f null -",
            "video_size: found 1920x1080; the SDP says 640x360",
        ),
        (
            "-f mcm -conn_type st2110 -sdp picture.sdp -port 6000 -i - -f null -",
            "port: found 6000; allowed: 5004, as the SDP says",
        ),
        (
            "-f mcm -conn_type st2110 -sdp sound.sdp -i - -f null -",
            "sdp: found a stream of audio; this device needs one of video; use the device mcm_audio",
        ),
        (
            "-f mcm_audio -conn_type st2110 -sdp sound.sdp -channels 2 -i - -f null -",
            "channels: found 2; the SDP says 6",
        ),
        (
            "-f mcm_audio_pcm16 -conn_type st2110 -sdp sound.sdp -i - -f null -",
            "sdp: found samples of pcm_s24be; this device has pcm_s16be",
        ),
        (
            "-f mcm -conn_type st2110 -sdp none.sdp -i - -f null -",
            "sdp: found none.sdp: No such file",
        ),
        (
            &format!("{picture} -f mcm -conn_type st2110 -sdp picture.sdp -"),
            "frame_rate: found 25; the SDP says 15000/1001",
        ),
        (
            &format!("{picture} -s 64x64 -f mcm -conn_type st2110 -sdp picture.sdp -"),
            "size of the stream: found 64x64; the SDP says 640x360",
        ),
        (
            &format!("{sine} -f mcm_audio_pcm24 -conn_type st2110 -sdp sound.sdp -"),
            "channels of the stream: found 1; the SDP says 6",
        ),
    ] {
        let (success, text) = mesh.output(arguments);
        assert!(!success && text.contains(reason), "{arguments}: {text}");
    }
}
