//! A description that was given for a stream, with what the mesh decides put in its place.
//!
//! Whoever made the given one knows what the mesh does not: the session's name, what the colours
//! mean, which channels these are, and whatever its receivers understand beyond the standards.

use super::document::{Document, Line, Section};
use super::{Essence, Parameters, Stream};

/// The order of a session's lines (RFC 8866 §5).
const SESSION: &str = "vosiuepcbtrzka";
/// The order of a medium's lines.
const MEDIUM: &str = "micbka";
/// Attributes that say where packets go, what they look like and what time they have, which is what
/// the mesh decides.
const DECIDED: [&str; 10] = [
    "source-filter",
    "rtpmap",
    "fmtp",
    "ptime",
    "maxptime",
    "framecount",
    "ts-refclk",
    "mediaclk",
    "ssrc",
    "ssrc-group",
];
/// Parameters of another sender's timing and packets.
const NOT_OURS: [&str; 4] = ["TROFF", "CMAX", "MAXUDP", "TM"];
/// Parameters that stay as they were given.
const GIVEN: [&str; 6] = ["colorimetry", "TCS", "RANGE", "PAR", "SSN", "channel-order"];
/// Parameters that mean something else where they are absent: square pixels, channels of which
/// nothing is known.
const ABSENT_BY_INTENT: [&str; 2] = ["PAR", "channel-order"];

/// The layout of a sampling: constant luminance and ICtCp have that of YCbCr, and differ only in
/// what their components mean.
#[must_use]
pub fn layout(sampling: &str) -> String {
    sampling.strip_prefix("CL").unwrap_or(sampling).replace("ICtCp", "YCbCr")
}

/// `composed`, as the template words it. The first `paths` media of `composed` are the stream's,
/// others those of ancillary data beside it. A template whose streams cannot be read is none.
#[must_use]
pub fn fill(template: &Document, composed: &Document, paths: usize) -> Document {
    let Ok(streams) = Stream::read_all(template) else { return composed.clone() };
    let beside = streams.iter().any(|stream| stream.essence.picture().is_some());
    let given: Vec<_> = template.media.iter().zip(&streams).collect();
    let (ancillary, own): (Vec<_>, Vec<_>) = given
        .into_iter()
        .partition(|(_, stream)| beside && matches!(stream.essence, Essence::Ancillary(_)));
    let place = |n: usize| match n.checked_sub(paths) {
        Some(n) => (&ancillary, n),
        None => (&own, n),
    };
    let given = |n| {
        let (media, n) = place(n);
        media.get(n).copied()
    };
    let mids = mids(composed, given);
    let media = composed.media.iter().enumerate().map(|(n, section)| {
        let mid = mids[n].as_ref().map(|(_, mid)| mid.as_str());
        // A path that was not given carries the same as the one that was.
        medium(given(n).or(place(n).0.first().copied()), section, mid)
    });
    Document { media: media.collect(), session: session(template, composed, &mids) }
}

/// For each composed medium: its composed name and the one that it gets.
type Mids = Vec<Option<(String, String)>>;

/// Given names stay. The others must differ from them.
fn mids<'a>(
    composed: &Document,
    given: impl Fn(usize) -> Option<(&'a Section, &'a Stream)>,
) -> Mids {
    let of = |n| given(n).and_then(|(_, stream)| stream.mid.clone());
    let taken: Vec<_> = (0..composed.media.len()).filter_map(of).collect();
    let name = |(n, section): (usize, &Section)| {
        let own = section.attribute("mid").map(|(_, mid)| mid.to_owned());
        let mut mid = of(n).or_else(|| own.clone())?;
        while of(n).is_none() && taken.contains(&mid) {
            mid.push('+');
        }
        Some((own.unwrap_or_default(), mid))
    };
    composed.media.iter().enumerate().map(name).collect()
}

fn session(template: &Document, composed: &Document, mids: &Mids) -> Section {
    let mut session = Section::default();
    let there = |mid: &&str| mids.iter().flatten().any(|(_, given)| given == mid);
    for line in &template.session.lines {
        let (name, value) = attribute(line);
        match (line.letter, name) {
            // Each medium has its own.
            ('c', _) | ('a', "source-filter" | "ts-refclk" | "mediaclk") => {}
            ('o', _) => session.push('o', origin(line, composed)),
            ('a', "group") => {
                let mut parts = value.split_ascii_whitespace();
                let kind = parts.next().unwrap_or_default();
                let left: Vec<_> = parts.filter(there).collect();
                if left.len() > 1 {
                    session.push_attribute("group", format_args!("{kind} {}", left.join(" ")));
                }
            }
            _ => session.lines.push(line.clone()),
        }
    }
    for line in &composed.session.lines {
        if line.letter != 'a' && session.line(line.letter).is_none() {
            insert(&mut session, SESSION, line.clone());
        }
    }
    for (_, group) in composed.session.attributes("group") {
        let renamed = group.split(' ').map(|word| {
            let known = mids.iter().flatten().find(|(composed, _)| composed == word);
            known.map_or(word, |(_, given)| given.as_str())
        });
        let renamed = renamed.collect::<Vec<_>>().join(" ");
        if !session.attributes("group").any(|(_, value)| same_words(value, &renamed)) {
            session.push_attribute("group", renamed);
        }
    }
    session
}

/// Whether two groups name the same media, in whatever order.
fn same_words(a: &str, b: &str) -> bool {
    let sorted = |text: &str| {
        let mut words: Vec<_> = text.split_ascii_whitespace().map(str::to_owned).collect();
        words.sort();
        words
    };
    sorted(a) == sorted(b)
}

