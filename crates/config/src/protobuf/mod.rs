//! The configuration of a connection in protobuf messages.

mod generation;
mod numbers;
mod stream;

pub use generation::OTHER_NUMBERS;

use crate::{ConnectionConfig, Endpoint, Options, Rdma, RdmaMode, RdmaOptions, RdmaProvider};
use media::{Ancillary, Audio, ConfigError, FrameRate, Payload, Scan, Video};
use numbers as n;
use proto::Kind;
use proto::sdk::{self, connection_config::Conn};
use std::time::Duration;
use stream::{stream_from_sdk, stream_to_sdk};

/// Bytes of the system data that precede the payload in a buffer.
const SYSDATA_SIZE: u32 = 24;

impl ConnectionConfig {
    /// The message `sdk.ConnectionConfig`. [`ConnectionConfig::from_sdk`] reads it without loss.
    ///
    /// Its `kind` is not set: see [`ConnectionConfig::to_sdk_of`].
    #[must_use]
    pub fn to_sdk(&self) -> sdk::ConnectionConfig {
        let partition = |size: u32, offset: u32| Some(sdk::BufferPartition { size, offset });
        let round = |size: u32| size.saturating_add(7) & !7;
        let (payload, metadata) = (round(self.payload_size()), round(self.metadata_size()));
        sdk::ConnectionConfig {
            kind: 0,
            buf_queue_capacity: self.queue_capacity.into(),
            max_payload_size: self.max_payload_size,
            max_metadata_size: self.max_metadata_size,
            calculated_payload_size: self.payload_size(),
            buf_parts: Some(sdk::BufferPartitions {
                sysdata: partition(SYSDATA_SIZE, 0),
                payload: partition(payload, SYSDATA_SIZE),
                metadata: partition(metadata, SYSDATA_SIZE.saturating_add(payload)),
            }),
            conn: Some(endpoint_to_sdk(&self.endpoint)),
            options: Some(options_to_sdk(self)),
            payload: Some(payload_to_sdk(&self.payload)),
        }
    }

    /// The message for a connection that is this end of its group.
    #[must_use]
    pub fn to_sdk_of(&self, kind: Kind) -> sdk::ConnectionConfig {
        sdk::ConnectionConfig { kind: sdk::ConnectionKind::from(kind).into(), ..self.to_sdk() }
    }

    /// Reads and validates a message. What older peers leave out has its default; `kind` is not
    /// looked at: see [`kind_of`].
    ///
    /// # Errors
    /// The path, the value found there and what is allowed, as for a configuration in JSON.
    pub fn from_sdk(message: &sdk::ConnectionConfig) -> Result<Self, ConfigError> {
        let endpoint = match &message.conn {
            Some(conn) => endpoint_from_sdk(conn)?,
            None => {
                let allowed = "multipointGroup, st2110 or rdma";
                return Err(ConfigError::invalid("connection", "nothing", allowed));
            }
        };
        let options = message.options.clone().unwrap_or_default();
        let config = Self {
            queue_capacity: narrow("bufferQueueCapacity", message.buf_queue_capacity)?,
            max_payload_size: message.max_payload_size,
            max_metadata_size: message.max_metadata_size,
            creation_delay: Duration::from_millis(options.creation_delay_ms.into()),
            endpoint,
            payload: payload_from_sdk(message.payload.as_ref())?,
            options: options_from_sdk(&options)?,
        };
        config.validate()?;
        Ok(config)
    }

    /// Reads and validates the bytes of a message that a peer sent.
    ///
    /// # Errors
    /// As [`ConnectionConfig::from_sdk`]; Malformed for bytes that are no such message, and Invalid
    /// for one of release 25.03, whose fields have other numbers.
    pub fn decode(bytes: &[u8]) -> Result<Self, ConfigError> {
        Self::from_sdk(&generation::read(bytes)?)
    }
}

/// Which end of its group the connection of a message is.
///
/// # Errors
/// Invalid for a number that is neither.
pub fn kind_of(message: &sdk::ConnectionConfig) -> Result<Kind, ConfigError> {
    sdk::ConnectionKind::try_from(message.kind)
        .map(Kind::from)
        .map_err(|_| ConfigError::invalid("kind", message.kind, "0 (transmitter), 1 (receiver)"))
}

