//! One stream: a media section with what it takes over from the session.

use std::net::IpAddr;

use super::document::{Document, Section};
use super::notes::Notes;
use super::reading::Reading;
use super::value::address_kind;
use super::{Essence, Parameters, SdpError};
use crate::reference::{MediaClockSource, ReferenceClock};

/// Where packets go, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Destination: a multicast group, or a host.
    pub destination: IpAddr,
    /// Time to live of multicast packets in IPv4.
    pub ttl: Option<u8>,
    /// UDP port.
    pub port: u16,
    /// The sender, by `a=source-filter: incl` (RFC 4570).
    pub source: Option<IpAddr>,
}

/// A stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Line of its `m=`; 0 if it was not read.
    pub line: usize,
    /// `a=mid`.
    pub mid: Option<String>,
    /// Where it goes.
    pub leg: Leg,
    /// Senders whose packets are not the stream's, by `a=source-filter: excl`.
    pub excluded: Vec<IpAddr>,
    /// RTP payload type.
    pub payload_type: u8,
    /// What it carries.
    pub essence: Essence,
    /// `b=AS`: kilobits a second.
    pub bandwidth: Option<u64>,
    /// `a=ts-refclk`; several stand for several clocks that are the same time.
    pub reference_clocks: Vec<ReferenceClock>,
    /// `a=mediaclk`.
    pub media_clock: Option<MediaClockSource>,
}

impl Stream {
    /// All streams of a description.
    ///
    /// # Errors
    /// In the first line without which a stream cannot be received.
    pub fn read_all(document: &Document) -> Result<Vec<Self>, SdpError> {
        document.media.iter().map(|section| Self::read(&document.session, section)).collect()
    }

    /// The stream of one medium. What its section lacks is taken from the session, and what is
    /// wrong and not needed to receive the stream is left out: [`super::check`] names it.
    ///
    /// # Errors
    /// In the first line without which the stream cannot be received.
    pub fn read(session: &Section, section: &Section) -> Result<Self, SdpError> {
        let mut notes = Notes::default();
        let reading = Reading::of(session, section, &mut notes);
        match notes.into_fatal() {
            Some(error) => Err(error),
            // Whatever is missing was noted as fatal.
            None => reading.stream().ok_or_else(|| {
                SdpError::missing(section.number(), "a part of the medium", "RFC 8866 §5.14")
            }),
        }
    }

    /// Whether another stream has the same sender, destination and port.
    #[must_use]
    pub fn is_on_the_path_of(&self, other: &Self) -> bool {
        let path = |leg: Leg| (leg.source, leg.destination, leg.port);
        path(self.leg) == path(other.leg)
    }

    /// Whether `a=group:DUP` of the session joins the streams (RFC 7104 §3.2).
    #[must_use]
    pub fn is_copy_of(&self, other: &Self, session: &Section) -> bool {
        let (Some(own), Some(other)) = (&self.mid, &other.mid) else { return false };
        session.attributes("group").any(|(_, value)| {
            let mut parts = value.split_ascii_whitespace();
            let dup = parts.next() == Some("DUP");
            let mids: Vec<_> = parts.collect();
            dup && own != other && mids.contains(&own.as_str()) && mids.contains(&other.as_str())
        })
    }

    /// The section of this stream.
    #[must_use]
    pub fn section(&self) -> Section {
        let mut section = Section::default();
        let pt = self.payload_type;
        let leg = &self.leg;
        section.push('m', format_args!("{} {} RTP/AVP {pt}", self.essence.medium(), leg.port));
        let kind = address_kind(leg.destination);
        let ttl = leg.ttl.map(|ttl| format!("/{ttl}")).unwrap_or_default();
        section.push('c', format_args!("IN {kind} {}{ttl}", leg.destination));
        if let Some(bandwidth) = self.bandwidth {
            section.push('b', format_args!("AS:{bandwidth}"));
        }
        if let Some(source) = leg.source {
            let value = format!(" incl IN {kind} {} {source}", leg.destination);
            section.push_attribute("source-filter", value);
        }
        if !self.excluded.is_empty() {
            let senders: Vec<_> = self.excluded.iter().map(IpAddr::to_string).collect();
            let senders = senders.join(" ");
            let value = format!(" excl IN {kind} {} {senders}", leg.destination);
            section.push_attribute("source-filter", value);
        }
        let encoding = self.essence.encoding();
        match &self.essence {
            Essence::Audio(audio) => {
                let (rate, channels) = (audio.rate, audio.channels);
                section.push_attribute("rtpmap", format_args!("{pt} {encoding}/{rate}/{channels}"));
            }
            _ => section.push_attribute("rtpmap", format_args!("{pt} {encoding}/90000")),
        }
        let parameters = self.essence.parameters();
        if parameters != Parameters::default() {
            section.push_attribute("fmtp", format_args!("{pt} {parameters}"));
        }
        if let Essence::Audio(audio) = &self.essence {
            if let Some(ptime) = audio.ptime {
                section.push_attribute("ptime", ptime);
            }
            if let Some(ptime) = audio.max_ptime {
                section.push_attribute("maxptime", ptime);
            }
            if let Some(count) = audio.frame_count {
                section.push_attribute("framecount", count);
            }
        }
        for clock in &self.reference_clocks {
            section.push_attribute("ts-refclk", clock);
        }
        if let Some(clock) = &self.media_clock {
            section.push_attribute("mediaclk", clock);
        }
        if let Some(mid) = &self.mid {
            section.push_attribute("mid", mid);
        }
        section
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
