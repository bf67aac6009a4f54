//! From a device's options to the mesh's configuration.

use crate::audio::Pcm;
use crate::context::Context;
use crate::error::Error;
use crate::options::{Direction, text};
use media::FrameRate;
use serde_json::{Value, json};

/// The group of commands that name none.
const DEFAULT_GROUP: &str = "192.168.97.1";

/// What is sent or received.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// Video.
    Video { width: u32, height: u32, rate: FrameRate, format: &'static str },
    /// Audio.
    Audio { channels: u32, sample_rate: u32, pcm: Pcm },
}

/// The configuration of a connection, as the JSON that the library reads. It checks all values.
pub(crate) fn connection(
    context: Context,
    direction: Direction,
    payload: &Payload,
) -> Result<String, Error> {
    let private = context.private();
    // SAFETY: FFmpeg has made the private data and set the options; they are read, by this thread only.
    let private = unsafe { &*private };
    // SAFETY: the same for each of the texts.
    let read = |name, value| unsafe { text(name, value) };
    let word = |name, value| read(name, value).map(Option::unwrap_or_default);

    let conn_type = word("conn_type", private.conn_type)?;
    let endpoint = match conn_type.as_str() {
        "multipoint-group" => {
            let urn = read("urn", private.urn)?.unwrap_or_else(|| group(&context.url()));
            json!({ "multipointGroup": { "urn": urn } })
        }
        "st2110" => {
            let mut stream = json!({
                "ipAddr": word("ip_addr", private.ip_addr)?,
                "port": private.port,
                "multicastSourceIpAddr": word("mcast_sip_addr", private.mcast_sip_addr)?,
                "transport": word("transport", private.transport)?,
                "payloadType": private.payload_type,
            });
            if let Payload::Video { .. } = payload {
                stream["transportPixelFormat"] =
                    word("transport_pixel_format", private.transport_pixel_format)?.into();
            }
            json!({ "st2110": stream })
        }
        other => {
            return Err(Error::option("conn_type", other, "allowed: multipoint-group, st2110"));
        }
    };
    let payload = match payload {
        Payload::Video { width, height, rate, format } => json!({ "video": {
            "width": width, "height": height, "fps": format!("{}/{}", rate.num, rate.den), "pixelFormat": format,
        } }),
        Payload::Audio { channels, sample_rate, pcm } => json!({ "audio": {
            "channels": channels, "sampleRate": sample_rate, "format": pcm.name(),
            "packetTime": word("ptime", private.ptime)?,
        } }),
    };
    let mut options = json!({
        "endOfStream": word("end_of_stream", private.end_of_stream)?,
        "rdma": {
            "provider": word("rdma_provider", private.rdma_provider)?,
            "numEndpoints": private.rdma_num_endpoints,
        },
    });
    if let Some(delivery) = read("delivery", private.delivery)? {
        options["delivery"] = delivery.into();
    }
    if direction == Direction::Tx {
        options["waitForReceivers"] = private.wait_receivers.into();
        options["stallTimeoutMilliseconds"] = private.stall_timeout.into();
    }
    let configuration: Value = json!({
        "bufferQueueCapacity": private.buf_queue_cap,
        "connCreationDelayMilliseconds": private.conn_delay,
        "connection": endpoint,
        "payload": payload,
        "options": options,
    });
    Ok(configuration.to_string())
}

/// The group that a URL names. Commands that name the group by an option write `-` there.
fn group(url: &str) -> String {
    match url {
        "" | "-" => DEFAULT_GROUP,
        url if url.starts_with("pipe:") => DEFAULT_GROUP,
        url => url,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_is_no_pipe_names_the_group() {
        assert_eq!(group("camera-1"), "camera-1");
        for url in ["", "-", "pipe:", "pipe:1"] {
            assert_eq!(group(url), DEFAULT_GROUP);
        }
    }
}
