//! A strict Prometheus scraper.

use std::collections::{BTreeMap, BTreeSet};
use testkit::http;

/// One sample.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its name, with the suffix of a histogram's.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// All that a page says.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// The types of families by their names.
    pub types: BTreeMap<String, String>,
    /// All samples in order.
    pub samples: Vec<Sample>,
}

impl Scrape {
    /// Asks a server on this host.
    ///
    /// # Panics
    /// If it does not answer, or not in the format.
    #[must_use]
    pub fn of(port: u16) -> Self {
        let answer = http::get(([127, 0, 0, 1], port).into(), "/metrics");
        let http::Answer { status, head, body } = answer.expect("an answer");
        assert_eq!(status, 200, "{head}");
        let is_text = |line: &str| {
            line.eq_ignore_ascii_case("content-type: text/plain; version=0.0.4; charset=utf-8")
        };
        assert!(head.lines().any(is_text), "{head}");
        Self::read(&body).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Reads a page, more strictly than Prometheus does: every sample belongs to the family before
    /// it, which has an explanation and a type; no name and no set of labels comes twice; counters
    /// are whole or positive; histograms add up.
    ///
    /// # Errors
    /// The line and what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut scrape = Self::default();
        let (mut help, mut family) = (None, None::<(String, String)>);
        let mut seen = BTreeSet::new();
        if !text.is_empty() && !text.ends_with('\n') {
            return Err("the last line has no end".into());
        }
        for line in text.lines() {
            let wrong = |why: &str| format!("{why}: {line}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, words) = rest.split_once(' ').ok_or_else(|| wrong("no explanation"))?;
                if words.trim().is_empty() {
                    return Err(wrong("no explanation"));
                }
                help = Some(name.to_owned());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong("no type"))?;
                if help.take().as_deref() != Some(name) {
                    return Err(wrong("no HELP before it"));
                }
                if !["counter", "gauge", "histogram"].contains(&kind) {
                    return Err(wrong("no such type"));
                }
                if name.ends_with("_total") != (kind == "counter") {
                    return Err(wrong("counters, and they alone, end with _total"));
                }
                if scrape.types.insert(name.to_owned(), kind.to_owned()).is_some() {
                    return Err(wrong("comes twice"));
                }
                family = Some((name.to_owned(), kind.to_owned()));
            } else {
                let sample = sample(line).ok_or_else(|| wrong("no sample"))?;
                let (name, kind) = family.as_ref().ok_or_else(|| wrong("no family"))?;
                let suffix = sample.name.strip_prefix(name.as_str());
                let fits = match kind.as_str() {
                    "histogram" => matches!(suffix, Some("_bucket" | "_sum" | "_count")),
                    _ => suffix == Some(""),
                };
                if !fits {
                    return Err(wrong("does not belong to its family"));
                }
                if kind == "counter" && (sample.value.is_nan() || sample.value < 0.0) {
                    return Err(wrong("no count"));
                }
                if !seen.insert((sample.name.clone(), sample.labels.clone())) {
                    return Err(wrong("comes twice"));
                }
                scrape.samples.push(sample);
            }
        }
        scrape.check_histograms()?;
        Ok(scrape)
    }

    fn check_histograms(&self) -> Result<(), String> {
        for (name, _) in self.types.iter().filter(|(_, kind)| *kind == "histogram") {
            for count in self.all(&format!("{name}_count"), &[]) {
                let labels: Vec<_> =
                    count.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                let buckets = self.all(&format!("{name}_bucket"), &labels);
                let values: Vec<_> = buckets.iter().map(|bucket| bucket.value).collect();
                let last = buckets.last().map(|bucket| bucket.labels["le"].as_str());
                if !values.is_sorted()
                    || values.last() != Some(&count.value)
                    || last != Some("+Inf")
                {
                    return Err(format!("{name}: buckets {values:?}, count {}", count.value));
                }
                if self.all(&format!("{name}_sum"), &labels).len() != 1 {
                    return Err(format!("{name}: no sum"));
                }
            }
        }
        Ok(())
    }

    /// The samples of a name that have these labels, and maybe more.
    #[must_use]
    pub fn all(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        let has = |sample: &Sample| {
            labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|v| v == value))
        };
        self.samples.iter().filter(|sample| sample.name == name && has(sample)).collect()
    }

    /// The value of the one sample of a name that has these labels, if there is it.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        match self.all(name, labels)[..] {
            [sample] => Some(sample.value),
            _ => None,
        }
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(mut inside) = rest.strip_prefix('{') {
        loop {
            let (label, after) = inside.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            if !is_name(label)
                || label.contains(':')
                || labels.insert(label.to_owned(), value).is_some()
            {
                return None;
            }
            match after.strip_prefix(',') {
                Some(next) => inside = next,
                None => {
                    rest = after.strip_prefix('}')?;
                    break;
                }
            }
        }
    }
    let value = match rest.strip_prefix(' ')? {
        "NaN" => f64::NAN,
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        digits if digits.contains(|c: char| !c.is_ascii_digit() && !"+-.e".contains(c)) => {
            return None;
        }
        digits => digits.parse().ok()?,
    };
    is_name(name).then(|| Sample { name: name.to_owned(), labels, value })
}

/// Reads up to the closing quote, and returns the text and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    !name.is_empty() && name.chars().all(fine) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_pages_are_read() {
        let text = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\\\"\\\\\\n\",y=\"\"} 3\na_total 4\n\
                    # HELP h H.\n# TYPE h histogram\nh_bucket{le=\"0.1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 0.5\nh_count 2\n";
        let scrape = Scrape::read(text).unwrap();
        assert_eq!(scrape.value("a_total", &[("x", "1\"\\\n")]), Some(3.0));
        assert_eq!(scrape.value("h_bucket", &[("le", "+Inf")]), Some(2.0));
    }

    #[test]
    fn bad_pages_are_refused() {
        let head = "# HELP a A.\n# TYPE a gauge\n";
        for bad in [
            "a 1\n".to_owned(),
            format!("{head}a 1"),
            format!("{head}a x\n"),
            format!("{head}b 1\n"),
            format!("{head}a 1\na 1\n"),
            format!("{head}a{{x=\"1}} 1\n"),
            format!("{head}a{{x=\"1\",}} 1\n"),
            format!("{head}a{{x=\"\\t\"}} 1\n"),
            format!("{head}{head}"),
            "# TYPE a gauge\n".to_owned(),
            "# HELP a A.\n# TYPE a counter\n".to_owned(),
            "# HELP a_total A.\n# TYPE a_total counter\na_total -1\n".to_owned(),
            "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n"
                .to_owned(),
        ] {
            assert!(Scrape::read(&bad).is_err(), "{bad}");
        }
    }
}
