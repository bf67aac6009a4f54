//! SdpVersions of session descriptions (RFC 8866 §5.2).

use st2110::sdp::Document;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// So many sessions are remembered.
const MOST: usize = 1024;
/// From the epoch of NTP to that of the system, in seconds.
const NTP: u64 = 2_208_988_800;

/// Which version of which session has been described.
#[derive(Debug, Default)]
pub(super) struct SdpVersions(Mutex<HashMap<String, (Document, u64)>>);

impl SdpVersions {
    /// The version of a description: that of the last one of its session if nothing has changed, or
    /// else a larger one. It is at least the one that stands in the description.
    pub(super) fn of(&self, document: &Document) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.at(document, now.saturating_add(NTP))
    }

    /// The same at a time of NTP in seconds. As versions are times, as RFC 8866 recommends, those
    /// of a session whose number is given grow even if the proxy has been restarted in between, or
    /// has forgotten.
    fn at(&self, document: &Document, now: u64) -> u64 {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (session, least) = session(document);
        let version = match known.get(&session) {
            Some((last, version)) if last == document => return *version,
            Some((_, version)) => now.max(least).max(version.saturating_add(1)),
            None => now.max(least),
        };
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(session, (document.clone(), version));
        version
    }
}

/// What `o=` has beside the version, which is globally unique as it is meant; and the version.
fn session(document: &Document) -> (String, u64) {
    let origin = document.session.line('o').map_or("", |line| &line.value);
    let mut parts: Vec<_> = origin.split(' ').collect();
    let version = if parts.len() > 2 { parts.remove(2).parse().unwrap_or(0) } else { 0 };
    (parts.join(" "), version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_grows_when_the_description_changes() {
        let read = |session: &str, name: &str| {
            let text = format!("v=0\no=- {session} IN IP4 10.0.0.1\ns={name}\nt=0 0\n");
            Document::parse(&text).unwrap()
        };
        let versions = SdpVersions::default();
        assert_eq!(versions.at(&read("1 0", "a"), 100), 100);
        assert_eq!(versions.at(&read("1 0", "a"), 200), 100, "nothing has changed");
        assert_eq!(versions.at(&read("1 0", "b"), 200), 200);
        assert_eq!(versions.at(&read("1 0", "a"), 200), 201, "within a second");
        assert_eq!(versions.at(&read("1 0", "b"), 150), 202, "the clock was set back");
        assert_eq!(versions.at(&read("2 0", "b"), 150), 150, "another session");
        assert_eq!(versions.at(&read("3 900", "a"), 150), 900, "a given version");
        assert_eq!(versions.at(&read("3 900", "b"), 160), 901, "it has changed here");
    }
}
