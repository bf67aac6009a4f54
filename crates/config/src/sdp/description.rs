//! A session description in the terms of a connection configuration.

use std::fmt::{Debug, Display};
use std::net::IpAddr;

use crate::connection::ConnectionConfig;
use crate::endpoint::Endpoint;
use crate::sender_timing::SenderTiming;
use crate::stream::{SecondPath, St2110};
use media::{ConfigError, FrameRate, Payload};
use st2110::Transport;
use st2110::jpegxs::PacketMode;
use st2110::video::{Colour, Packing, WireFormat};

/// What a session description says about a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The description itself.
    pub text: String,
    /// Part of the standard.
    pub transport: Transport,
    /// As [`St2110::ip_addr`], for the kind of connection that is being made. Unspecified where the
    /// sender is not told: the configuration may name it.
    pub ip_addr: IpAddr,
    /// UDP port.
    pub port: u16,
    /// The source filter, if there is one and `ip_addr` is a multicast group.
    pub mcast_sip_addr: Option<IpAddr>,
    /// A receiver's own address, where the description of a unicast stream tells it.
    pub interface_ip_addr: Option<IpAddr>,
    /// RTP payload type.
    pub payload_type: u8,
    /// Time to live, where the description has one.
    pub ttl: Option<u8>,
    /// How rows are cut, for ST 2110-20.
    pub packing: Option<Packing>,
    /// What a packetisation unit is, for ST 2110-22.
    pub packet_mode: Option<PacketMode>,
    /// Sampling and depth, for video.
    pub wire_format: Option<WireFormat>,
    /// The second path of ST 2022-7.
    pub second_path: Option<SecondPath>,
    /// What the colours mean, where the description tells it in words that the configuration has.
    pub colour: Colour,
    /// The sender's timing, where the description tells it and a receiver is made.
    pub timing: SenderTiming,
    /// Frames a second, where the description tells them. Where not, those of `payload` are a
    /// default, and the configuration decides.
    pub rate: Option<FrameRate>,
    /// What is carried. Formats in memory, on which a description has no say, are the natural ones.
    pub payload: Payload,
}

impl Description {
    /// The stream with everything that the description says, and defaults for the rest.
    pub fn stream(&self) -> St2110 {
        let default = St2110::new(self.ip_addr, self.port);
        St2110 {
            transport: self.transport,
            mcast_sip_addr: self.mcast_sip_addr,
            interface_ip_addr: self.interface_ip_addr,
            second_path: self.second_path,
            packing: self.packing.unwrap_or(default.packing),
            packet_mode: self.packet_mode.unwrap_or(default.packet_mode),
            payload_type: self.payload_type,
            ttl: self.ttl.unwrap_or(default.ttl),
            wire_format: self.wire_format,
            colour: self.colour,
            timing: self.timing,
            sdp: Some(self.text.clone()),
            ..default
        }
    }

    /// Whether a configuration agrees with the description wherever that has a say.
    ///
    /// The interface, pacing, ttl, dscp, a source filter that the description lacks, and the
    /// formats and packet times in memory are the configuration's own affair.
    ///
    /// # Errors
    /// Incompatible, at the first path that differs.
    pub fn check_agreement(&self, config: &ConnectionConfig) -> Result<(), ConfigError> {
        let Endpoint::St2110(stream) = &config.endpoint else {
            return same("connection", config.endpoint.kind(), "st2110");
        };
        same("connection.st2110.transport", stream.transport, self.transport)?;
        if !self.ip_addr.is_unspecified() {
            same("connection.st2110.ipAddr", stream.ip_addr, self.ip_addr)?;
        }
        same("connection.st2110.port", stream.port, self.port)?;
        same("connection.st2110.payloadType", stream.payload_type, self.payload_type)?;
        if let Some(filter) = self.mcast_sip_addr {
            let path = "connection.st2110.multicastSourceIpAddr";
            match stream.mcast_sip_addr {
                Some(own) => same(path, own, filter)?,
                None => same(path, "none".to_owned(), filter.to_string())?,
            }
        }
        if let Some(packing) = self.packing {
            same("connection.st2110.packing", stream.packing, packing)?;
        }
        if let Some(mode) = self.packet_mode {
            same("connection.st2110.packetMode", stream.packet_mode, mode)?;
        }
        if let (Some(own), Some(wire)) = (config.wire_format(), self.wire_format) {
            same("connection.st2110.sampling and depth", own, wire)?;
        }
        if let Some(second) = self.second_path {
            let path = "connection.st2110.secondPath";
            match stream.second_path {
                Some(own) => same(
                    path,
                    format!("{}, port {}", own.ip_addr, own.port),
                    format!("{}, port {}", second.ip_addr, second.port),
                )?,
                None => same(path, "none".to_owned(), second.ip_addr.to_string())?,
            }
        }
        self.check_colour(&stream.colour)?;
        self.check_timing(&stream.timing)?;
        self.check_payload(&config.payload)
    }

    fn check_timing(&self, own: &SenderTiming) -> Result<(), ConfigError> {
        let described = &self.timing;
        same_if_told("troffMicroseconds", own.troff, described.troff)?;
        same_if_told("maxUdp", own.max_udp, described.max_udp)?;
        let path = "mediaClockOffset";
        same_if_told(path, own.media_clock_offset, described.media_clock_offset)
    }

    fn check_colour(&self, own: &Colour) -> Result<(), ConfigError> {
        let described = &self.colour;
        same_if_told("colorimetry", own.colorimetry, described.colorimetry)?;
        same_if_told("tcs", own.transfer, described.transfer)?;
        same_if_told("range", own.range, described.range)
    }

    fn check_payload(&self, payload: &Payload) -> Result<(), ConfigError> {
        match (payload, &self.payload) {
            (Payload::Video(own), Payload::Video(video)) => {
                same("payload.video.width", own.width, video.width)?;
                same("payload.video.height", own.height, video.height)?;
                if let Some(rate) = self.rate {
                    same("payload.video.fps", own.rate, rate)?;
                }
                same("payload.video.scan", own.scan, video.scan)
            }
            (Payload::Audio(own), Payload::Audio(audio)) => {
                same("payload.audio.channels", own.channels, audio.channels)?;
                same("payload.audio.sampleRate", own.sample_rate, audio.sample_rate)?;
                if self.transport == Transport::St2110_30 {
                    same("payload.audio.format", own.format, audio.format)?;
                }
                Ok(())
            }
            (Payload::Ancillary(own), Payload::Ancillary(_)) => {
                // RFC 8331 does not tell the scan.
                self.rate.map_or(Ok(()), |rate| same("payload.ancillary.fps", own.rate, rate))
            }
            (own, described) => same("payload", own.kind(), described.kind()),
        }
    }
}

/// As [`same`], for what neither needs to tell.
fn same_if_told<T: PartialEq + Display + Debug>(
    key: &str,
    own: Option<T>,
    described: Option<T>,
) -> Result<(), ConfigError> {
    match (own, described) {
        (Some(own), Some(described)) => same(&format!("connection.st2110.{key}"), own, described),
        _ => Ok(()),
    }
}

fn same<T: PartialEq + Display + Debug>(
    path: &str,
    own: T,
    described: T,
) -> Result<(), ConfigError> {
    if own == described {
        return Ok(());
    }
    Err(ConfigError::incompatible(path, own, format!("{described}, as the SDP says")))
}
