//! Whether two connections may share a group.

use std::fmt::Display;

use crate::connection::ConnectionConfig;
use crate::endpoint::{Endpoint, Rdma};
use crate::stream::St2110;
use media::{Ancillary, Audio, ConfigError, Payload, Video};

impl ConnectionConfig {
    /// Whether this connection may join a group whose connections are configured as `group`.
    ///
    /// They must agree on the kind of connection and its parameters, on the payload and its
    /// parameters, and on the sizes of both partitions of a buffer. Options, queue capacity, a
    /// receiver's source filter, interfaces, paths, pacing and packing are each connection's own
    /// affair.
    ///
    /// # Errors
    /// Incompatible, with the first path that differs, this connection's value and the group's
    /// value.
    pub fn check_compatible(&self, group: &Self) -> Result<(), ConfigError> {
        compare_endpoints(&self.endpoint, &group.endpoint)?;
        compare_payloads(&self.payload, &group.payload)?;
        if let (Some(own), Some(group)) = (self.wire_format(), group.wire_format()) {
            same("connection.st2110.sampling", own, group)?;
        }
        if let (Some(own), Some(group)) = (self.codec(), group.codec()) {
            same("connection.st2110.codec", own, group)?;
        }
        same("maxPayloadSize", self.payload_size(), group.payload_size())?;
        same("maxMetadataSize", self.metadata_size(), group.metadata_size())
    }
}

fn same<T: PartialEq + Display>(path: &str, own: T, group: T) -> Result<(), ConfigError> {
    if own == group {
        return Ok(());
    }
    Err(ConfigError::incompatible(path, own, format!("{group}, as in the rest of the group")))
}

fn compare_endpoints(own: &Endpoint, group: &Endpoint) -> Result<(), ConfigError> {
    match (own, group) {
        (Endpoint::MultipointGroup { urn }, Endpoint::MultipointGroup { urn: group }) => {
            same("connection.multipointGroup.urn", urn, group)
        }
        (Endpoint::St2110(own), Endpoint::St2110(group)) => compare_streams(own, group),
        (
            Endpoint::Rdma(Rdma { connection_mode, max_latency_ns: _ }),
            Endpoint::Rdma(Rdma { connection_mode: group, max_latency_ns: _ }),
        ) => same("connection.rdma.connectionMode", connection_mode, group),
        _ => same("connection", own.kind(), group.kind()),
    }
}

fn compare_streams(own: &St2110, group: &St2110) -> Result<(), ConfigError> {
    same("connection.st2110.transport", own.transport, group.transport)?;
    same("connection.st2110.ipAddr", own.ip_addr, group.ip_addr)?;
    same("connection.st2110.port", own.port, group.port)?;
    same("connection.st2110.payloadType", own.payload_type, group.payload_type)
}

fn compare_payloads(own: &Payload, group: &Payload) -> Result<(), ConfigError> {
    match (own, group) {
        (Payload::Video(own), Payload::Video(group)) => compare_video(own, group),
        (Payload::Audio(own), Payload::Audio(group)) => compare_audio(own, group),
        (Payload::Ancillary(own), Payload::Ancillary(group)) => compare_ancillary(own, group),
        _ => same("payload", own.kind(), group.kind()),
    }
}

fn compare_video(own: &Video, group: &Video) -> Result<(), ConfigError> {
    same("payload.video.width", own.width, group.width)?;
    same("payload.video.height", own.height, group.height)?;
    same("payload.video.fps", own.rate, group.rate)?;
    same("payload.video.pixelFormat", own.pixel_format, group.pixel_format)?;
    same("payload.video.scan", own.scan, group.scan)
}

fn compare_ancillary(own: &Ancillary, group: &Ancillary) -> Result<(), ConfigError> {
    same("payload.ancillary.fps", own.rate, group.rate)?;
    same("payload.ancillary.scan", own.scan, group.scan)
}

