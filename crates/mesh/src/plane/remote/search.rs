//! The search for an agent.

use super::channel::AgentAddress;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

/// Pause before the agents are tried again, first and at last.
pub(super) const PAUSE: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_millis(500));
/// The next agent is tried when the one before has failed, and if it has not answered by then.
const STAGGER: Duration = Duration::from_millis(250);

/// The endpoints of all agents, of which one is enough.
pub(super) struct Candidates {
    all: Arc<[(AgentAddress, Endpoint)]>,
    /// The number of the one that is tried first.
    first: usize,
}

impl Candidates {
    pub(super) fn new(all: Vec<(AgentAddress, Endpoint)>) -> Self {
        Self { all: all.into(), first: 0 }
    }

    /// Lets the next search begin with the agent after this one.
    pub(super) fn begin_after(&mut self, address: &AgentAddress) {
        if let Some(number) = self.all.iter().position(|(known, _)| known == address) {
            self.first = number + 1;
        }
    }

    /// Tries the agents in turn until one answers. A silent one delays the next by [`STAGGER`]
    /// only.
    pub(super) fn connect(
        &self,
    ) -> impl Future<Output = Result<(AgentAddress, Channel), String>> + use<> {
        let (all, first) = (Arc::clone(&self.all), self.first);
        async move {
            let mut attempts = JoinSet::new();
            let mut left = (0..all.len()).map(|i| all[(first + i) % all.len()].clone());
            let mut failures = Vec::new();
            loop {
                let more = match left.next() {
                    Some((address, endpoint)) => {
                        attempts.spawn(async move { (address, endpoint.connect().await) });
                        true
                    }
                    None => false,
                };
                let stagger = tokio::time::sleep(STAGGER);
                tokio::select! {
                    done = attempts.join_next() => match done {
                        Some(Ok((address, Ok(channel)))) => return Ok((address, channel)),
                        Some(Ok((address, Err(error)))) => {
                            failures.push(format!("mesh agent {address}: {}", proto::causes(&error)));
                        }
                        Some(Err(error)) => failures.push(error.to_string()),
                        None => return Err(failures.join("; ")),
                    },
                    () = stagger, if more => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::remote::Agents;
    use crate::plane::remote::channel::{CONNECT_TIMEOUT, endpoints};
    use std::net::TcpListener;

    fn candidates(listeners: &[&TcpListener]) -> Candidates {
        let addresses = listeners.iter().map(|it| it.local_addr().unwrap().to_string());
        let addresses = addresses.map(|address| address.parse().unwrap()).collect();
        Candidates::new(endpoints(&Agents { addresses, tls: None }).unwrap())
    }

    #[tokio::test]
    async fn the_next_one_is_found() {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (a, b) = (listen(), listen());
        let mut candidates = candidates(&[&a, &b]);
        let found = |candidates: &Candidates| {
            let connecting = candidates.connect();
            async { connecting.await.map(|(address, _)| address.to_string()) }
        };
        let name = |listener: &TcpListener| Ok(listener.local_addr().unwrap().to_string());
        assert_eq!(found(&candidates).await, name(&a));
        candidates.begin_after(&candidates.all[0].0.clone());
        assert_eq!(found(&candidates).await, name(&b));
        candidates.begin_after(&candidates.all[1].0.clone());
        assert_eq!(found(&candidates).await, name(&a));
        let b_name = name(&b);
        drop(a);
        assert_eq!(found(&candidates).await, b_name);
        drop(b);
        let error = found(&candidates).await.unwrap_err();
        assert_eq!(error.matches("mesh agent 127.0.0.1:").count(), 2, "{error}");
    }

    #[test]
    fn one_of_three_agents_is_found_within_three_seconds_of_its_return() {
        // The last attempt that fails has just begun; the two others, which stay out of reach, are
        // tried before it in each round.
        let others = STAGGER * 2;
        assert!(others + CONNECT_TIMEOUT + PAUSE.1 + others <= Duration::from_secs(3));
    }
}
