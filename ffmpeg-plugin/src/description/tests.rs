use super::*;

const VIDEO: &str = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=x\nt=0 0\nm=video 5004 RTP/AVP 96\n\
    c=IN IP4 239.0.0.1/32\na=rtpmap:96 raw/90000\na=fmtp:96 sampling=YCbCr-4:2:2; width=640; \
    height=360; exactframerate=30000/1001; depth=8; interlace; PM=2110GPM\n";
const AUDIO: &str = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=x\nt=0 0\nm=audio 5006 RTP/AVP 97\n\
    c=IN IP4 239.0.0.1/32\na=rtpmap:97 L16/96000/6\na=ptime:0.125\n";
const AES3: &str = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=x\nt=0 0\nm=audio 5006 RTP/AVP 97\n\
    c=IN IP4 239.0.0.1/32\na=rtpmap:97 AM824/48000/2\na=ptime:1\n";
const ALL: [Pcm; 3] = [Pcm::Bits24, Pcm::Bits16, Pcm::Bits8];

fn with(sdp: &str) -> Settings {
    let mut settings = Settings { conn_type: Some("st2110".to_owned()), ..Settings::default() };
    settings.stream.sdp = Some(sdp.to_owned());
    settings
}

fn described(sdp: &str) -> Settings {
    let mut settings = with(sdp);
    read(&mut settings, Direction::Rx).unwrap();
    settings
}

fn text<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn what_is_not_given_is_that_of_the_description() {
    let settings = described(VIDEO);
    let video = DescribedVideo::of(&settings).unwrap().unwrap();
    assert_eq!(video.size("video_size", None).unwrap(), (640, 360));
    assert_eq!(video.rate(None).unwrap(), Some(FrameRate::new(30000, 1001).unwrap()));
    assert_eq!(video.scan(None).unwrap(), "interlaced");
    assert_eq!(video.pixel_format(), "uyvy422");

    let settings = described(AUDIO);
    let audio = DescribedAudio::of(&settings).unwrap().unwrap();
    assert_eq!(audio.channels("channels", None).unwrap(), 6);
    assert_eq!(audio.sample_rate("sample_rate", None).unwrap(), 96_000);
    assert_eq!(audio.pcm(None, &ALL).unwrap(), Some(Pcm::Bits16));
    assert_eq!(audio.packet_time(), "125us");
}

#[test]
fn what_is_given_has_to_agree() {
    let settings = described(VIDEO);
    let video = DescribedVideo::of(&settings).unwrap().unwrap();
    assert!(video.size("video_size", Some((640, 360))).is_ok());
    let refused = text(video.size("video_size", Some((1920, 1080))));
    assert_eq!(refused, "video_size: found 1920x1080; the SDP says 640x360");
    let refused = text(video.rate(Some(FrameRate::new(25, 1).unwrap())));
    assert_eq!(refused, "frame_rate: found 25; the SDP says 30000/1001");
    let refused = text(video.scan(Some("psf")));
    assert_eq!(refused, "scan: found psf; the SDP says interlaced");

    let settings = described(AUDIO);
    let audio = DescribedAudio::of(&settings).unwrap().unwrap();
    let refused = text(audio.channels("channels", Some(2)));
    assert_eq!(refused, "channels: found 2; the SDP says 6");
    let refused = text(audio.sample_rate("sample_rate", Some(48_000)));
    assert_eq!(refused, "sample_rate: found 48000; the SDP says 96000");
    let refused = text(audio.pcm(Some(Pcm::Bits24), &ALL));
    assert_eq!(refused, "sample_format: found pcm_s24be; the SDP says pcm_s16be");
    let refused = text(audio.pcm(Some(Pcm::Bits24), &[Pcm::Bits24]));
    assert_eq!(
        refused,
        "sdp: found samples of pcm_s16be; this device has pcm_s24be; mcm_audio has others"
    );
}

#[test]
fn a_rate_that_the_description_lacks_is_the_users() {
    let settings = described(&VIDEO.replace("exactframerate=30000/1001; ", ""));
    let video = DescribedVideo::of(&settings).unwrap().unwrap();
    assert_eq!(video.rate(None).unwrap(), None);
    let rate = FrameRate::new(50, 1).unwrap();
    assert_eq!(video.rate(Some(rate)).unwrap(), Some(rate));
}

#[test]
fn samples_of_aes3_may_be_had_in_any_format() {
    let settings = described(AES3);
    let audio = DescribedAudio::of(&settings).unwrap().unwrap();
    assert_eq!(audio.pcm(None, &ALL).unwrap(), None);
    assert_eq!(audio.pcm(Some(Pcm::Bits24), &ALL).unwrap(), Some(Pcm::Bits24));
}

#[test]
fn a_description_of_something_else_names_the_device_for_it() {
    let refused = text(DescribedVideo::of(&described(AUDIO)));
    assert_eq!(
        refused,
        "sdp: found a stream of audio; this device needs one of video; use the device mcm_audio"
    );
    let refused = text(DescribedAudio::of(&described(VIDEO)));
    assert!(refused.ends_with("one of audio; use the device mcm"), "{refused}");
    assert!(DescribedVideo::of(&Settings::default()).unwrap().is_none());
}

#[test]
fn what_cannot_be_read_is_refused() {
    let refused = |sdp: &str| text(read(&mut with(sdp), Direction::Rx));
    let missing = refused("/nonexistent.sdp");
    assert!(missing.starts_with("sdp: found /nonexistent.sdp: "), "{missing}");
    let broken = refused("v=0\nhello\n");
    assert!(broken.starts_with("sdp: found SDP line 2"), "{broken}");
    let mut group = with(VIDEO);
    group.conn_type = None;
    assert!(text(read(&mut group, Direction::Rx)).ends_with("needs -conn_type st2110"));
    assert!(described(&format!("SDP:\n{VIDEO}")).stream.description.is_some());
}
