//! Reading of one medium, with what it takes over from the session.

use std::net::IpAddr;

use super::document::Section;
use super::notes::Notes;
use super::place::{Place, Senders, duplicated, read_place, read_senders};
use super::value::number;
use super::{Essence, Leg, Parameters, SdpError, Stream};
use crate::audio::Coding;
use crate::reference::{MediaClockSource, ReferenceClock, ReferenceError};

/// What can be understood of a medium, and where it stands.
pub(super) struct Reading {
    /// Line of `m=`.
    pub(super) line: usize,
    pub(super) mid: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) payload_type: Option<u8>,
    pub(super) place: Option<Place>,
    pub(super) senders: Senders,
    /// What it carries. A size that cannot be read is 0.
    pub(super) essence: Option<Essence>,
    /// Line of `a=rtpmap`.
    pub(super) map_line: usize,
    /// Line of `a=fmtp`, or of `a=rtpmap` if there is none.
    pub(super) parameters_line: usize,
    pub(super) parameters: Parameters,
    pub(super) bandwidth: Option<u64>,
    /// With their lines.
    pub(super) reference_clocks: Vec<(usize, ReferenceClock)>,
    /// With its line.
    pub(super) media_clock: Option<(usize, MediaClockSource)>,
}

impl Reading {
    /// Reads as much as can be understood.
    pub(super) fn of(session: &Section, section: &Section, notes: &mut Notes) -> Self {
        let both = |name: &'static str| -> Vec<(usize, &str)> {
            let own: Vec<_> = section.attributes(name).collect();
            if own.is_empty() { session.attributes(name).collect() } else { own }
        };
        let medium = read_medium(section, notes);
        let place = read_place(session, section, notes);
        let senders = place.and_then(|place| {
            let filters = both("source-filter");
            notes.need(read_senders(&filters, place.destination, duplicated(section)))
        });
        let clause = "ST 2110-10 §8.2, RFC 7273 §4.8";
        let clocks = both("ts-refclk").into_iter();
        let reference_clocks = clocks
            .filter_map(|(line, text)| {
                notes.try_read(clause, clock(line, text)).map(|clock| (line, clock))
            })
            .collect();
        let media_clock = both("mediaclk").first().and_then(|(line, text)| {
            let clause = "ST 2110-10 §8.3, RFC 7273 §5.4";
            notes.try_read(clause, clock(*line, text)).map(|clock| (*line, clock))
        });
        let mut reading = Self {
            line: section.number(),
            mid: section.attribute("mid").map(|(_, mid)| mid.trim().to_owned()),
            port: medium.as_ref().map(|(port, _)| *port),
            payload_type: medium.map(|(_, payload_type)| payload_type),
            place,
            senders: senders.unwrap_or_default(),
            essence: None,
            map_line: section.number(),
            parameters_line: section.number(),
            parameters: Parameters::default(),
            bandwidth: section.lines.iter().find_map(|line| {
                line.value.strip_prefix("AS:").filter(|_| line.letter == 'b')?.trim().parse().ok()
            }),
            reference_clocks,
            media_clock,
        };
        if let Some(payload_type) = reading.payload_type {
            reading.read_essence(section, payload_type, notes);
        }
        reading
    }

    /// The stream, if all is there that it needs.
    pub(super) fn stream(self) -> Option<Stream> {
        let place = self.place?;
        Some(Stream {
            line: self.line,
            mid: self.mid,
            leg: Leg {
                destination: place.destination,
                ttl: place.ttl,
                port: self.port?,
                source: self.senders.included.first().copied(),
            },
            excluded: self.senders.excluded,
            payload_type: self.payload_type?,
            essence: self.essence?,
            bandwidth: self.bandwidth,
            reference_clocks: self.reference_clocks.into_iter().map(|(_, clock)| clock).collect(),
            media_clock: self.media_clock.map(|(_, clock)| clock),
        })
    }

    fn read_essence(&mut self, section: &Section, pt: u8, notes: &mut Notes) {
        let Some((line, map)) = map_of(section, pt) else {
            return notes.fatal(SdpError::missing(section.number(), "a=rtpmap", "RFC 8866 §6.6"));
        };
        self.map_line = line;
        let (parameters_line, parameters) =
            of_payload_type(section, "fmtp", pt).unwrap_or((line, ""));
        self.parameters_line = parameters_line;
        self.parameters = Parameters::parse(parameters);
        let Some((encoding, clock, channels)) = notes.need(read_map(line, map)) else { return };
        let Some(mut essence) = Essence::read(
            line,
            parameters_line,
            encoding,
            (clock, channels),
            &self.parameters,
            notes,
        ) else {
            return;
        };
        match &mut essence {
            Essence::Audio(audio) => {
                audio.ptime = read_time(section, "ptime", notes);
                audio.max_ptime = read_time(section, "maxptime", notes);
                audio.frame_count = section.attribute("framecount").and_then(|(line, text)| {
                    let count = number(line, "framecount", text, "a whole number is needed");
                    notes.try_read("RFC 3190 §5", count)
                });
            }
            Essence::Video(_) | Essence::Compressed(_) | Essence::Ancillary(_) => {
                if clock != 90_000 {
                    let allowed = "90000 is needed (ST 2110-10 §7.3)";
                    notes.fatal(SdpError::value(line, "the rate of rtpmap", map, allowed));
                }
            }
        }
        self.essence = Some(essence);
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

/// Port and payload type of `m=`. Of several payload types the first is taken that says what it is,
/// if possible something that is known here.
fn read_medium(section: &Section, notes: &mut Notes) -> Option<(u16, u8)> {
    let line = section.number();
    let value = section.line('m').map_or("", |line| &line.value);
    let parts: Vec<_> = value.split_ascii_whitespace().collect();
    let whole = "MEDIUM PORT RTP/AVP PAYLOAD-TYPE is needed (RFC 8866 §5.14)";
    let &[_, port, protocol, ref formats @ ..] = parts.as_slice() else {
        notes.fatal(SdpError::value(line, "m=", value, whole));
        return None;
    };
    if formats.is_empty() {
        notes.fatal(SdpError::value(line, "m=", value, whole));
        return None;
    }
    if !matches!(protocol, "RTP/AVP" | "RTP/AVPF") {
        let allowed = "RTP/AVP is possible";
        notes.fatal(SdpError::value(line, "the protocol of m=", protocol, allowed));
        return None;
    }
    let allowed = "a UDP port is needed, one only";
    let read = number(line, "the port of m=", port, allowed).and_then(|number| match number {
        0 => Err(SdpError::value(line, "the port of m=", port, allowed)),
        number => Ok(number),
    });
    let port = notes.need(read);
    let types = formats.iter().map(|format| {
        let allowed = "0 to 127 is possible";
        let error = || SdpError::value(line, "the payload type of m=", format, allowed);
        format.parse().ok().filter(|number: &u8| *number <= 127).ok_or_else(error)
    });
    let types = notes.need(types.collect::<Result<Vec<_>, _>>())?;
    let mapped = |pt: &&u8| map_of(section, **pt).is_some();
    let known = |pt: &&u8| {
        map_of(section, **pt)
            .is_some_and(|(_, map)| Essence::is_known(map.split('/').next().unwrap_or_default()))
    };
    let chosen = types.iter().find(known).or_else(|| types.iter().find(mapped));
    let chosen = *chosen.or(types.first())?;
    if types.len() > 1 {
        let text =
            format!("m= has payload types {}: {chosen} alone is received", formats.join(", "));
        notes.findings.warning(line, "ST 2110-10 §6.2", text);
    }
    Some((port?, chosen))
}

/// The parameter line of a payload type: what follows it.
fn of_payload_type<'a>(section: &'a Section, name: &'a str, pt: u8) -> Option<(usize, &'a str)> {
    section.attributes(name).find_map(|(line, value)| {
        let value = value.trim_start();
        let (number, rest) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
        (number.parse() == Ok(pt)).then_some((line, rest.trim()))
    })
}

