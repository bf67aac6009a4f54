//! Where a stream goes, and from whom: `c=` and `a=source-filter`.

use std::net::IpAddr;

use super::SdpError;
use super::document::Section;
use super::notes::Notes;
use super::value::{address, number};

/// Where packets go, as `c=` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) destination: IpAddr,
    pub(super) ttl: Option<u8>,
}

/// Destination and time to live. Of several lines, which stand for layers of a coding that ST 2110
/// does not have, the first counts.
pub(super) fn read_place(session: &Section, section: &Section, notes: &mut Notes) -> Option<Place> {
    let own = |section: &Section| section.lines.iter().filter(|line| line.letter == 'c').count();
    let of = if own(section) > 0 { section } else { session };
    let mut lines = of.lines.iter().filter(|line| line.letter == 'c');
    let Some(line) = lines.next() else {
        notes.fatal(SdpError::missing(section.number(), "c=", "RFC 8866 §5.7"));
        return None;
    };
    let place = notes.need(place(line.number, &line.value))?;
    for other in lines {
        let text = format!(
            "c= stands more than once: {} alone is received, and {} is not",
            place.destination, other.value
        );
        notes.findings.warning(other.number, "RFC 8866 §5.7", text);
    }
    Some(place)
}

fn place(line: usize, value: &str) -> Result<Place, SdpError> {
    let parts: Vec<_> = value.split_ascii_whitespace().collect();
    let &["IN", kind, place] = parts.as_slice() else {
        let allowed = "IN IP4 ADDRESS/TTL or IN IP6 ADDRESS is needed (RFC 8866 §5.7)";
        return Err(SdpError::value(line, "c=", value, allowed));
    };
    let mut parts = place.split('/');
    let destination = address(line, "the address of c=", kind, parts.next().unwrap_or_default())?;
    let allowed = "0 to 255 is possible";
    let ttl = if destination.is_ipv4() { parts.next() } else { None };
    let ttl = ttl.map(|ttl| number(line, "the time to live of c=", ttl, allowed)).transpose()?;
    let count = parts.next();
    let one = count.is_none_or(|count| count.trim().parse() == Ok(1_u32));
    if !one || parts.next().is_some() {
        let allowed = if destination.is_ipv4() {
            "ADDRESS/TTL or ADDRESS/TTL/1, one address, is possible (RFC 8866 §5.7)"
        } else {
            "ADDRESS or ADDRESS/1, one address, is possible; IPv6 has no time to live here (RFC 8866 §5.7)"
        };
        return Err(SdpError::value(line, "c=", place, allowed));
    }
    Ok(Place { line, destination, ttl })
}

/// Whether two synchronisation sources carry the same (`a=ssrc-group:DUP`, RFC 7104 §3.2).
pub(super) fn duplicated(section: &Section) -> bool {
    section.attributes("ssrc-group").any(|(_, value)| {
        let mut parts = value.split_ascii_whitespace();
        parts.next() == Some("DUP") && parts.count() == 2
    })
}

/// Senders, as `a=source-filter` names them for one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Senders {
    /// None for any, one, or two of which the second sends a copy.
    pub(super) included: Vec<IpAddr>,
    /// Those that are not the stream's.
    pub(super) excluded: Vec<IpAddr>,
}

/// The senders of a stream (RFC 4570 §3).
pub(super) fn read_senders(
    filters: &[(usize, &str)],
    destination: IpAddr,
    duplicated: bool,
) -> Result<Senders, SdpError> {
    let mut found = Senders::default();
    for (line, value) in filters {
        let parts: Vec<_> = value.split_ascii_whitespace().collect();
        let allowed = "incl IN IP4 DESTINATION SOURCE is needed, with one source, or with two and a=ssrc-group:DUP for a stream that is \
                       sent twice; or excl with any number of sources (RFC 4570 §3, RFC 7104 §4.1)";
        let refuse = || SdpError::value(*line, "source-filter", value, allowed);
        let &[mode @ ("incl" | "excl"), "IN", kind, place, ref senders @ ..] = parts.as_slice()
        else {
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
        if mode == "excl" {
            if senders.is_empty() {
                return Err(refuse());
            }
            let new = senders.into_iter().filter(|it| it.is_ipv4() == destination.is_ipv4());
            found.excluded.extend(new);
            continue;
        }
        let clear = match senders.as_slice() {
            [_] => true,
            [first, second] => first != second && duplicated && destination.is_multicast(),
            _ => false,
        };
        if !clear || (!found.included.is_empty() && found.included != senders) {
            return Err(refuse());
        }
        found.included = senders;
    }
    // Who is included is not excluded, and nobody else is included.
    if !found.included.is_empty() {
        found.excluded.clear();
    }
    Ok(found)
}
