//! Liveness of an agent, by calls instead of HTTP/2 pings.
//!
//! A grpc-go server, such as the original's agent, permits one ping in five minutes and closes the
//! connection of a client that sends more. It answers calls at any rate; UNIMPLEMENTED, its answer
//! to an unknown call, is a sign of life as well.

use super::calls::CallResult;
use super::session::Agent;
use proto::mediaproxy::KeepAliveRequest;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::Status;

/// Interval of the calls and time-out of their answers: an agent is lost after the sum of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    interval: Duration,
    patience: Duration,
}

/// An agent of this project.
pub(super) const OWN: Pace =
    Pace { interval: Duration::from_millis(500), patience: Duration::from_millis(1300) };
/// An agent of the original, which answers the call with an error.
pub(super) const OTHER: Pace =
    Pace { interval: Duration::from_secs(2), patience: Duration::from_secs(4) };

/// Text for an agent that does not answer.
pub(super) const SILENT: &str = "it does not answer";

/// Makes one call. Any answer counts.
///
/// # Errors
/// If there is none in time.
pub(super) async fn ask(agent: &mut Agent, pace: Pace) -> Result<Result<(), Status>, &'static str> {
    let answer = tokio::time::timeout(pace.patience, agent.keep_alive(KeepAliveRequest {})).await;
    answer.map(|answer| answer.map(drop)).map_err(|_| SILENT)
}

/// Repeats the call until the agent is silent or the session is over.
pub(super) async fn watch(
    mut agent: Agent,
    pace: Pace,
    results: mpsc::UnboundedSender<CallResult>,
) {
    loop {
        tokio::time::sleep(pace.interval).await;
        if results.is_closed() {
            return;
        }
        // A connection that broke ends the stream of commands too.
        if ask(&mut agent, pace).await.is_err() {
            let _over = results.send(CallResult::Silent);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_agent_is_given_up_within_two_seconds() {
        assert!(OWN.interval + OWN.patience <= Duration::from_secs(2));
        assert!(OTHER.interval >= OWN.interval && OTHER.patience >= OWN.patience);
    }
}