/// What a payload type is: `a=rtpmap`, or the static assignment of linear PCM (RFC 3551 §6).
fn map_of(section: &Section, pt: u8) -> Option<(usize, &str)> {
    let fixed = match pt {
        10 => Some("L16/44100/2"),
        11 => Some("L16/44100/1"),
        _ => None,
    };
    let fixed = fixed.map(|map| (section.number(), map));
    of_payload_type(section, "rtpmap", pt).or(fixed)
}

/// Encoding, rate and channels.
fn read_map(line: usize, map: &str) -> Result<(&str, u32, Option<u16>), SdpError> {
    let parts: Vec<_> = map.split('/').collect();
    let (encoding, clock, channels) = match *parts.as_slice() {
        [encoding, clock] => (encoding, clock, None),
        [encoding, clock, channels] => (encoding, clock, Some(channels)),
        _ => {
            let allowed = "ENCODING/RATE or ENCODING/RATE/CHANNELS is needed (RFC 8866 §6.6)";
            return Err(SdpError::value(line, "rtpmap", map, allowed));
        }
    };
    let clock = number(line, "the rate of rtpmap", clock, "a whole number is needed")?;
    let channels = channels
        .map(|text| number(line, "the channels of rtpmap", text, "a whole number is needed"));
    Ok((encoding, clock, channels.transpose()?))
}

/// A time of audio packets in milliseconds.
fn read_time(section: &Section, name: &'static str, notes: &mut Notes) -> Option<f64> {
    let (line, text) = section.attribute(name)?;
    const ALLOWED: &str = "1, 0.125, 0.25, 0.33, 4 or 0.08 ms are possible";
    let time = match text.trim().parse::<f64>() {
        Ok(time) if time > 0.0 && time < 1000.0 => Ok(time),
        Ok(time) => Err(SdpError::value(line, name, &format!("{time} ms"), ALLOWED)),
        Err(_) => Err(SdpError::value(line, name, text, ALLOWED)),
    };
    notes.try_read("RFC 8866 §6.4", time)
}

/// The sender of the copy of a stream that is sent twice to one destination (RFC 7104 §4.1), if
/// there is one.
#[must_use]
pub fn second_source(session: &Section, section: &Section, leg: Leg) -> Option<IpAddr> {
    let filters = [section, session].map(|it| it.attributes("source-filter").collect::<Vec<_>>());
    let filters = filters.iter().find(|filters| !filters.is_empty())?;
    let senders = read_senders(filters, leg.destination, duplicated(section)).ok()?;
    senders.included.get(1).copied()
}

impl Essence {
    /// Whether there is something that can be received by this name.
    fn is_known(encoding: &str) -> bool {
        Coding::from_name(encoding).is_some()
            || ["raw", "jxsv", "smpte291"].iter().any(|known| known.eq_ignore_ascii_case(encoding))
    }
}
