//! Conversion of a device's settings to the mesh's configuration.

use crate::audio::Pcm;
use crate::error::Error;
use crate::options::Direction;
use crate::settings::{Path, Settings, Stream};
use config::{Endpoint, St2110};
use media::{FrameRate, PacketTime, SampleRate};
use serde_json::{Map, Value, json};
use st2110::Transport;
use std::net::IpAddr;

/// The group of commands that name none.
const DEFAULT_GROUP: &str = "192.168.97.1";
/// Default destination of streams.
const DEFAULT_ADDRESS: &str = "192.168.96.1";
const DEFAULT_PORT: u16 = 9001;

/// The packet time of audio at this rate, where none is given: the one closest to a millisecond.
pub(crate) fn default_ptime(sample_rate: u32) -> &'static str {
    let time =
        if sample_rate == SampleRate::Hz44100.hz() { PacketTime::Ms1_09 } else { PacketTime::Ms1 };
    time.name()
}

/// Payload to send or receive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Payload {
    /// Video.
    Video { width: u32, height: u32, rate: FrameRate, format: &'static str, scan: Option<String> },
    /// Audio.
    Audio { channels: u32, sample_rate: u32, pcm: Pcm, ptime: String },
}

/// Kind of connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A group of the mesh.
    Group,
    /// A stream of ST 2110.
    St2110,
}

/// The kind of connection, and whether the options that belong to one kind only are those of this
/// one.
pub(crate) fn way(settings: &Settings) -> Result<Way, Error> {
    refuse_earlier(settings)?;
    match settings.conn_type.as_deref() {
        Some("st2110") => Ok(Way::St2110),
        None | Some("multipoint-group") => {
            let Stream { second, second_skew, depth, max_udp, ttl, dscp, .. } = &settings.stream;
            let number = |number: &Option<u32>| number.map(|number| number.to_string());
            for (name, value) in [
                ("interface", settings.stream.first.interface.clone()),
                ("second_ip_addr", second.ip_addr.clone()),
                ("second_port", number(&second.port)),
                ("second_mcast_sip_addr", second.mcast_sip_addr.clone()),
                ("second_interface", second.interface.clone()),
                ("second_skew", number(second_skew)),
                ("sampling", settings.stream.sampling.clone()),
                ("depth", number(depth)),
                ("pacing", settings.stream.pacing.clone()),
                ("packing", settings.stream.packing.clone()),
                ("packet_mode", settings.stream.packet_mode.clone()),
                ("colorimetry", settings.stream.colorimetry.clone()),
                ("tcs", settings.stream.tcs.clone()),
                ("range", settings.stream.range.clone()),
                ("incomplete_frames", settings.stream.incomplete_frames.clone()),
                ("bits_per_pixel", settings.stream.bits_per_pixel.clone()),
                ("coding_quality", settings.stream.coding_quality.clone()),
                ("max_udp", number(max_udp)),
                ("ttl", number(ttl)),
                ("dscp", number(dscp)),
                ("sdp", settings.stream.sdp.clone()),
            ] {
                if let Some(value) = value {
                    return Err(Error::option(name, value, "needs -conn_type st2110"));
                }
            }
            Ok(Way::Group)
        }
        Some(other) => Err(Error::option("conn_type", other, "allowed: multipoint-group, st2110")),
    }
}

/// Options of earlier releases whose meaning is gone; the text says what replaces them.
fn refuse_earlier(settings: &Settings) -> Result<(), Error> {
    let earlier = &settings.earlier;
    let instead = |name, value: &str| {
        let allowed = "programs of one host share frames in a group: leave it out, and name the group with -urn";
        Err(Error::option(name, value, allowed))
    };
    match earlier.protocol_type.as_deref() {
        None | Some("auto") => {}
        Some("memif") => return instead("protocol_type", "memif"),
        Some("udp") => {
            let allowed = "use -conn_type st2110 with -ip_addr and -port";
            return Err(Error::option("protocol_type", "udp", allowed));
        }
        Some(other) => {
            return Err(Error::option("protocol_type", other, "allowed: auto; see -conn_type"));
        }
    }
    match (&earlier.socket_name, &earlier.interface_id) {
        (Some(name), _) => instead("socket_name", name),
        (_, Some(id)) => instead("interface_id", id),
        _ => Ok(()),
    }
}

