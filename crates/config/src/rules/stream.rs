//! The rules that an ST 2110 stream must meet.

use std::net::IpAddr;

use crate::connection::ConnectionConfig;
use crate::endpoint::Endpoint;
use crate::rules::{DSCP, PAYLOAD_TYPE, PORT, SKEW_MS, TTL, within, within_ms};
use crate::stream::{Codec, St2110};
use media::text::quoted;
use media::{Ancillary, Audio, AudioFormat, ConfigError, Payload, PixelFormat, Video};
use st2110::Transport;
use st2110::video::{Depth, Sampling, WireFormat};

type Result<T> = std::result::Result<T, ConfigError>;

/// Bytes of audio that fit a packet: 1460 bytes of UDP (ST 2110-10, standard UDP size limit) less
/// the headers of UDP and RTP.
const MAX_AUDIO: usize = 1460 - 8 - 12;

/// The rules that concern the stream alone.
pub(crate) fn check_stream(stream: &St2110) -> Result<()> {
    check_destination("connection.st2110", stream.ip_addr, stream.port)?;
    check_hosts(
        "connection.st2110",
        stream.ip_addr,
        stream.mcast_sip_addr,
        stream.interface_ip_addr,
    )?;
    within("connection.st2110.payloadType", stream.payload_type, PAYLOAD_TYPE)?;
    within("connection.st2110.ttl", stream.ttl, TTL)?;
    within("connection.st2110.dscp", stream.dscp, DSCP)?;
    if let Some(path) = &stream.second_path {
        let at = "connection.st2110.secondPath";
        check_destination(at, path.ip_addr, path.port)?;
        check_hosts(at, path.ip_addr, path.mcast_sip_addr, path.interface_ip_addr)?;
        same_version(at, path.ip_addr, stream.ip_addr)?;
        within_ms(&format!("{at}.skewMilliseconds"), path.skew, SKEW_MS)?;
        // On one interface the destination tells the paths apart, or to a receiver the sender.
        let same = (path.ip_addr, path.port) == (stream.ip_addr, stream.port);
        let senders = path.mcast_sip_addr.is_some()
            && stream.mcast_sip_addr.is_some()
            && path.mcast_sip_addr != stream.mcast_sip_addr;
        if same && !senders && path.interface_ip_addr == stream.interface_ip_addr {
            return Err(ConfigError::incompatible(
                at,
                format!("{}, port {}, as the first path", path.ip_addr, path.port),
                "another ipAddr, port or interfaceIpAddr, or two multicastSourceIpAddr",
            ));
        }
    }
    if let Some(ancillary) = &stream.ancillary {
        let at = "connection.st2110.ancillary";
        check_destination(at, ancillary.ip_addr, ancillary.port)?;
        same_version(at, ancillary.ip_addr, stream.ip_addr)?;
        within(&format!("{at}.payloadType"), ancillary.payload_type, PAYLOAD_TYPE)?;
        if !matches!(stream.transport, Transport::St2110_20 | Transport::St2110_22) {
            let allowed = "transport st2110-20 or st2110-22";
            return Err(ConfigError::incompatible(
                at,
                format!("one with {}", stream.transport),
                allowed,
            ));
        }
        if (ancillary.ip_addr, ancillary.port) == (stream.ip_addr, stream.port) {
            let found = format!("{}, port {}, as the video", ancillary.ip_addr, ancillary.port);
            return Err(ConfigError::incompatible(at, found, "another ipAddr or port"));
        }
    }
    if let Some(wire) = stream.wire_format
        && !matches!(stream.transport, Transport::St2110_20 | Transport::St2110_22)
    {
        let found = format!("{wire} with {}", stream.transport);
        let allowed = "transport st2110-20 or st2110-22";
        return Err(ConfigError::incompatible("connection.st2110.sampling", found, allowed));
    }
    if stream.codec.is_some() && stream.transport != Transport::St2110_22 {
        let allowed = "transport st2110-22 with a codec";
        return Err(ConfigError::incompatible(
            "connection.st2110.transport",
            stream.transport,
            allowed,
        ));
    }
    stream.timing.check()?;
    if stream.transport_pixel_format != PixelFormat::Yuv422p10Rfc4175 {
        return Err(ConfigError::invalid(
            "connection.st2110.transportPixelFormat",
            quoted(stream.transport_pixel_format.name()),
            PixelFormat::Yuv422p10Rfc4175,
        ));
    }
    Ok(())
}

fn check_destination(at: &str, ip_addr: IpAddr, port: u16) -> Result<()> {
    if ip_addr.is_unspecified() {
        let allowed = "the address of a host or group";
        return Err(ConfigError::invalid(format!("{at}.ipAddr"), ip_addr, allowed));
    }
    within(&format!("{at}.port"), port, PORT).map(drop)
}

fn check_hosts(
    at: &str,
    ip_addr: IpAddr,
    sender: Option<IpAddr>,
    interface: Option<IpAddr>,
) -> Result<()> {
    for (key, host) in [("multicastSourceIpAddr", sender), ("interfaceIpAddr", interface)] {
        let Some(host) = host else { continue };
        let path = format!("{at}.{key}");
        if host.is_unspecified() || host.is_multicast() {
            return Err(ConfigError::invalid(path, host, "the address of one host"));
        }
        if host.is_ipv4() != ip_addr.is_ipv4() {
            let allowed = format!("an address of the same IP version as {ip_addr}");
            return Err(ConfigError::incompatible(path, host, allowed));
        }
    }
    Ok(())
}