/// `o=` with the given user and session, from this host. The version is at least the given one.
fn origin(given: &Line, composed: &Document) -> String {
    let own = composed.session.line('o').map_or("", |line| &line.value);
    let parts: Vec<_> = given.value.split_ascii_whitespace().collect();
    let ours: Vec<_> = own.split_ascii_whitespace().collect();
    let (&[user, id, version, ..], &[_, _, ours, net, kind, address]) =
        (parts.as_slice(), ours.as_slice())
    else {
        return own.to_owned();
    };
    let number = |text: &str| text.parse::<u64>();
    let (Ok(_), Ok(version), Ok(ours)) = (number(id), number(version), number(ours)) else {
        return own.to_owned();
    };
    format!("{user} {id} {} {net} {kind} {address}", version.max(ours))
}

/// Name and value of an attribute.
fn attribute(line: &Line) -> (&str, &str) {
    line.value.split_once(':').unwrap_or((&line.value, ""))
}

fn medium(given: Option<(&Section, &Stream)>, composed: &Section, mid: Option<&str>) -> Section {
    let Some((given, stream)) = given else {
        let mut section = composed.clone();
        for line in &mut section.lines {
            if let (true, Some(mid)) = (attribute(line).0 == "mid" && line.letter == 'a', mid) {
                line.value = format!("mid:{mid}");
            }
        }
        return section;
    };
    let ours = |letter, name: &str| {
        let same = move |line: &&Line| line.letter == letter;
        let named = |line: &&Line| letter != 'a' || attribute(line).0 == name;
        composed.lines.iter().filter(same).filter(named).cloned().collect::<Vec<_>>()
    };
    let bandwidth = !ours('b', "").is_empty();
    let mut section = Section::default();
    let mut done: Vec<&str> = Vec::new();
    for line in &given.lines {
        let (name, value) = attribute(line);
        match line.letter {
            'm' => section.lines.extend(ours('m', "")),
            'c' => {}
            'b' if bandwidth && line.value.starts_with("AS:") => {}
            'a' if name == "mid" => {}
            'a' if DECIDED.contains(&name) => {
                if done.contains(&name) || !concerns(name, value, stream.payload_type) {
                    continue;
                }
                done.push(name);
                section.lines.extend(ours('a', name).into_iter().filter_map(|line| match name {
                    "fmtp" => parameters(line, value),
                    _ => Some(line),
                }));
            }
            _ => section.lines.push(line.clone()),
        }
    }
    for line in composed.lines.iter().filter(|line| matches!(line.letter, 'c' | 'b')) {
        insert(&mut section, MEDIUM, line.clone());
    }
    let missing = |line: &&Line| {
        let name = attribute(line).0;
        line.letter == 'a' && name != "mid" && !done.contains(&name)
    };
    section.lines.extend(composed.lines.iter().filter(missing).cloned().filter_map(|line| {
        match attribute(&line).0 {
            "fmtp" => parameters(line, ""),
            _ => Some(line),
        }
    }));
    if let Some(mid) = mid {
        section.push_attribute("mid", mid);
    }
    section
}

/// Whether a line of a payload type is about this one.
fn concerns(name: &str, value: &str, payload_type: u8) -> bool {
    let number = value.split_ascii_whitespace().next().and_then(|text| text.parse::<u8>().ok());
    !matches!(name, "rtpmap" | "fmtp") || number == Some(payload_type)
}

/// Puts a line behind those that come before it.
fn insert(section: &mut Section, order: &str, line: Line) {
    let place = order.find(line.letter);
    let later = |other: &Line| order.find(other.letter) > place;
    let at = section.lines.iter().position(later).unwrap_or(section.lines.len());
    section.lines.insert(at, line);
}

/// The composed line `a=fmtp` with the given parameters, `given` being what follows the colon.
/// `None` if there is nothing to say.
fn parameters(mut composed: Line, given: &str) -> Option<Line> {
    let (_, value) = attribute(&composed);
    let (number, ours) = value.split_once(' ').unwrap_or((value, ""));
    let (_, given) = given.trim_start().split_once(char::is_whitespace).unwrap_or_default();
    let merged = merge(&Parameters::parse(ours), &Parameters::parse(given));
    composed.value = format!("fmtp:{number} {merged}");
    (merged != Parameters::default()).then_some(composed)
}

fn merge(composed: &Parameters, given: &Parameters) -> Parameters {
    let named = |names: &[&str], name: &str| names.iter().any(|it| it.eq_ignore_ascii_case(name));
    // What receivers see as the same layout may have another meaning: ICtCp, constant luminance.
    let stays = |name: &str, value: Option<&str>| {
        named(&GIVEN, name)
            || name.eq_ignore_ascii_case("sampling")
                && value.map(layout) == composed.get(name).map(layout)
    };
    let mut merged = Parameters::default();
    for (name, value) in given.entries() {
        let gone = matches!(name, "interlace" | "segmented") && !composed.has(name);
        if named(&NOT_OURS, name) || gone {
            continue;
        }
        match (stays(name, value), composed.get(name).or(value)) {
            (true, _) => merged.push_entry(name, value),
            (false, ours) => merged.push_entry(name, ours),
        }
    }
    for (name, value) in composed.entries() {
        let implied = named(&ABSENT_BY_INTENT, name) || (name, value) == ("TCS", Some("SDR"));
        if !merged.has(name) && !implied {
            merged.push_entry(name, value);
        }
    }
    merged
}