fn endpoint_to_sdk(endpoint: &Endpoint) -> Conn {
    match endpoint {
        Endpoint::MultipointGroup { urn } => {
            Conn::MultipointGroup(sdk::ConfigMultipointGroup { urn: urn.clone() })
        }
        Endpoint::St2110(stream) => Conn::St2110(stream_to_sdk(stream)),
        Endpoint::Rdma(rdma) => Conn::Rdma(sdk::ConfigRdma {
            connection_mode: rdma.connection_mode.name().to_owned(),
            max_latency_ns: rdma.max_latency_ns,
        }),
    }
}

fn options_to_sdk(config: &ConnectionConfig) -> sdk::ConnectionOptions {
    let options = &config.options;
    sdk::ConnectionOptions {
        rdma: Some(sdk::ConnectionOptionsRdma {
            provider: options.rdma.provider.name().to_owned(),
            num_endpoints: options.rdma.num_endpoints.into(),
        }),
        delivery: options.delivery.map_or(0, n::delivery_number),
        stall_timeout_us: Some(options.stall_timeout.as_micros().try_into().unwrap_or(u64::MAX)),
        wait_for_receivers: options.wait_for_receivers,
        end_of_stream: options.end_of_stream.map_or(0, n::end_of_stream_number),
        creation_delay_ms: config.creation_delay.as_millis().try_into().unwrap_or(u32::MAX),
    }
}

fn payload_to_sdk(payload: &Payload) -> sdk::connection_config::Payload {
    use sdk::connection_config::Payload as Wire;
    match payload {
        Payload::Video(video) => Wire::Video(sdk::ConfigVideo {
            width: video.width,
            height: video.height,
            fps: video.rate.as_f64(),
            pixel_format: n::pixel_format_number(video.pixel_format),
            rate: Some(rate_to_sdk(video.rate)),
            scan: video.scan.name().to_owned(),
        }),
        Payload::Audio(audio) => Wire::Audio(sdk::ConfigAudio {
            channels: audio.channels.into(),
            sample_rate: n::sample_rate_number(audio.sample_rate),
            format: n::audio_format_number(audio.format),
            packet_time: n::packet_time_number(audio.packet_time),
        }),
        Payload::Ancillary(ancillary) => Wire::Ancillary(sdk::ConfigAncillary {
            rate: Some(rate_to_sdk(ancillary.rate)),
            scan: ancillary.scan.name().to_owned(),
        }),
        Payload::Blob => Wire::Blob(sdk::ConfigBlob {}),
    }
}

fn rate_to_sdk(rate: FrameRate) -> sdk::FrameRate {
    sdk::FrameRate { num: rate.num, den: rate.den }
}

fn endpoint_from_sdk(conn: &Conn) -> Result<Endpoint, ConfigError> {
    Ok(match conn {
        Conn::MultipointGroup(group) => Endpoint::MultipointGroup { urn: group.urn.clone() },
        Conn::St2110(stream) => Endpoint::St2110(stream_from_sdk(stream)?),
        Conn::Rdma(rdma) => {
            let path = "connection.rdma.connectionMode";
            Endpoint::Rdma(Rdma {
                connection_mode: word(path, &rdma.connection_mode, RdmaMode::from_name)?,
                max_latency_ns: rdma.max_latency_ns,
            })
        }
    })
}

fn options_from_sdk(wire: &sdk::ConnectionOptions) -> Result<Options, ConfigError> {
    let rdma = wire.rdma.clone().unwrap_or_default();
    Ok(Options {
        rdma: RdmaOptions {
            provider: word("options.rdma.provider", &rdma.provider, RdmaProvider::from_name)?,
            num_endpoints: match rdma.num_endpoints {
                0 => 1,
                number => narrow("options.rdma.numEndpoints", number)?,
            },
        },
        delivery: present(wire.delivery).map(n::delivery).transpose()?,
        stall_timeout: wire
            .stall_timeout_us
            .map_or(Options::DEFAULT_STALL_TIMEOUT, Duration::from_micros),
        wait_for_receivers: wire.wait_for_receivers,
        end_of_stream: present(wire.end_of_stream).map(n::end_of_stream).transpose()?,
    })
}

