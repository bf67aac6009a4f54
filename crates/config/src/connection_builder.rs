//! Configurations of connections, put together step by step.

use std::time::Duration;

use media::{Ancillary, Audio, Payload, Video};

use crate::connection::ConnectionConfig;
use crate::endpoint::Endpoint;
use crate::options::{Delivery, EndOfStream};
use crate::stream::St2110;

/// The methods change one value each and check nothing: [`ConnectionConfig::validate`] does, and
/// the client calls it.
impl ConnectionConfig {
    /// A member of the multipoint group of this name. One of [`video`](Self::video),
    /// [`audio`](Self::audio), [`ancillary`](Self::ancillary) and [`blob`](Self::blob) must follow.
    #[must_use]
    pub fn group(urn: impl Into<String>) -> Self {
        Self::new(Endpoint::MultipointGroup { urn: urn.into() }, Payload::Blob)
    }

    /// An end of an ST 2110 stream. One of [`video`](Self::video), [`audio`](Self::audio) and
    /// [`ancillary`](Self::ancillary) must follow, as the stream's transport carries it.
    #[must_use]
    pub fn st2110(stream: St2110) -> Self {
        Self::new(Endpoint::St2110(stream), Payload::Blob)
    }

    /// It carries frames of video.
    #[must_use]
    pub fn video(self, video: Video) -> Self {
        Self { payload: Payload::Video(video), ..self }
    }

    /// It carries packets of audio.
    #[must_use]
    pub fn audio(self, audio: Audio) -> Self {
        Self { payload: Payload::Audio(audio), ..self }
    }

    /// It carries ancillary data.
    #[must_use]
    pub fn ancillary(self, ancillary: Ancillary) -> Self {
        Self { payload: Payload::Ancillary(ancillary), ..self }
    }

    /// It carries blocks of up to so many bytes, which the mesh does not look into.
    #[must_use]
    pub fn blob(self, max_payload_size: u32) -> Self {
        Self { payload: Payload::Blob, max_payload_size, ..self }
    }

    /// Each frame has room for so many bytes of metadata; 0 by default.
    #[must_use]
    pub fn metadata(self, max_metadata_size: u32) -> Self {
        Self { max_metadata_size, ..self }
    }

    /// Frames in the queue, 2 to 128; 16 by default.
    #[must_use]
    pub fn queue(self, capacity: u16) -> Self {
        Self { queue_capacity: capacity, ..self }
    }

    /// What happens when a receiver falls behind.
    #[must_use]
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        self.options.delivery = Some(delivery);
        self
    }

    /// How long a reliable source waits for one receiver before it stops counting it: 1 ms to 60 s,
    /// 100 ms by default.
    #[must_use]
    pub fn stall_timeout(mut self, time: Duration) -> Self {
        self.options.stall_timeout = time;
        self
    }

    /// A source's first frames wait until so many receivers are there, up to 128.
    #[must_use]
    pub fn wait_for_receivers(mut self, receivers: u32) -> Self {
        self.options.wait_for_receivers = receivers;
        self
    }

    /// What receivers see when a source ends its stream.
    #[must_use]
    pub fn end_of_stream(mut self, end: EndOfStream) -> Self {
        self.options.end_of_stream = Some(end);
        self
    }
}

#[cfg(test)]
mod tests {
    use media::{FrameRate, PixelFormat};
    use proto::Kind;
    use st2110::Transport;

    use super::*;

    fn same(built: &ConnectionConfig, json: &str) {
        assert_eq!(built.validate(), Ok(()));
        assert_eq!(*built, ConnectionConfig::from_json(json, Kind::Source).unwrap());
    }

    #[test]
    fn what_is_built_is_what_json_says() {
        let video = Video {
            width: 1280,
            height: 720,
            rate: FrameRate::new(50, 1).unwrap(),
            pixel_format: PixelFormat::V210,
            ..Video::default()
        };
        let built = ConnectionConfig::group("camera-1")
            .video(video)
            .metadata(64)
            .queue(4)
            .delivery(Delivery::Live)
            .stall_timeout(Duration::from_millis(5))
            .wait_for_receivers(2)
            .end_of_stream(EndOfStream::Close);
        same(
            &built,
            r#"{
                "connection": { "multipointGroup": { "urn": "camera-1" } },
                "payload": { "video": {
                    "width": 1280, "height": 720, "fps": 50, "pixelFormat": "v210" } },
                "maxMetadataSize": 64,
                "bufferQueueCapacity": 4,
                "options": { "delivery": "live", "stallTimeoutMilliseconds": 5,
                    "waitForReceivers": 2, "endOfStream": "close" }
            }"#,
        );
        let built = ConnectionConfig::st2110(St2110 {
            transport: Transport::St2110_30,
            ..St2110::new([239, 0, 0, 1].into(), 5004)
        });
        same(
            &built.audio(Audio::default()),
            r#"{
                "connection": { "st2110": {
                    "ipAddr": "239.0.0.1", "port": 5004, "transport": "st2110-30" } },
                "payload": { "audio": {} }
            }"#,
        );
        let blob = ConnectionConfig::group("g").blob(100);
        same(
            &blob,
            r#"{ "connection": { "multipointGroup": { "urn": "g" } }, "maxPayloadSize": 100 }"#,
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = ConnectionConfig::group("g").validate().unwrap_err();
        assert_eq!(error.path, "maxPayloadSize");
    }
}