fn compare_audio(own: &Audio, group: &Audio) -> Result<(), ConfigError> {
    same("payload.audio.channels", own.channels, group.channels)?;
    same("payload.audio.sampleRate", own.sample_rate, group.sample_rate)?;
    same("payload.audio.format", own.format, group.format)?;
    same("payload.audio.packetTime", own.packet_time, group.packet_time)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::options::Delivery;
    use media::ConfigErrorKind;

    fn group(payload: Payload) -> ConnectionConfig {
        let endpoint = Endpoint::MultipointGroup { urn: "cam".into() };
        ConnectionConfig { max_metadata_size: 64, ..ConnectionConfig::new(endpoint, payload) }
    }

    fn stream(change: impl Fn(&mut St2110)) -> ConnectionConfig {
        let mut stream = St2110::new("239.0.0.1".parse().unwrap(), 5004);
        change(&mut stream);
        ConnectionConfig::new(Endpoint::St2110(stream), Payload::Video(Video::default()))
    }

    fn video(change: impl Fn(&mut Video)) -> ConnectionConfig {
        let mut video = Video::default();
        change(&mut video);
        group(Payload::Video(video))
    }

    fn audio(change: impl Fn(&mut Audio)) -> ConnectionConfig {
        let mut audio = Audio::default();
        change(&mut audio);
        group(Payload::Audio(audio))
    }

    #[test]
    fn what_differs_is_named_with_both_values() {
        use media::{AudioFormat, FrameRate, PacketTime, PixelFormat, SampleRate};
        use st2110::Transport;
        let base = video(|_| {});
        let sound = audio(|_| {});
        let wire = stream(|_| {});
        let rdma = |mode| {
            let rdma = Rdma { connection_mode: mode, max_latency_ns: 0 };
            ConnectionConfig::new(Endpoint::Rdma(rdma), Payload::Audio(Audio::default()))
        };
        let ntsc = FrameRate { num: 60000, den: 1001 };
        for (own, group, path, found, theirs) in [
            (video(|v| v.width = 1920), &base, "payload.video.width", "1920", "640"),
            (video(|v| v.height = 480), &base, "payload.video.height", "480", "640"),
            (video(|v| v.rate = ntsc), &base, "payload.video.fps", "60000/1001", "60"),
            (
                video(|v| v.pixel_format = PixelFormat::Rgba),
                &base,
                "payload.video.pixelFormat",
                "rgba",
                "yuv422p10le",
            ),
            (audio(|_| {}), &base, "payload", "audio", "video"),
            (audio(|a| a.channels = 8), &sound, "payload.audio.channels", "8", "2"),
            (
                audio(|a| a.sample_rate = SampleRate::Hz96000),
                &sound,
                "payload.audio.sampleRate",
                "96000",
                "48000",
            ),
            (
                audio(|a| a.format = AudioFormat::PcmS16be),
                &sound,
                "payload.audio.format",
                "pcm_s16be",
                "pcm_s24be",
            ),
            (
                audio(|a| a.packet_time = PacketTime::Us125),
                &sound,
                "payload.audio.packetTime",
                "125us",
                "1ms",
            ),
            (
                ConnectionConfig { max_payload_size: 2_000_000, ..base.clone() },
                &base,
                "maxPayloadSize",
                "2000000",
                "1638400",
            ),
            (
                ConnectionConfig { max_metadata_size: 0, ..base.clone() },
                &base,
                "maxMetadataSize",
                "0",
                "64",
            ),
            (
                ConnectionConfig {
                    endpoint: Endpoint::MultipointGroup { urn: "b".into() },
                    ..base.clone()
                },
                &base,
                "connection.multipointGroup.urn",
                "b",
                "cam",
            ),
            (wire.clone(), &base, "connection", "st2110", "multipointGroup"),
            (
                stream(|s| s.transport = Transport::St2110_22),
                &wire,
                "connection.st2110.transport",
                "st2110-22",
                "st2110-20",
            ),
            (
                stream(|s| s.ip_addr = [10, 0, 0, 1].into()),
                &wire,
                "connection.st2110.ipAddr",
                "10.0.0.1",
                "239.0.0.1",
            ),
            (stream(|s| s.port = 1), &wire, "connection.st2110.port", "1", "5004"),
            (stream(|s| s.payload_type = 96), &wire, "connection.st2110.payloadType", "96", "112"),
            (
                rdma(crate::RdmaMode::Ud),
                &rdma(crate::RdmaMode::Rc),
                "connection.rdma.connectionMode",
                "UD",
                "RC",
            ),
        ] {
            let error = own.check_compatible(group).expect_err(path);
            assert_eq!(error.kind, ConfigErrorKind::Incompatible);
            assert_eq!((error.path.as_str(), error.found.as_str()), (path, found));
            assert_eq!(error.allowed, format!("{theirs}, as in the rest of the group"));
        }
    }

    #[test]
    fn own_affairs_may_differ() {
        let base = video(|_| {});
        let mut other = base.clone();
        other.queue_capacity = 2;
        other.creation_delay = Duration::from_secs(1);
        other.options.delivery = Some(Delivery::Live);
        other.options.wait_for_receivers = 3;
        // The same partition, said explicitly.
        other.max_payload_size = base.payload_size();
        assert_eq!(other.check_compatible(&base), Ok(()));
        let filtered = stream(|s| s.mcast_sip_addr = Some([10, 0, 0, 9].into()));
        assert_eq!(filtered.check_compatible(&stream(|_| {})), Ok(()));
    }
}
