//! One stream: a media section with what it takes over from the session.

use std::net::IpAddr;

use super::document::{Document, Section};
use super::value::{address, address_kind, number};
use super::{Essence, Parameters, SdpError};
use crate::reference::{MediaClockSource, ReferenceClock, ReferenceError};

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
    /// In the first line that cannot be understood.
    pub fn read_all(document: &Document) -> Result<Vec<Self>, SdpError> {
        document.media.iter().map(|section| Self::read(&document.session, section)).collect()
    }

    /// The stream of one medium. What its section lacks is taken from the session.
    ///
    /// # Errors
    /// In the first line that cannot be understood.
    pub fn read(session: &Section, section: &Section) -> Result<Self, SdpError> {
        let line = section.number();
        let (port, payload_type) = read_medium(section)?;
        let (destination, ttl) = read_connection(session, section)?;
        let both = |name: &'static str| -> Vec<(usize, &str)> {
            let own: Vec<_> = section.attributes(name).collect();
            if own.is_empty() { session.attributes(name).collect() } else { own }
        };
        let sources = read_sources(&both("source-filter"), destination, duplicated(section))?;
        let clocks = both("ts-refclk").into_iter();
        let reference_clocks = clocks
            .map(|(line, text)| clock::<ReferenceClock>(line, text))
            .collect::<Result<_, _>>()?;
        let media_clock =
            both("mediaclk").first().map(|(line, text)| clock::<MediaClockSource>(*line, text));
        Ok(Self {
            line,
            mid: section.attribute("mid").map(|(_, mid)| mid.trim().to_owned()),
            leg: Leg { destination, ttl, port, source: sources.first().copied() },
            payload_type,
            essence: read_essence(section, payload_type)?,
            bandwidth: section.lines.iter().find_map(|line| {
                line.value.strip_prefix("AS:").filter(|_| line.letter == 'b')?.trim().parse().ok()
            }),
            reference_clocks,
            media_clock: media_clock.transpose()?,
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

/// A clock attribute.
fn clock<T: std::str::FromStr<Err = ReferenceError>>(
    line: usize,
    text: &str,
) -> Result<T, SdpError> {
    text.parse().map_err(|error: ReferenceError| {
        SdpError::value(line, error.attribute, text, error.accepted)
    })
}

/// Port and payload type of `m=`.
fn read_medium(section: &Section) -> Result<(u16, u8), SdpError> {
    let line = section.number();
    let value = section.line('m').map_or("", |line| &line.value);
    let mut parts = value.split_ascii_whitespace();
    let refuse = || {
        SdpError::value(
            line,
            "m=",
            value,
            "MEDIUM PORT RTP/AVP PAYLOAD-TYPE is needed (RFC 8866 §5.14)",
        )
    };
    let (Some(_), Some(port), Some(protocol), Some(format), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(refuse());
    };
    if !matches!(protocol, "RTP/AVP" | "RTP/AVPF") {
        return Err(SdpError::value(line, "the protocol of m=", protocol, "RTP/AVP is possible"));
    }
    let port: u16 = number(line, "the port of m=", port, "a UDP port is needed, one only")?;
    let format: u8 = number(line, "the payload type of m=", format, "0 to 127 is possible")?;
    if port == 0 || format > 127 {
        return Err(refuse());
    }
    Ok((port, format))
}

/// Destination and time to live of `c=`.
fn read_connection(session: &Section, section: &Section) -> Result<(IpAddr, Option<u8>), SdpError> {
    let Some(line) = section.line('c').or_else(|| session.line('c')) else {
        return Err(SdpError::missing(section.number(), "c=", "RFC 8866 §5.7"));
    };
    let number_of_line = line.number;
    let allowed = "IN IP4 ADDRESS/TTL or IN IP6 ADDRESS is needed (RFC 8866 §5.7)";
    let parts: Vec<_> = line.value.split_ascii_whitespace().collect();
    let &["IN", kind, place] = parts.as_slice() else {
        return Err(SdpError::value(number_of_line, "c=", &line.value, allowed));
    };
    let (host, ttl) = match place.split_once('/') {
        Some((host, ttl)) => (host, Some(ttl)),
        None => (place, None),
    };
    let destination = address(number_of_line, "the address of c=", kind, host)?;
    let ttl = ttl.map(|ttl| {
        if destination.is_ipv6() {
            let allowed = "one address is possible, and IPv6 has no time to live here";
            return Err(SdpError::value(number_of_line, "c=", place, allowed));
        }
        number(
            number_of_line,
            "the time to live of c=",
            ttl,
            "0 to 255, and one address, is possible",
        )
    });
    Ok((destination, ttl.transpose()?))
}

/// The sender of the copy of a stream that is sent twice to one destination (RFC 7104 §4.1), if there is one.
pub(super) fn second_source(session: &Section, section: &Section, leg: Leg) -> Option<IpAddr> {
    let filters = [section, session].map(|it| it.attributes("source-filter").collect::<Vec<_>>());
    let filters = filters.iter().find(|filters| !filters.is_empty())?;
    let sources = read_sources(filters, leg.destination, duplicated(section)).ok()?;
    sources.get(1).copied()
}

/// Whether two synchronisation sources carry the same (`a=ssrc-group:DUP`, RFC 7104 §3.2).
fn duplicated(section: &Section) -> bool {
    section.attributes("ssrc-group").any(|(_, value)| {
        let mut parts = value.split_ascii_whitespace();
        parts.next() == Some("DUP") && parts.count() == 2
    })
}

/// The senders that `a=source-filter` includes for this destination (RFC 4570 §3): none for any, one, or two of which the second sends
/// a copy.
fn read_sources(
    filters: &[(usize, &str)],
    destination: IpAddr,
    duplicated: bool,
) -> Result<Vec<IpAddr>, SdpError> {
    let mut found: Vec<IpAddr> = Vec::new();
    for (line, value) in filters {
        let parts: Vec<_> = value.split_ascii_whitespace().collect();
        let allowed = "incl IN IP4 DESTINATION SOURCE is needed, with one source, or with two and a=ssrc-group:DUP for a stream that is \
                       sent twice (RFC 4570 §3, RFC 7104 §4.1)";
        let refuse = || SdpError::value(*line, "source-filter", value, allowed);
        let &["incl", "IN", kind, place, ref senders @ ..] = parts.as_slice() else {
            return Err(refuse());
        };
        let place: Option<IpAddr> = match place {
            "*" => None,
            place => Some(address(*line, "the destination of source-filter", kind, place)?),
        };
        if place.is_some_and(|place| place != destination) {
            continue;
        }
        let read = |sender: &&str| address(*line, "the source of source-filter", kind, sender);
        let senders = senders.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let clear = match senders.as_slice() {
            [_] => true,
            [first, second] => first != second && duplicated && destination.is_multicast(),
            _ => false,
        };
        if !clear || (!found.is_empty() && found != senders) {
            return Err(refuse());
        }
        found = senders;
    }
    Ok(found)
}

/// The parameter line of a payload type: what follows it.
fn of_payload_type<'a>(section: &'a Section, name: &'a str, pt: u8) -> Option<(usize, &'a str)> {
    section.attributes(name).find_map(|(line, value)| {
        let value = value.trim_start();
        let (number, rest) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
        (number.parse() == Ok(pt)).then_some((line, rest.trim()))
    })
}

fn read_essence(section: &Section, pt: u8) -> Result<Essence, SdpError> {
    // RFC 3551 §6: two static types that are linear PCM.
    let fixed = match pt {
        10 => Some("L16/44100/2"),
        11 => Some("L16/44100/1"),
        _ => None,
    };
    let mapped = of_payload_type(section, "rtpmap", pt);
    let Some((line, map)) = mapped.or(fixed.map(|map| (section.number(), map))) else {
        return Err(SdpError::missing(section.number(), "a=rtpmap", "RFC 8866 §6.6"));
    };
    let parts: Vec<_> = map.split('/').collect();
    let (encoding, clock, channels) = match *parts.as_slice() {
        [encoding, clock] => (encoding, clock, None),
        [encoding, clock, channels] => (encoding, clock, Some(channels)),
        _ => {
            let allowed = "ENCODING/RATE or ENCODING/RATE/CHANNELS is needed (RFC 8866 §6.6)";
            return Err(SdpError::value(line, "rtpmap", map, allowed));
        }
    };
    let clock: u32 = number(line, "the rate of rtpmap", clock, "a whole number is needed")?;
    let channels = channels
        .map(|text| number(line, "the channels of rtpmap", text, "a whole number is needed"))
        .transpose()?;
    let (parameters_line, parameters) = of_payload_type(section, "fmtp", pt).unwrap_or((line, ""));
    let parameters = Parameters::parse(parameters);
    let mut essence = Essence::read(parameters_line, encoding, clock, channels, &parameters)?;
    match &mut essence {
        Essence::Audio(audio) => {
            let time = |name: &'static str| {
                let allowed = "milliseconds are needed, more than 0";
                section.attribute(name).map_or(Ok(None), |(line, text)| {
                    let value: f64 = number(line, name, text, allowed)?;
                    // Written so that NaN is refused as well.
                    if value > 0.0 && value < 1000.0 {
                        return Ok(Some(value));
                    }
                    Err(SdpError::value(line, name, text, allowed))
                })
            };
            audio.ptime = time("ptime")?;
            audio.max_ptime = time("maxptime")?;
            audio.frame_count = section
                .attribute("framecount")
                .map(|(line, text)| number(line, "framecount", text, "a whole number is needed"))
                .transpose()?;
        }
        Essence::Video(_) | Essence::Compressed(_) | Essence::Ancillary(_) => {
            if clock != 90_000 {
                let allowed = "90000 is needed (ST 2110-10 §7.3)";
                return Err(SdpError::value(line, "the rate of rtpmap", map, allowed));
            }
        }
    }
    Ok(essence)
}

#[cfg(test)]
#[path = "stream_tests.rs"]
pub(super) mod tests;