fn payload_from_sdk(
    payload: Option<&sdk::connection_config::Payload>,
) -> Result<Payload, ConfigError> {
    use sdk::connection_config::Payload as Wire;
    Ok(match payload {
        None | Some(Wire::Blob(_)) => Payload::Blob,
        Some(Wire::Video(video)) => Payload::Video(Video {
            width: video.width,
            height: video.height,
            rate: match &video.rate {
                Some(rate) => FrameRate::new(rate.num, rate.den)?,
                None => FrameRate::from_f64(video.fps)?,
            },
            pixel_format: n::pixel_format(video.pixel_format)?,
            scan: word("payload.video.scan", &video.scan, Scan::from_name)?,
        }),
        Some(Wire::Audio(audio)) => Payload::Audio(Audio {
            channels: narrow("payload.audio.channels", audio.channels)?,
            sample_rate: n::sample_rate(audio.sample_rate)?,
            format: n::audio_format(audio.format)?,
            packet_time: n::packet_time(audio.packet_time)?,
        }),
        Some(Wire::Ancillary(ancillary)) => Payload::Ancillary(Ancillary {
            rate: match &ancillary.rate {
                Some(rate) => FrameRate::new(rate.num, rate.den)
                    .map_err(|error| error.at("payload.ancillary.fps"))?,
                None => FrameRate::default(),
            },
            scan: word("payload.ancillary.scan", &ancillary.scan, Scan::from_name)?,
        }),
    })
}

/// The number of an enumeration that has "unspecified" as its zero.
fn present(number: i32) -> Option<i32> {
    (number != 0).then_some(number)
}

/// A number that the wire gives more bits than it can have.
pub(super) fn narrow<T: TryFrom<u32>>(path: &str, value: u32) -> Result<T, ConfigError> {
    T::try_from(value).map_err(|_| {
        let most = (1_u64 << (8 * size_of::<T>())) - 1;
        ConfigError::invalid(path, value, format!("at most {most}"))
    })
}

