//! From JSON to the configuration of a connection: keys, types and defaults. The rules stand in
//! `validation`.

use std::time::Duration;

use crate::client::CLIENT_KEYS;
use crate::connection::ConnectionConfig;
use crate::endpoint::{Endpoint, Rdma};
use crate::json::document::{Members, Node, read_document};
use crate::json::stream::{Spelling, read_stream};
use crate::options::{Options, RdmaOptions};
use crate::sdp::Description;
use crate::{ConfigWarning, rules};
use media::{
    Ancillary, Audio, ConfigError, FrameRate, MAX_CHANNELS, MAX_DIMENSION, Payload, SampleRate,
    Video, Word,
};
use proto::Kind;

type Result<T> = std::result::Result<T, ConfigError>;

impl ConnectionConfig {
    /// Reads and validates the JSON that a program gives. Trailing commas and comments are
    /// accepted.
    ///
    /// `kind` says which end the connection is: a session description (`connection.st2110.sdp`, or
    /// the file `sdpFile`) means other addresses to a source than to a receiver. What it says takes
    /// the place of fields that are not there; those that are there must agree.
    ///
    /// # Errors
    /// Malformed if the text is not JSON; otherwise as [`ConnectionConfig::validate`] and
    /// [`sdp::describe`](crate::sdp::describe), Invalid for wrong types, unknown words, missing or
    /// repeated keys and files that cannot be read, and Incompatible for a field that does not
    /// agree with the session description.
    pub fn from_json(text: &str, kind: Kind) -> Result<Self> {
        Self::from_json_with_warnings(text, kind).map(|(config, _)| config)
    }

    /// As [`ConnectionConfig::from_json`], with what the text says without effect, such as unknown
    /// keys.
    ///
    /// # Errors
    /// As [`ConnectionConfig::from_json`].
    pub fn from_json_with_warnings(text: &str, kind: Kind) -> Result<(Self, Vec<ConfigWarning>)> {
        read(text, kind)
    }
}

fn read(text: &str, kind: Kind) -> Result<(ConnectionConfig, Vec<ConfigWarning>)> {
    read_document(text, |root| {
        root.tolerate(&CLIENT_KEYS);
        let capacity = ConnectionConfig::DEFAULT_QUEUE_CAPACITY;
        let delay = "connCreationDelayMilliseconds";
        let (endpoint, described, spelling) = root
            .require("connection", "an object with multipointGroup, st2110 or rdma")?
            .object(|members| read_endpoint(members, kind))?;
        let payload = described.as_ref().map_or(Payload::Blob, |description| description.payload);
        let mut config = ConnectionConfig {
            queue_capacity: root.get_or("bufferQueueCapacity", capacity, read_queue_capacity)?,
            max_payload_size: root
                .get_or("maxPayloadSize", 0, |n| n.integer(rules::PAYLOAD_SIZE))?,
            max_metadata_size: root
                .get_or("maxMetadataSize", 0, |n| n.integer(rules::METADATA_SIZE))?,
            creation_delay: root
                .get_or(delay, Duration::ZERO, |n| milliseconds(n, rules::CREATION_DELAY_MS))?,
            endpoint,
            payload: root.get_or("payload", payload, |n| {
                n.object(|members| read_payload(members, payload))
            })?,
            options: root.get_or("options", Options::default(), |n| n.object(read_options))?,
        };
        spelling.apply(&mut config)?;
        if let Some(description) = described {
            description.check_agreement(&config).map_err(|error| spelling.as_written(error))?;
        }
        config.validate().map_err(|error| spelling.as_written(error))?;
        Ok(config)
    })
}

/// 1 to 255, as the established API has it, brought to the nearest that the mesh has.
fn read_queue_capacity(node: &Node<'_, '_>) -> Result<u16> {
    let asked: u16 = node.integer(1..=255)?;
    let capacity = asked.clamp(*rules::QUEUE_CAPACITY.start(), *rules::QUEUE_CAPACITY.end());
    if capacity != asked {
        let (min, max) = (rules::QUEUE_CAPACITY.start(), rules::QUEUE_CAPACITY.end());
        node.warn(format!("{asked} is taken as {capacity}; queues have {min} to {max} buffers"));
    }
    Ok(capacity)
}

pub(crate) fn milliseconds(
    node: &Node<'_, '_>,
    range: std::ops::RangeInclusive<u32>,
) -> Result<Duration> {
    Ok(Duration::from_millis(u64::from(node.integer(range)?)))
}

fn optional_word<W: Word>(members: &mut Members<'_, '_>, key: &'static str) -> Result<Option<W>> {
    members.get(key).map(|node| node.word()).transpose()
}