fn same_version(at: &str, address: IpAddr, first: IpAddr) -> Result<()> {
    if address.is_ipv4() == first.is_ipv4() {
        return Ok(());
    }
    let allowed = format!("an address of the same IP version as {first}");
    Err(ConfigError::incompatible(format!("{at}.ipAddr"), address, allowed))
}

/// The rules that concern the stream and what it carries.
pub(crate) fn check_payload(stream: &St2110, config: &ConnectionConfig) -> Result<()> {
    let needed = match (stream.transport, &config.payload) {
        (Transport::St2110_20, Payload::Video(video)) => {
            check_pixels(config, video)?;
            return check_video(stream, config);
        }
        (Transport::St2110_22, Payload::Video(_)) => {
            check_codec(stream, config)?;
            return check_video(stream, config);
        }
        (Transport::St2110_30 | Transport::St2110_31, Payload::Audio(audio)) => {
            return check_audio(stream.transport, audio);
        }
        (Transport::St2110_40, Payload::Ancillary(_)) => return Ok(()),
        (Transport::St2110_20 | Transport::St2110_22, _) => "video",
        (Transport::St2110_30 | Transport::St2110_31, _) => "audio",
        (Transport::St2110_40, _) => "ancillary",
    };
    let needed = format!("{needed} with transport {}", stream.transport);
    Err(ConfigError::incompatible("payload", config.payload.kind(), needed))
}

/// Raw pixels must exist in memory as on the wire. Codestreams may be of any.
fn check_pixels(config: &ConnectionConfig, video: &Video) -> Result<()> {
    let Some(wire) = config.wire_format() else { return Ok(()) };
    let format = video.pixel_format;
    if wire.carries(format) {
        return Ok(());
    }
    let list = |words: Vec<String>| words.join(", ");
    let layouts: Vec<_> = wire.pixel_formats().map(|format| format.to_string()).collect();
    if !layouts.is_empty() {
        let found = format!("{format} with {wire} on the wire");
        return Err(ConfigError::incompatible("payload.video.pixelFormat", found, list(layouts)));
    }
    let known = |sampling: &Sampling| {
        let wire = |depth: &Depth| WireFormat { sampling: *sampling, depth: *depth };
        let depths: Vec<_> = Depth::ALL
            .iter()
            .filter(|depth| wire(depth).pixel_formats().next().is_some())
            .map(Depth::to_string)
            .collect();
        format!("{sampling} with {} bit", depths.join(" or "))
    };
    let known = Sampling::ALL.iter().map(known).collect::<Vec<_>>().join("; ");
    let found = format!("{wire}, which no pixelFormat has");
    Err(ConfigError::incompatible("connection.st2110.sampling", found, known))
}

impl ConnectionConfig {
    /// Checks what only a connection that sends has to keep to. [`ConnectionConfig::validate`] does
    /// not know which end it is.
    ///
    /// # Errors
    /// Incompatible if the samples in memory cannot be sent as ST 2110-20 without loss: those with
    /// alpha can be received only.
    pub fn check_source(&self) -> Result<()> {
        let (Endpoint::St2110(stream), Payload::Video(video)) = (&self.endpoint, &self.payload)
        else {
            return Ok(());
        };
        let alpha = matches!(video.pixel_format, PixelFormat::Rgba | PixelFormat::Bgra);
        if stream.transport == Transport::St2110_20 && alpha {
            let found = format!(
                "{} to be sent by ST 2110-20, where alpha would be lost",
                video.pixel_format
            );
            let allowed = "rgb24 or bgr24";
            return Err(ConfigError::incompatible("payload.video.pixelFormat", found, allowed));
        }
        Ok(())
    }
}

fn check_video(stream: &St2110, config: &ConnectionConfig) -> Result<()> {
    if stream.ancillary.is_some() && config.max_metadata_size < Ancillary::MIN_SIZE {
        let allowed = format!("at least {} with connection.st2110.ancillary", Ancillary::MIN_SIZE);
        let found = config.max_metadata_size;
        return Err(ConfigError::incompatible("maxMetadataSize", found, allowed));
    }
    Ok(())
}

fn check_codec(stream: &St2110, config: &ConnectionConfig) -> Result<()> {
    if stream.codec == Some(Codec::Application) && config.max_payload_size == 0 {
        let allowed = "the size of the largest codestream, with codec application";
        return Err(ConfigError::incompatible("maxPayloadSize", 0, allowed));
    }
    Ok(())
}

fn check_audio(transport: Transport, audio: &Audio) -> Result<()> {
    let allowed = match (transport, audio.format) {
        (Transport::St2110_31, AudioFormat::PcmS24be | AudioFormat::Am824) => None,
        (Transport::St2110_31, _) => Some("pcm_s24be or am824 with st2110-31"),
        (_, AudioFormat::Am824) => Some("pcm_s8, pcm_s16be or pcm_s24be with st2110-30"),
        _ => None,
    };
    if let Some(allowed) = allowed {
        return Err(ConfigError::incompatible("payload.audio.format", audio.format, allowed));
    }
    let channels = audio.channels;
    let mut wire = *audio;
    if transport == Transport::St2110_31 {
        if !channels.is_multiple_of(2) {
            let allowed = "an even number with st2110-31: AES3 has channels in pairs";
            return Err(ConfigError::incompatible("payload.audio.channels", channels, allowed));
        }
        wire.format = AudioFormat::Am824;
    }
    let size = wire.packet_size()?;
    if size > MAX_AUDIO {
        let found = format!("{size} bytes of audio a packet with {transport}");
        let allowed = format!("at most {MAX_AUDIO}: fewer channels or a shorter packetTime");
        return Err(ConfigError::incompatible("payload.audio", found, allowed));
    }
    Ok(())
}
