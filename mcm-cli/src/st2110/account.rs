//! Counts of received frames, and reports of those with gaps.

use std::ops::RangeInclusive;

/// The sink's counts, for reports.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Frames handed to the writing thread. They stand in the file in this order.
    pub(super) written: u64,
    /// Those of them that have gaps.
    pub(super) with_gaps: u64,
    /// Frames for which the file was too slow.
    pub(super) too_slow: u64,
    /// Whether the first frame was under way already when listening began. It is not in the file.
    pub(super) began_inside: bool,
    /// Numbers in the file of frames with gaps that were not reported yet.
    news: Vec<RangeInclusive<u64>>,
}

/// Ranges in one report at most: a stream that is broken altogether is not to flood the terminal.
const MOST: usize = 16;

impl Account {
    /// A frame goes into the file.
    pub(super) fn write(&mut self, has_gaps: bool) {
        let number = self.written;
        self.written += 1;
        if !has_gaps {
            return;
        }
        self.with_gaps += 1;
        match self.news.last_mut() {
            Some(last) if *last.end() + 1 == number => *last = *last.start()..=number,
            _ => self.news.push(number..=number),
        }
    }

    /// The frames with gaps since the last report; `None` if there are none.
    pub(super) fn report(&mut self) -> Option<String> {
        let news = std::mem::take(&mut self.news);
        let one = |range: &RangeInclusive<u64>| match (range.start(), range.end()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        let named: Vec<_> = news.iter().take(MOST).map(one).collect();
        let rest: u64 = news.iter().skip(MOST).map(|range| range.end() - range.start() + 1).sum();
        let more = if rest == 0 { String::new() } else { format!(" and {rest} more") };
        let plural = if news.len() > 1 || named.first()?.contains('-') { "s" } else { "" };
        Some(format!("gaps in frame{plural} {}{more}", named.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(gaps: impl IntoIterator<Item = bool>) -> Account {
        let mut account = Account::default();
        gaps.into_iter().for_each(|has_gaps| account.write(has_gaps));
        account
    }

    #[test]
    fn frames_with_gaps_are_named_once() {
        let mut account = account([false, true, false, true, true, true]);
        assert_eq!((account.written, account.with_gaps), (6, 4));
        assert_eq!(account.report().as_deref(), Some("gaps in frames 1, 3-5"));
        assert_eq!(account.report(), None);
        account.write(true);
        assert_eq!(account.report().as_deref(), Some("gaps in frame 6"));
        account.write(true);
        account.write(true);
        assert_eq!(account.report().as_deref(), Some("gaps in frames 7-8"));
    }

    #[test]
    fn a_report_is_no_longer_than_a_line() {
        let mut account = account((0..100).map(|number| number % 2 == 0));
        let report = account.report().unwrap();
        assert!(report.ends_with("28, 30 and 34 more"), "{report}");
    }
}
