//! Descriptions for tests, as others write them.

/// Written after the examples of ST 2110-20 Annex B and ST 2110-21.
pub(super) const VIDEO: &str = include_str!("../../../st2110/tests/descriptions/video.sdp");
/// What FFmpeg 5.1 writes with `-c:v bitpacked -f rtp`.
pub(super) const FFMPEG_VIDEO: &str =
    include_str!("../../../st2110/tests/descriptions/ffmpeg_video.sdp");
/// What FFmpeg 5.1 writes for `pcm_s24be` to a multicast group.
pub(super) const FFMPEG_AUDIO: &str =
    include_str!("../../../st2110/tests/descriptions/ffmpeg_audio.sdp");
/// What FFmpeg 5.1 writes for `pcm_s16be` at 44.1 kHz: a static payload type.
pub(super) const FFMPEG_STATIC: &str =
    include_str!("../../../st2110/tests/descriptions/ffmpeg_static.sdp");
/// With the fields that GStreamer's caps have.
pub(super) const GSTREAMER: &str = include_str!("../../../st2110/tests/descriptions/gstreamer.sdp");
