//! Clients' questions about groups that this host does not know: asks the fleet, once for all
//! clients that ask at the same time.

use std::collections::HashMap;
use std::time::Duration;

/// Time for which the fleet is not asked again about a group that it did not know. Clients ask
/// every few milliseconds.
const PAUSE: Duration = Duration::from_millis(100);
/// Limit of open queries of one client.
const PER_LINK: usize = 16;
/// Limit of groups with open or recent queries.
const GROUPS: usize = 1024;

/// Next step of a query.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask the fleet; the answer comes to [`GroupQueries::answered`].
    LookUp,
    /// Another client has asked already; the answer is for this one too.
    Wait,
    /// Say that there is no such group.
    Deny,
}

/// The asking link, and the client's number for the query.
pub(super) type Asker = (u64, u32);

/// The open queries, and those whose answer was negative a moment ago.
#[derive(Debug, Default)]
pub(super) struct GroupQueries(HashMap<String, Query>);

#[derive(Debug)]
enum Query {
    Open(Vec<Asker>),
    Unknown { until: Duration },
}

impl GroupQueries {
    /// Handles a client's query for a group that this host does not know.
    pub(super) fn ask(&mut self, asker: Asker, group: &str, now: Duration) -> Step {
        let open = self.0.values().filter_map(|question| match question {
            Query::Open(askers) => Some(askers),
            Query::Unknown { .. } => None,
        });
        if open.flatten().filter(|(link, _)| *link == asker.0).count() >= PER_LINK {
            return Step::Deny;
        }
        match self.0.get_mut(group) {
            Some(Query::Open(askers)) => {
                askers.push(asker);
                return Step::Wait;
            }
            Some(Query::Unknown { until }) if now < *until => return Step::Deny,
            _ => {}
        }
        if self.0.len() >= GROUPS {
            self.0.retain(|_, question| match question {
                Query::Open(_) => true,
                Query::Unknown { until } => now < *until,
            });
            if self.0.len() >= GROUPS {
                return Step::Deny;
            }
        }
        self.0.insert(group.to_owned(), Query::Open(vec![asker]));
        Step::LookUp
    }

    /// Takes the fleet's answer, and returns the clients that wait for it.
    pub(super) fn answered(&mut self, group: &str, found: bool, now: Duration) -> Vec<Asker> {
        let Some(Query::Open(askers)) = self.0.remove(group) else { return Vec::new() };
        if !found {
            self.0.insert(group.to_owned(), Query::Unknown { until: now + PAUSE });
        }
        askers
    }

    /// Forgets a client that has gone: its number is not used again.
    pub(super) fn forget(&mut self, link: u64) {
        for question in self.0.values_mut() {
            if let Query::Open(askers) = question {
                askers.retain(|(asker, _)| *asker != link);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(7);

    #[test]
    fn the_fleet_is_asked_once_for_all_and_not_again_at_once() {
        let mut queries = GroupQueries::default();
        assert_eq!(queries.ask((2, 1), "g", NOW), Step::LookUp);
        assert_eq!(queries.ask((4, 9), "g", NOW), Step::Wait);
        assert_eq!(queries.ask((4, 8), "h", NOW), Step::LookUp);
        assert_eq!(queries.answered("g", false, NOW), [(2, 1), (4, 9)]);
        assert_eq!(queries.ask((2, 2), "g", NOW), Step::Deny);
        assert_eq!(queries.ask((2, 3), "g", NOW + PAUSE), Step::LookUp);
        assert_eq!(queries.answered("g", true, NOW), [(2, 3)]);
        assert_eq!(queries.ask((2, 4), "g", NOW), Step::LookUp);
        queries.forget(2);
        assert_eq!(queries.answered("g", true, NOW), []);
        assert_eq!(queries.answered("nobody asked", true, NOW), []);
    }

    #[test]
    fn a_client_that_asks_for_everything_holds_up_nobody() {
        let mut queries = GroupQueries::default();
        for number in 0..PER_LINK {
            assert_eq!(queries.ask((2, 0), &format!("g{number}"), NOW), Step::LookUp);
        }
        assert_eq!(queries.ask((2, 0), "one more", NOW), Step::Deny);
        assert_eq!(queries.ask((4, 0), "one more", NOW), Step::LookUp);
        for number in 0..2 * GROUPS {
            let name = format!("{number}");
            if queries.ask((6 + number as u64, 0), &name, NOW) == Step::LookUp {
                queries.answered(&name, false, NOW);
            }
        }
        assert!(queries.0.len() <= GROUPS, "{}", queries.0.len());
        assert_eq!(queries.ask((6, 0), "later", NOW + PAUSE), Step::LookUp);
    }
}