/// The name of the group that a connection belongs to on this host; `None` if the settings do not
/// tell.
pub(crate) fn group(settings: &Settings, way: Way) -> Option<String> {
    match way {
        Way::Group => Some(settings.urn.clone().unwrap_or_else(|| of_url(&settings.url))),
        Way::St2110 => {
            let Path { ip_addr, port, mcast_sip_addr, .. } = &settings.stream.first;
            let described = settings.stream.description.as_ref();
            let address: IpAddr = match (ip_addr, described) {
                (Some(address), _) => address.parse().ok()?,
                (None, Some(described)) => described.ip_addr,
                (None, None) => DEFAULT_ADDRESS.parse().ok()?,
            };
            let port = match (port, described) {
                (Some(port), _) => u16::try_from(*port).ok()?,
                (None, Some(described)) => described.port,
                (None, None) => DEFAULT_PORT,
            };
            let mut stream = St2110::new(address, port);
            stream.mcast_sip_addr = match (mcast_sip_addr, described) {
                (Some(address), _) => Some(address.parse().ok()?),
                (None, Some(described)) => described.mcast_sip_addr,
                (None, None) => None,
            };
            Some(Endpoint::St2110(stream).group_id())
        }
    }
}

/// The group that a URL names. Commands that name the group by an option write `-` there.
fn of_url(url: &str) -> String {
    match url {
        "" | "-" => DEFAULT_GROUP,
        url if url.starts_with("pipe:") => DEFAULT_GROUP,
        url => url,
    }
    .to_owned()
}

/// The configuration of a connection, as the JSON that the library reads. It checks all values.
pub(crate) fn connection(
    settings: &Settings,
    direction: Direction,
    payload: &Payload,
) -> Result<String, Error> {
    let way = way(settings)?;
    let (transport, payload_type) = meaning(settings.stream.payload_type.as_deref(), payload)?;
    let endpoint = match way {
        Way::Group => json!({ "multipointGroup": { "urn": group(settings, way) } }),
        Way::St2110 => {
            json!({ "st2110": stream(&settings.stream, transport, payload_type) })
        }
    };
    let mut rdma = json!({ "numEndpoints": settings.rdma_num_endpoints });
    set(&mut rdma, "provider", &settings.rdma_provider);
    let mut options = json!({ "rdma": rdma });
    set(&mut options, "endOfStream", &settings.end_of_stream);
    set(&mut options, "delivery", &settings.delivery);
    if direction == Direction::Tx {
        options["waitForReceivers"] = settings.wait_receivers.into();
        options["stallTimeoutMilliseconds"] = settings.stall_timeout.into();
    }
    let configuration = json!({
        "bufferQueueCapacity": settings.buf_queue_cap.unwrap_or_else(|| default_capacity(way, direction, payload)),
        "connCreationDelayMilliseconds": settings.conn_delay,
        "connection": endpoint,
        "payload": described(payload),
        "options": options,
    });
    Ok(configuration.to_string())
}

/// Default number of buffers of a connection.
///
/// The network does not wait: of a stream of 1 ms packets a receiver keeps 128 ms, as senders may
/// send bursts of 20 ms and more, and a busy machine lets a program wait for as long.
fn default_capacity(way: Way, direction: Direction, payload: &Payload) -> u32 {
    match payload {
        Payload::Video { .. } => 8,
        Payload::Audio { .. } if way == Way::St2110 && direction == Direction::Rx => 128,
        Payload::Audio { .. } => 16,
    }
}

fn described(payload: &Payload) -> Value {
    match payload {
        Payload::Video { width, height, rate, format, scan } => {
            let mut video = json!({
                "width": width, "height": height, "fps": format!("{}/{}", rate.num, rate.den), "pixelFormat": format,
            });
            set(&mut video, "scan", scan);
            json!({ "video": video })
        }
        Payload::Audio { channels, sample_rate, pcm, ptime } => json!({ "audio": {
            "channels": channels, "sampleRate": sample_rate, "format": pcm.name(), "packetTime": ptime,
        } }),
    }
}

