//! Setting connections up, and reaching the proxy for them.

use super::{Link, Session};
use crate::OpenError;
use crate::entry::Entry;
use crate::peer::Peer;
use config::ConnectionConfig;
use proto::Kind;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the proxy may take to set a connection up. It waits for others itself, for less.
pub(super) const SETUP: Duration = Duration::from_secs(10);

/// How long the session's thread may take to read an answer that is there.
const GRACE: Duration = Duration::from_secs(1);

impl Session {
    /// Waits until the link to the proxy is up. The error says why it is not.
    pub(crate) fn reach(&self) -> Result<(), String> {
        let begun = Instant::now();
        let mut state = self.state.lock();
        state.callers += 1;
        let mut link = state.link(self);
        let reached = loop {
            if link.is_some() {
                break Ok(());
            }
            if let Link::Failed(reason) = &state.link {
                break Err(reason.clone());
            }
            let left = SETUP.saturating_sub(begun.elapsed());
            if left.is_zero() {
                break Err(state.no_answer(SETUP));
            }
            self.changed.wait_for(&mut state, left);
            link = state.up();
        };
        state.callers -= 1;
        reached
    }

    /// Makes a connection known to the proxy, and waits for its answer.
    pub(crate) fn introduce(
        &self,
        peer: Peer,
        config: &ConnectionConfig,
        end: Kind,
    ) -> Result<Arc<Entry>, OpenError> {
        let entry = {
            let mut state = self.state.lock();
            state.last_key += 1;
            let key = state.last_key;
            let entry = Arc::new(Entry::new(key, config.to_sdk_of(end), peer));
            state.entries.insert(key, Arc::clone(&entry));
            // Otherwise the thread announces everything that it finds as soon as the link is up.
            if let Some(socket) = state.link(self) {
                let announced = entry.announce().map(|message| self.transmit(&socket, message));
                if let Err(error) = announced {
                    state.entries.remove(&key);
                    return Err(error);
                }
            }
            entry
        };
        let answer = self.await_answer(&entry);
        if answer.is_err() {
            self.forget(entry.key());
        }
        answer.map(|()| entry)
    }

    fn await_answer(&self, entry: &Entry) -> Result<(), OpenError> {
        let start = Instant::now();
        let mut state = self.state.lock();
        let mut grace = Duration::ZERO;
        loop {
            if let Some(answer) = entry.take_answer() {
                return answer;
            }
            let patience = match &state.link {
                Link::Failed(reason) => return Err(OpenError::Failed(reason.clone())),
                Link::Lost => self.config.default_timeout,
                Link::Untried | Link::Up(_) => SETUP,
            };
            let elapsed = start.elapsed();
            let left = (patience + grace).checked_sub(elapsed).filter(|left| !left.is_zero());
            let Some(left) = left else {
                if grace.is_zero() && matches!(state.link, Link::Up(_)) {
                    // If the process was stopped, the answer may be there, and the thread has only
                    // now the chance to read it.
                    grace = elapsed + GRACE - patience;
                    continue;
                }
                return Err(OpenError::Failed(state.no_answer(patience)));
            };
            self.changed.wait_for(&mut state, left);
        }
    }
}