/// The one member among `keys` that is there; more than one is an error.
pub(crate) fn only_one<'a, 'text>(
    members: &mut Members<'a, 'text>,
    keys: &[&'static str],
) -> Result<Option<(&'static str, Node<'a, 'text>)>> {
    let mut found: Option<(&'static str, Node<'a, 'text>)> = None;
    for key in keys {
        let Some(node) = members.get(key) else { continue };
        if let Some((first, _)) = &found {
            let allowed = format!("only one of {}", keys.join(", "));
            return Err(ConfigError::invalid(
                node.path(),
                format!("{key} beside {first}"),
                allowed,
            ));
        }
        found = Some((key, node));
    }
    Ok(found)
}

type ReadEndpoint = (Endpoint, Option<Description>, Spelling);

fn read_endpoint(members: &mut Members<'_, '_>, kind: Kind) -> Result<ReadEndpoint> {
    let keys = ["multipointGroup", "st2110", "rdma"];
    let endpoint = match only_one(members, &keys)? {
        Some(("multipointGroup", node)) => node.object(|group| {
            let urn = group.require("urn", "the name of the group")?.text()?.to_owned();
            Ok(Endpoint::MultipointGroup { urn })
        })?,
        Some(("st2110", node)) => {
            let (stream, described, spelling) =
                node.object(|members| read_stream(members, kind))?;
            return Ok((Endpoint::St2110(stream), described, spelling));
        }
        Some((_, node)) => node.object(read_rdma).map(Endpoint::Rdma)?,
        None => {
            let allowed = format!("one of {}", keys.join(", "));
            let found = match members.names() {
                names if names.is_empty() => "none of the kinds".to_owned(),
                names => names,
            };
            return Err(ConfigError::invalid("connection", found, allowed));
        }
    };
    Ok((endpoint, None, Spelling::default()))
}

fn read_rdma(members: &mut Members<'_, '_>) -> Result<Rdma> {
    let default = Rdma::default();
    Ok(Rdma {
        connection_mode: members.get_or("connectionMode", default.connection_mode, Node::word)?,
        max_latency_ns: members
            .get_or("maxLatencyNanoseconds", default.max_latency_ns, |n| n.integer(0..=u32::MAX))?,
    })
}

/// What stands there, over `described`, which is what a session description says.
fn read_payload(members: &mut Members<'_, '_>, described: Payload) -> Result<Payload> {
    let kinds = ["video", "audio", "ancillary", "blob"];
    match only_one(members, &kinds)? {
        Some(("video", node)) => {
            let default =
                if let Payload::Video(video) = described { video } else { Video::default() };
            node.object(|members| read_video(members, default)).map(Payload::Video)
        }
        Some(("audio", node)) => {
            let default =
                if let Payload::Audio(audio) = described { audio } else { Audio::default() };
            node.object(|members| read_audio(members, default)).map(Payload::Audio)
        }
        Some(("ancillary", node)) => {
            let default = match described {
                Payload::Ancillary(ancillary) => ancillary,
                _ => Ancillary::default(),
            };
            node.object(|members| read_ancillary(members, default)).map(Payload::Ancillary)
        }
        Some((_, node)) => node.object(|_| Ok(Payload::Blob)),
        None => match members.names() {
            names if names.is_empty() => Ok(described),
            names => {
                Err(ConfigError::invalid("payload", names, format!("one of {}", kinds.join(", "))))
            }
        },
    }
}

fn read_video(members: &mut Members<'_, '_>, default: Video) -> Result<Video> {
    Ok(Video {
        width: members.get_or("width", default.width, |n| n.integer(1..=MAX_DIMENSION))?,
        height: members.get_or("height", default.height, |n| n.integer(1..=MAX_DIMENSION))?,
        rate: members.get_or("fps", default.rate, read_rate)?,
        pixel_format: members.get_or("pixelFormat", default.pixel_format, Node::word)?,
        scan: members.get_or("scan", default.scan, Node::word)?,
    })
}

fn read_ancillary(members: &mut Members<'_, '_>, default: Ancillary) -> Result<Ancillary> {
    Ok(Ancillary {
        rate: members.get_or("fps", default.rate, |node| {
            read_rate(node).map_err(|error| error.at("payload.ancillary.fps"))
        })?,
        scan: members.get_or("scan", default.scan, Node::word)?,
    })
}

/// A number, or a text such as "60000/1001".
fn read_rate(node: &Node<'_, '_>) -> Result<FrameRate> {
    match node.number_text() {
        // Shown as it was written, a number without quotes.
        Some(number) => number.parse().map_err(|error: ConfigError| node.refuse(error.allowed)),
        None => node
            .text()
            .map_err(|_| node.refuse("a number or a string such as \"60000/1001\""))?
            .parse(),
    }
}

fn read_audio(members: &mut Members<'_, '_>, default: Audio) -> Result<Audio> {
    Ok(Audio {
        channels: members.get_or("channels", default.channels, |n| n.integer(1..=MAX_CHANNELS))?,
        sample_rate: members.get_or("sampleRate", default.sample_rate, |node| {
            let hz = node.integer(0..=u32::MAX).ok();
            hz.and_then(SampleRate::from_hz).ok_or_else(|| node.refuse(SampleRate::words()))
        })?,
        format: members.get_or("format", default.format, Node::word)?,
        packet_time: members.get_or("packetTime", default.packet_time, Node::word)?,
    })
}

fn read_options(members: &mut Members<'_, '_>) -> Result<Options> {
    let default = Options::default();
    Ok(Options {
        rdma: members.get_or("rdma", default.rdma, |node| node.object(read_rdma_options))?,
        delivery: optional_word(members, "delivery")?,
        stall_timeout: members.get_or("stallTimeoutMilliseconds", default.stall_timeout, |n| {
            milliseconds(n, rules::STALL_TIMEOUT_MS)
        })?,
        wait_for_receivers: members.get_or(
            "waitForReceivers",
            default.wait_for_receivers,
            |n| n.integer(rules::WAIT_FOR_RECEIVERS),
        )?,
        end_of_stream: optional_word(members, "endOfStream")?,
    })
}

fn read_rdma_options(members: &mut Members<'_, '_>) -> Result<RdmaOptions> {
    let default = RdmaOptions::default();
    let provider = members.get_or("provider", default.provider, Node::word)?;
    // The second spelling is what the parser of earlier releases read.
    let num_endpoints = match only_one(members, &["numEndpoints", "num_endpoints"])? {
        Some((_, node)) => node.integer(rules::NUM_ENDPOINTS)?,
        None => default.num_endpoints,
    };
    Ok(RdmaOptions { provider, num_endpoints })
}
