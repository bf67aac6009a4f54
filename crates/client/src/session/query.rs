//! Questions to the proxy: what a group carries.

use super::setup::SETUP;
use super::{Link, Session};
use crate::peer::Outgoing;
use crate::waiting::LOG_TARGET;
use crate::{GroupError, Timeout};
use config::ConnectionConfig;
use proto::exchange::{Ask, Told, from_client::Body};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How soon a client asks again for a group that is not there.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// How long a group is waited for before the log tells.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// The longest name that a group can have, in bytes.
const MAX_GROUP: usize = 1024;

/// Questions that somebody waits for.
#[derive(Debug, Default)]
pub(super) struct Questions {
    last: u32,
    asked: BTreeMap<u32, Question>,
}

#[derive(Debug)]
struct Question {
    group: String,
    answer: Option<Told>,
}

impl Questions {
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// The messages of those that are not answered.
    pub(super) fn open(&self) -> impl Iterator<Item = Outgoing> {
        let open = self.asked.iter().filter(|(_, question)| question.answer.is_none());
        open.map(|(number, question)| ask(*number, &question.group))
    }
}

fn ask(question: u32, group: &str) -> Outgoing {
    Outgoing { body: Body::Ask(Ask { question, group: group.to_owned() }), fds: Vec::new() }
}

impl Session {
    /// Checks that a question about this group can be asked.
    pub(crate) fn check_group(&self, group: &str) -> Result<(), GroupError> {
        if !self.is_here() {
            return Err(GroupError::Forked);
        }
        let (len, max) = (group.len(), MAX_GROUP);
        if (1..=max).contains(&len) { Ok(()) } else { Err(GroupError::Name { len, max }) }
    }

    /// What a group carries. Waits until the group exists; without time to wait it asks once.
    pub(crate) fn group_config(
        &self,
        group: &str,
        timeout: Timeout,
    ) -> Result<ConnectionConfig, GroupError> {
        let patience = timeout.duration(self.config.default_timeout);
        let begun = Instant::now();
        let mut told = false;
        loop {
            if begun.elapsed() >= TOLD_AFTER && !std::mem::replace(&mut told, true) {
                log::warn!(
                    target: LOG_TARGET,
                    "group {group:?}: waiting since {TOLD_AFTER:?}: there is no such group"
                );
            }
            if let Some(config) = self.ask(group).map_err(GroupError::Failed)?.config {
                return ConnectionConfig::from_sdk(&config).map_err(|error| {
                    GroupError::Failed(format!("the media proxy describes the group: {error}"))
                });
            }
            if let Some(patience) = patience
                && begun.elapsed() >= patience
            {
                return Err(GroupError::NotFound(patience));
            }
            shm::signals::sleep(ASK_AGAIN).map_err(|_| GroupError::Interrupted)?;
        }
    }

    fn ask(&self, group: &str) -> Result<Told, String> {
        let mut state = self.state.lock();
        state.questions.last = state.questions.last.wrapping_add(1);
        let number = state.questions.last;
        let question = Question { group: group.to_owned(), answer: None };
        state.questions.asked.insert(number, question);
        // Otherwise the thread asks whatever is open as soon as the link is up.
        if let Some(socket) = state.link(self) {
            self.transmit(&socket, ask(number, group));
        }
        let begun = Instant::now();
        let answer = loop {
            if let Some(answer) =
                state.questions.asked.get_mut(&number).and_then(|question| question.answer.take())
            {
                break Ok(answer);
            }
            let patience = match &state.link {
                Link::Failed(reason) => break Err(reason.clone()),
                Link::Lost => self.config.default_timeout,
                Link::Untried | Link::Up(_) => SETUP,
            };
            let left = patience.saturating_sub(begun.elapsed());
            if left.is_zero() {
                break Err(state.no_answer(patience));
            }
            self.changed.wait_for(&mut state, left);
        };
        state.questions.asked.remove(&number);
        answer
    }

    /// The proxy has answered a question.
    pub(crate) fn told(&self, told: Told) {
        if let Some(question) = self.state.lock().questions.asked.get_mut(&told.question) {
            question.answer = Some(told);
        }
        self.changed.notify_all();
    }
}