/// A value written as a word; the empty word is the default.
pub(super) fn word<T: Default>(
    path: &str,
    text: &str,
    read: fn(&str) -> Option<T>,
) -> Result<T, ConfigError> {
    if text.is_empty() {
        return Ok(T::default());
    }
    let allowed = "a value of this option as in the JSON configuration";
    read(text).ok_or_else(|| ConfigError::invalid(path, format!("\"{text}\""), allowed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AncillaryStream, Codec, Delivery, EndOfStream, IncompleteFrames, SecondPath, St2110,
    };
    use media::{AudioFormat, ConfigErrorKind, PacketTime, PixelFormat, SampleRate};
    use st2110::Transport;
    use st2110::jpegxs::{BitsPerPixel, CodingQuality};
    use st2110::pacing::SenderType;
    use st2110::video::{Depth, Packing, Sampling, WireFormat};

    fn blob() -> ConnectionConfig {
        let endpoint = Endpoint::MultipointGroup { urn: "cam".into() };
        ConnectionConfig { max_payload_size: 100, ..ConnectionConfig::new(endpoint, Payload::Blob) }
    }

    fn returns(config: &ConnectionConfig) {
        config.validate().unwrap();
        assert_eq!(ConnectionConfig::from_sdk(&config.to_sdk()).as_ref(), Ok(config));
        for kind in [Kind::Source, Kind::Receiver] {
            assert_eq!(kind_of(&config.to_sdk_of(kind)), Ok(kind));
        }
    }

    #[test]
    fn every_field_survives() {
        let mut config = blob();
        config.queue_capacity = 128;
        config.max_metadata_size = 9;
        config.creation_delay = Duration::from_millis(77);
        config.options = Options {
            rdma: RdmaOptions { provider: RdmaProvider::Verbs, num_endpoints: 8 },
            delivery: Some(Delivery::Live),
            stall_timeout: Duration::from_millis(1234),
            wait_for_receivers: 3,
            end_of_stream: Some(EndOfStream::Close),
        };
        returns(&config);
        config.options.delivery = Some(Delivery::Reliable);
        config.options.end_of_stream = Some(EndOfStream::Wait);
        returns(&config);
        for format in PixelFormat::ALL {
            let rate = FrameRate::new(60000, 1001).unwrap();
            let video = Video {
                width: 1920,
                height: 1080,
                rate,
                pixel_format: *format,
                scan: Scan::Progressive,
            };
            config.max_payload_size = 0;
            config.payload = Payload::Video(video);
            returns(&config);
        }
        config.payload = Payload::Audio(Audio {
            channels: 8,
            sample_rate: SampleRate::Hz44100,
            format: AudioFormat::PcmS16be,
            packet_time: PacketTime::Ms0_14,
        });
        returns(&config);
        let mut stream = St2110::new("239.0.0.1".parse().unwrap(), 5004);
        stream.transport = Transport::St2110_30;
        stream.mcast_sip_addr = Some("10.0.0.1".parse().unwrap());
        stream.payload_type = 97;
        config.endpoint = Endpoint::St2110(stream);
        returns(&config);
        config.endpoint = Endpoint::Rdma(Rdma { connection_mode: RdmaMode::Ud, max_latency_ns: 5 });
        returns(&config);
    }

    #[test]
    fn every_field_of_a_stream_survives() {
        let host = |text: &str| Some(text.parse().unwrap());
        let mut stream = St2110::new("239.0.0.1".parse().unwrap(), 5004);
        stream.interface_ip_addr = host("10.0.0.2");
        stream.pacing = SenderType::Wide;
        stream.packing = Packing::Block;
        (stream.ttl, stream.dscp) = (1, 0);
        stream.incomplete_frames = IncompleteFrames::Repeat;
        stream.wire_format =
            Some(WireFormat { sampling: Sampling::YCbCr422, depth: Depth::Twelve });
        stream.sdp = Some("v=0\r\n".to_owned());
        stream.colour = st2110::video::Colour {
            colorimetry: Some(st2110::video::Colorimetry::Bt2020),
            transfer: Some(st2110::video::TransferCharacteristic::Hlg),
            range: Some(st2110::video::SampleRange::FullProtect),
        };
        stream.timing = crate::SenderTiming {
            troff: Some(0),
            max_udp: Some(8960),
            media_clock_offset: Some(7),
        };
        stream.second_path = Some(SecondPath {
            ip_addr: "239.1.0.1".parse().unwrap(),
            port: 5006,
            mcast_sip_addr: host("10.1.0.1"),
            interface_ip_addr: None,
            skew: Duration::from_millis(450),
        });
        stream.ancillary = Some(AncillaryStream {
            ip_addr: "239.0.0.2".parse().unwrap(),
            port: 5008,
            payload_type: 100,
        });
        let video = Video { scan: Scan::Interlaced, ..Video::default() };
        let endpoint = Endpoint::St2110(stream.clone());
        let mut config = ConnectionConfig::new(endpoint, Payload::Video(video));
        config.max_metadata_size = 4096;
        returns(&config);
        stream.transport = Transport::St2110_22;
        stream.codec = Some(Codec::Application);
        stream.packet_mode = st2110::jpegxs::PacketMode::Slice;
        stream.bits_per_pixel = BitsPerPixel::from_bits(2.125).unwrap();
        stream.quality = CodingQuality::Quality;
        config.max_payload_size = 1_000_000;
        config.endpoint = Endpoint::St2110(stream);
        returns(&config);

        let mut stream = St2110::new("ff15::1".parse().unwrap(), 5004);
        stream.transport = Transport::St2110_40;
        let rate = FrameRate::new(30000, 1001).unwrap();
        let ancillary = Payload::Ancillary(Ancillary { rate, scan: Scan::Psf });
        returns(&ConnectionConfig::new(Endpoint::St2110(stream.clone()), ancillary));
        stream.transport = Transport::St2110_31;
        let sound = Payload::Audio(Audio { format: AudioFormat::Am824, ..Audio::default() });
        returns(&ConnectionConfig::new(Endpoint::St2110(stream), sound));
    }

    /// What a peer sends that knows none of the later fields.
    #[test]
    fn an_older_peers_stream_gets_the_defaults() {
        let stream = sdk::ConfigSt2110 {
            ip_addr: "239.0.0.1".into(),
            port: 5004,
            pacing: "narrow".into(),
            payload_type: 112,
            ..Default::default()
        };
        let config = sdk::ConnectionConfig {
            buf_queue_capacity: 16,
            conn: Some(Conn::St2110(stream.clone())),
            payload: Some(payload_to_sdk(&Payload::Video(Video::default()))),
            ..Default::default()
        };
        let read = ConnectionConfig::from_sdk(&config).unwrap();
        let expected = St2110::new("239.0.0.1".parse().unwrap(), 5004);
        assert_eq!(read.endpoint, Endpoint::St2110(expected));
        type Change = fn(&mut sdk::ConfigSt2110);
        let wrong: [(&str, Change); 13] = [
            ("connection.st2110.packing", |s| s.packing = "tight".into()),
            ("connection.st2110.packetMode", |s| s.packet_mode = "2".into()),
            ("connection.st2110.ttl", |s| s.ttl = Some(0)),
            ("connection.st2110.dscp", |s| s.dscp = Some(64)),
            ("connection.st2110.tcs", |s| s.tcs = "HDR".into()),
            ("connection.st2110.troffMicroseconds", |s| s.troff_us = Some(1_000_001)),
            ("connection.st2110.maxUdp", |s| s.max_udp = Some(65_536)),
            ("connection.st2110.codec", |s| s.codec = "h264".into()),
            ("connection.st2110.bitsPerPixel", |s| s.bits_per_pixel_thousandths = 1),
            ("connection.st2110.depth", |s| {
                s.wire_format = Some(sdk::WireFormat { sampling: "RGB".into(), depth: 9 });
            }),
            ("connection.st2110.secondPath.ipAddr", |s| s.second_path = Some(Default::default())),
            ("connection.st2110.secondPath.skewMilliseconds", |s| {
                let ip_addr = "239.0.0.2".into();
                let (port, skew_ms) = (5004, Some(451));
                s.second_path =
                    Some(sdk::St2110Path { ip_addr, port, skew_ms, ..Default::default() });
            }),
            ("connection.st2110.ancillary.port", |s| {
                let ip_addr = "239.0.0.2".into();
                let port = 70_000;
                s.ancillary = Some(sdk::St2110Ancillary { ip_addr, port, payload_type: 1 });
            }),
        ];
        for (path, change) in wrong {
            let mut stream = stream.clone();
            change(&mut stream);
            let config =
                sdk::ConnectionConfig { conn: Some(Conn::St2110(stream)), ..config.clone() };
            let error = ConnectionConfig::from_sdk(&config).expect_err(path);
            assert_eq!((error.path.as_str(), error.kind), (path, ConfigErrorKind::Invalid));
        }
    }

    #[test]
    fn partitions_follow_the_rule() {
        let config = ConnectionConfig { max_metadata_size: 9, ..blob() };
        let parts = config.to_sdk().buf_parts.unwrap();
        assert_eq!(parts.sysdata, Some(sdk::BufferPartition { size: 24, offset: 0 }));
        assert_eq!(parts.payload, Some(sdk::BufferPartition { size: 104, offset: 24 }));
        assert_eq!(parts.metadata, Some(sdk::BufferPartition { size: 16, offset: 128 }));
    }

    #[test]
    fn an_older_peer_gets_the_defaults() {
        let config = sdk::ConnectionConfig {
            kind: 1,
            buf_queue_capacity: 16,
            max_payload_size: 100,
            conn: Some(Conn::MultipointGroup(sdk::ConfigMultipointGroup { urn: "cam".into() })),
            ..Default::default()
        };
        assert_eq!(ConnectionConfig::from_sdk(&config), Ok(blob()));
        let video = sdk::ConfigVideo { width: 640, height: 480, fps: 59.94, ..Default::default() };
        let config = sdk::ConnectionConfig {
            payload: Some(sdk::connection_config::Payload::Video(video)),
            max_payload_size: 0,
            ..config
        };
        let Payload::Video(video) = ConnectionConfig::from_sdk(&config).unwrap().payload else {
            panic!("video")
        };
        assert_eq!(video.rate, FrameRate { num: 60000, den: 1001 });
    }

    #[test]
    fn what_is_wrong_is_named() {
        let neither = sdk::ConnectionConfig { kind: 2, ..Default::default() };
        assert_eq!(kind_of(&neither).unwrap_err().path, "kind");
        let good = blob().to_sdk();
        for (path, wrong) in [
            ("connection", sdk::ConnectionConfig { conn: None, ..good.clone() }),
            (
                "bufferQueueCapacity",
                sdk::ConnectionConfig { buf_queue_capacity: 65_552, ..good.clone() },
            ),
            (
                "bufferQueueCapacity",
                sdk::ConnectionConfig { buf_queue_capacity: 0, ..good.clone() },
            ),
            ("maxPayloadSize", sdk::ConnectionConfig { max_payload_size: 0, ..good.clone() }),
            (
                "options.delivery",
                sdk::ConnectionConfig {
                    options: Some(sdk::ConnectionOptions { delivery: 9, ..Default::default() }),
                    ..good.clone()
                },
            ),
            (
                "options.stallTimeoutMilliseconds",
                sdk::ConnectionConfig {
                    options: Some(sdk::ConnectionOptions {
                        stall_timeout_us: Some(u64::MAX),
                        ..Default::default()
                    }),
                    ..good.clone()
                },
            ),
        ] {
            let error = ConnectionConfig::from_sdk(&wrong).unwrap_err();
            assert_eq!((error.path.as_str(), error.kind), (path, ConfigErrorKind::Invalid));
        }
    }
}
