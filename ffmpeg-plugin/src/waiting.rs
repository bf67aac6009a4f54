//! Waits that are reported to the user once when they last, and that may have a time limit.

use crate::config::{self, Way};
use crate::context::Context;
use crate::error::Error;
use crate::settings::Settings;
use std::time::{Duration, Instant};

/// A wait that is over before is no news.
const PATIENCE: Duration = Duration::from_secs(2);

/// One wait, looked at again and again.
#[derive(Debug)]
pub(crate) struct Waiting {
    since: Option<Instant>,
    told: bool,
    patience: Duration,
    limit: Option<Limit>,
}

/// Time limit of a wait, and the option that sets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) option: &'static str,
    pub(crate) ms: u32,
}

impl Limit {
    /// That of the option `wait_timeout`.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        settings.wait_timeout.map(|ms| Self { option: "wait_timeout", ms })
    }

    fn duration(self) -> Duration {
        Duration::from_millis(self.ms.into())
    }
}

impl Waiting {
    /// A wait with or without a limit.
    pub(crate) fn new(limit: Option<Limit>) -> Self {
        Self { since: None, told: false, patience: PATIENCE, limit }
    }

    /// One for what comes at most every so often.
    pub(crate) fn for_each(period: Duration, limit: Option<Limit>) -> Self {
        Self { patience: PATIENCE + period, ..Self::new(limit) }
    }

    /// Still waiting: begins the wait, tells of it once it lasts, and ends it when its time is up.
    pub(crate) fn goes_on(
        &mut self,
        context: Context,
        what: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        let waited = self.since.get_or_insert_with(Instant::now).elapsed();
        if let Some(limit) = self.limit.filter(|limit| waited >= limit.duration()) {
            return Err(Error::TimedOut { what: what(), option: limit.option, ms: limit.ms });
        }
        if !self.told && waited >= self.patience {
            self.told = true;
            context.log_warning(&format!("waiting for {}", what()));
        }
        Ok(())
    }

    /// Time left until the limit.
    pub(crate) fn left(&self) -> Option<Duration> {
        let waited = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        self.limit.map(|limit| limit.duration().saturating_sub(waited))
    }

    /// Ends the wait. The next one is reported again if this is `news`.
    pub(crate) fn is_over(&mut self, news: bool) {
        self.since = None;
        self.told &= !news;
    }
}

/// Group or stream of a connection, for messages.
pub(crate) fn name(settings: &Settings) -> Result<String, Error> {
    let way = config::way(settings)?;
    let name = config::group(settings, way).unwrap_or_default();
    Ok(match way {
        Way::Group => format!("group \"{name}\""),
        Way::St2110 => format!("ST 2110 stream {name}"),
    })
}
