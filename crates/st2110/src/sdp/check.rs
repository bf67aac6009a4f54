//! What is wrong with a session description.

use std::collections::BTreeSet;
use std::fmt;

use super::check_media::check_medium;
use super::document::Document;
use super::notes::Notes;
use super::reading::Reading;
use super::{SdpError, Stream};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// A standard demands something else; receivers may fail.
    Error,
    /// Allowed, but likely to cause trouble.
    Warning,
    /// Worth knowing.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// Something about a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// The line that it is about, counted from 1; 0 for the whole description.
    pub line: usize,
    /// Where the rule stands.
    pub clause: &'static str,
    /// What is wrong, and what would be right.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, line, clause, text } = self;
        if *line != 0 {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{severity}: {text} ({clause})")
    }
}

/// Findings as they are collected.
#[derive(Default)]
pub(super) struct Findings {
    all: Vec<Finding>,
}

impl Findings {
    pub(super) fn add(
        &mut self,
        severity: Severity,
        line: usize,
        clause: &'static str,
        text: impl Into<String>,
    ) {
        self.all.push(Finding { severity, line, clause, text: text.into() });
    }

    /// Adds those of another collection.
    pub(super) fn append(&mut self, others: Self) {
        self.all.extend(others.all);
    }

    pub(super) fn error(&mut self, line: usize, clause: &'static str, text: impl Into<String>) {
        self.add(Severity::Error, line, clause, text);
    }

    pub(super) fn warning(&mut self, line: usize, clause: &'static str, text: impl Into<String>) {
        self.add(Severity::Warning, line, clause, text);
    }

    pub(super) fn note(&mut self, line: usize, clause: &'static str, text: impl Into<String>) {
        self.add(Severity::Note, line, clause, text);
    }
}

/// Everything that is wrong with a description, in the order of its lines. Each fault is one
/// finding; what keeps a stream from being received is among them with the clause "the stream
/// cannot be read".
///
/// # Errors
/// The text is no description at all.
pub fn check(text: &str) -> Result<Vec<Finding>, SdpError> {
    let document = Document::parse(text)?;
    let mut findings = Findings::default();
    check_session(&document, &mut findings);
    let mut streams = Vec::new();
    for section in &document.media {
        let mut notes = Notes::default();
        let reading = Reading::of(&document.session, section, &mut notes);
        check_medium(&document.session, section, &reading, &mut notes.findings);
        findings.append(notes.findings);
        streams.extend(reading.stream());
    }
    check_groups(&document, &streams, &mut findings);
    let mut all = findings.all;
    all.sort_by_key(|finding| (finding.line, finding.severity));
    Ok(all)
}

/// What a receiver of a description should know: what of it is taken otherwise than its author may
/// have meant it. Nothing of a text that cannot be read.
#[must_use]
pub fn remarks(text: &str) -> Vec<Finding> {
    let Ok(document) = Document::parse(text) else { return Vec::new() };
    let mut notes = Notes::default();
    let read = |section| Reading::of(&document.session, section, &mut notes).stream();
    let streams: Vec<_> = document.media.iter().filter_map(read).collect();
    let mut findings = notes.findings;
    if let [first, second] = streams.as_slice()
        && first.is_copy_of(second, &document.session)
        && first.is_on_the_path_of(second)
    {
        let text = "both paths have the same source, destination and port; unless each has an interface of its own, one path is received";
        findings.warning(second.line, "ST 2110-10 §8.5", text);
    }
    findings.all.retain(|finding| finding.severity == Severity::Warning);
    findings.all
}

fn check_session(document: &Document, findings: &mut Findings) {
    let session = &document.session;
    for (letter, clause, what) in [
        ('o', "RFC 8866 §5.2", "o=, the origin"),
        ('s', "RFC 8866 §5.3", "s=, the session's name"),
        ('t', "RFC 8866 §5.9", "t=, the time"),
    ] {
        if session.line(letter).is_none() {
            findings.error(0, clause, format!("{what}, is missing"));
        }
    }
    if let Some(line) = session.line('o') {
        let parts: Vec<_> = line.value.split_ascii_whitespace().collect();
        let whole = |text: &str| text.parse::<u64>().is_ok();
        let good = matches!(parts.as_slice(), [_, id, version, "IN", "IP4" | "IP6", _]
            if whole(id) && whole(version));
        if !good {
            let text = "o= is not USER SESSION-ID VERSION IN IP4|IP6 ADDRESS with numbers";
            findings.error(line.number, "RFC 8866 §5.2", text);
        }
    }
    if document.media.is_empty() {
        findings.error(0, "RFC 8866 §5.14", "there is no m=, so no stream");
    }
    // Letters have a fixed order; several bandwidths, repetitions and attributes may follow each
    // other.
    const ORDER: &str = "vosiuepcbtrzka";
    const MEDIA_ORDER: &str = "micbka";
    let sections = std::iter::once((session, ORDER));
    for (section, order) in sections.chain(document.media.iter().map(|m| (m, MEDIA_ORDER))) {
        let mut last = 0;
        for line in &section.lines {
            match order.find(line.letter) {
                None => {
                    let text = format!("{}= does not belong here", line.letter);
                    findings.error(line.number, "RFC 8866 §5", text);
                }
                Some(place) if place < last => {
                    let text = format!("{}= is out of order, which is {order}", line.letter);
                    findings.error(line.number, "RFC 8866 §5", text);
                }
                Some(place) => last = place,
            }
        }
    }
}

fn check_groups(document: &Document, streams: &[Stream], findings: &mut Findings) {
    let mut mids = BTreeSet::new();
    // Those of media that cannot be read as well: one fault is enough.
    for section in &document.media {
        if let Some((line, mid)) = section.attribute("mid")
            && !mids.insert(mid.trim())
        {
            let text = format!("mid {:?} stands at two media", mid.trim());
            findings.error(line, "RFC 5888 §4", text);
        }
    }
    for (line, value) in document.session.attributes("group") {
        for mid in value.split_ascii_whitespace().skip(1) {
            if !mids.contains(mid) {
                let text = format!("group names {mid:?}, and no medium has that mid");
                findings.error(line, "RFC 5888 §5", text);
            }
        }
    }
    for (n, first) in streams.iter().enumerate() {
        for second in &streams[n + 1..] {
            let leg = |stream: &Stream| (stream.leg.destination, stream.leg.port);
            if first.is_copy_of(second, &document.session) {
                if first.essence != second.essence || first.payload_type != second.payload_type {
                    let text = format!(
                        "the paths at lines {} and {} carry different things",
                        first.line, second.line
                    );
                    findings.error(second.line, "ST 2022-7 §6", text);
                }
                if first.is_on_the_path_of(second) {
                    let text =
                        "both paths have the same source, destination and port: that is one path";
                    findings.error(second.line, "ST 2110-10 §8.5", text);
                }
            } else if leg(first) == leg(second) {
                let text = format!("the same destination and port as at line {}", first.line);
                findings.error(second.line, "RFC 8866 §5.14", text);
            }
        }
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
