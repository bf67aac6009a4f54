//! The parameters of a format: `a=fmtp`.

use std::fmt;

/// Parameters in the order in which they stand: `name=value` or `name`, separated by semicolons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    entries: Vec<(String, Option<String>)>,
}

impl Parameters {
    /// Reads what follows the payload type. White space around names and values is dropped; empty
    /// pieces too.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let piece = |piece: &str| {
            let (name, value) = match piece.split_once('=') {
                Some((name, value)) => (name, Some(value.trim().to_owned())),
                None => (piece, None),
            };
            let name = name.trim();
            (!name.is_empty()).then(|| (name.to_owned(), value))
        };
        Self { entries: text.split(';').filter_map(piece).collect() }
    }

    /// The value of a parameter, the first one of this name. Names are compared without regard to
    /// case, and quotes around the value, which some senders write, do not belong to it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let entry = self.entries.iter().find(|entry| entry.0.eq_ignore_ascii_case(name))?;
        entry.1.as_deref().map(|value| Self::unquoted(value).unwrap_or(value))
    }

    /// What is between the quotes of a value that has some.
    pub(super) fn unquoted(value: &str) -> Option<&str> {
        let bare = value.strip_prefix('"')?.strip_suffix('"')?;
        Some(bare.trim())
    }

    /// The values of all parameters of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let same = move |entry: &&(String, Option<String>)| entry.0.eq_ignore_ascii_case(name);
        self.entries.iter().filter(same).filter_map(|entry| entry.1.as_deref())
    }

    /// Whether a parameter is there, with a value or without.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|entry| entry.0.eq_ignore_ascii_case(name))
    }

    /// Appends a parameter with a value.
    pub fn push(&mut self, name: &str, value: impl fmt::Display) {
        self.entries.push((name.to_owned(), Some(value.to_string())));
    }

    /// Appends a parameter without a value.
    pub fn push_flag(&mut self, name: &str) {
        self.entries.push((name.to_owned(), None));
    }

    /// Appends a parameter if it has a value.
    pub fn push_some<T: fmt::Display>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }

    /// All parameters, in order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// Appends a parameter with a value or without.
    pub(super) fn push_entry(&mut self, name: &str, value: Option<&str>) {
        self.entries.push((name.to_owned(), value.map(str::to_owned)));
    }

    /// The parameters that `known` does not name.
    pub(super) fn others(&self, known: &[&str]) -> Vec<(String, Option<String>)> {
        let unknown = |entry: &&(String, Option<String>)| {
            !known.iter().any(|name| name.eq_ignore_ascii_case(&entry.0))
        };
        self.entries.iter().filter(unknown).cloned().collect()
    }

    /// Appends parameters as they are.
    pub(super) fn extend(&mut self, others: &[(String, Option<String>)]) {
        self.entries.extend_from_slice(others);
    }
}

impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (name, value)) in self.entries.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            match value {
                Some(value) => write!(f, "{separator}{name}={value}")?,
                None => write!(f, "{separator}{name}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_senders_use() {
        let parameters =
            Parameters::parse(" sampling=YCbCr-4:2:2; depth = 10;width=1920;interlace ;; x;");
        assert_eq!(parameters.get("sampling"), Some("YCbCr-4:2:2"));
        assert_eq!(parameters.get("DEPTH"), Some("10"));
        assert!(parameters.has("interlace") && parameters.get("interlace").is_none());
        assert_eq!(
            parameters.to_string(),
            "sampling=YCbCr-4:2:2; depth=10; width=1920; interlace; x"
        );
        assert_eq!(parameters.others(&["Sampling", "depth", "width"]).len(), 2);
    }

    #[test]
    fn a_name_may_come_several_times() {
        let parameters = Parameters::parse("DID_SDID={0x61,0x02};DID_SDID={0x41,0x05}");
        let all: Vec<_> = parameters.all("DID_SDID").collect();
        assert_eq!(all, ["{0x61,0x02}", "{0x41,0x05}"]);
    }
}