/// Meaning of `payload_type`: an RTP payload type, or, as in earlier releases, the kind of a
/// stream.
fn meaning(
    payload_type: Option<&str>,
    payload: &Payload,
) -> Result<(&'static str, Option<u32>), Error> {
    let video = matches!(payload, Payload::Video { .. });
    let (own, number) = if video { ("st2110-20", 112) } else { ("st2110-30", 111) };
    match payload_type {
        None => Ok((own, Some(number))),
        Some("st20") if video => Ok((own, Some(number))),
        Some("st22") if video => Ok((Transport::St2110_22.name(), Some(number))),
        Some("st30") if !video => Ok((own, Some(number))),
        Some(text) => {
            let number = text.parse().ok().filter(|number| *number < 128);
            let allowed = if video { "st20 or st22" } else { "st30" };
            let refuse = || {
                Error::option(
                    "payload_type",
                    text,
                    format!("allowed: 0 to 127, and with this device {allowed}"),
                )
            };
            number.map(|number| (own, Some(number))).ok_or_else(refuse)
        }
    }
}

/// The stream. What an SDP says need not be given; what is given beside it has to agree with it,
/// which the mesh checks.
fn stream(stream: &Stream, transport: &'static str, payload_type: Option<u32>) -> Value {
    let mut value = way_through(&stream.first);
    let transport = stream.transport.as_deref().unwrap_or(transport);
    let described = stream.description.as_ref();
    if let Some(description) = described {
        value["sdp"] = description.text.as_str().into();
        set(&mut value, "transport", &stream.transport);
        if stream.payload_type.is_some() {
            set(&mut value, "payloadType", &payload_type);
        }
    } else {
        let mut default = |key: &str, default: Value| {
            if value.get(key).is_none() {
                value[key] = default;
            }
        };
        default("ipAddr", DEFAULT_ADDRESS.into());
        default("port", DEFAULT_PORT.into());
        default("transport", transport.into());
        default("payloadType", payload_type.into());
    }
    set(&mut value, "transportPixelFormat", &stream.transport_pixel_format);
    set(&mut value, "sampling", &stream.sampling);
    set(&mut value, "depth", &stream.depth);
    let compressed = Transport::St2110_22;
    let described = described.is_some_and(|description| description.transport == compressed);
    if described || value["transport"] == compressed.name() {
        // FFmpeg's frames are raw: the mesh encodes and decodes.
        value["codec"] = "jpegxs".into();
    }
    if let Some(bits) = &stream.bits_per_pixel {
        // A number, or what was written, which the mesh will name in its refusal.
        value["bitsPerPixel"] =
            bits.parse::<f64>().map_or_else(|_| bits.as_str().into(), Value::from);
    }
    set(&mut value, "quality", &stream.coding_quality);
    set(&mut value, "pacing", &stream.pacing);
    set(&mut value, "packing", &stream.packing);
    set(&mut value, "packetMode", &stream.packet_mode);
    set(&mut value, "incompleteFrames", &stream.incomplete_frames);
    set(&mut value, "maxUdp", &stream.max_udp);
    set(&mut value, "ttl", &stream.ttl);
    set(&mut value, "dscp", &stream.dscp);
    set(&mut value, "colorimetry", &stream.colorimetry);
    set(&mut value, "tcs", &stream.tcs);
    set(&mut value, "range", &stream.range);
    let mut second = way_through(&stream.second);
    set(&mut second, "skewMilliseconds", &stream.second_skew);
    if second.as_object().is_some_and(|second| !second.is_empty()) {
        value["secondPath"] = second;
    }
    value
}

fn way_through(path: &Path) -> Value {
    let mut value = Value::Object(Map::new());
    set(&mut value, "ipAddr", &path.ip_addr);
    set(&mut value, "port", &path.port);
    set(&mut value, "multicastSourceIpAddr", &path.mcast_sip_addr);
    set(&mut value, "interfaceIpAddr", &path.interface);
    value
}

/// Adds a member, if there is one.
fn set<T: Clone + Into<Value>>(object: &mut Value, key: &str, value: &Option<T>) {
    if let Some(value) = value {
        object[key] = value.clone().into();
    }
}

#[cfg(test)]
mod tests;
