//! Distribution of free slots over the endpoints, and the credit that follows from it.
//!
//! The egress sends frame n of a session through endpoint n mod N. So the ingress posts slots to
//! its endpoints in the same order, and grants credit for as many frames as find a slot at the
//! endpoint through which they arrive.

/// Slots at the endpoints.
#[derive(Debug)]
pub(super) struct Posts {
    /// Slots that wait for frames at each endpoint.
    waiting: Vec<u64>,
    /// Slots that each endpoint has had for frames of this session, those that still wait among
    /// them.
    given: Vec<u64>,
}

impl Posts {
    pub(super) fn new(endpoints: usize) -> Self {
        Self { waiting: vec![0; endpoints], given: vec![0; endpoints] }
    }

    /// A new session: what waits is for its frames.
    pub(super) fn begin(&mut self) {
        self.given.copy_from_slice(&self.waiting);
    }

    /// Slots that wait.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.iter().sum()
    }

    /// Whether a slot waits at this endpoint.
    pub(super) fn waits(&self, endpoint: usize) -> bool {
        self.waiting[endpoint] > 0
    }

    /// The endpoint that the next slot is for. `in_order`: by the numbers of frames; else where the
    /// fewest wait.
    pub(super) fn next(&self, in_order: bool) -> usize {
        let endpoints = self.given.len() as u64;
        let key = |index: usize| {
            if in_order {
                self.given[index] * endpoints + index as u64
            } else {
                self.waiting[index]
            }
        };
        (0..self.given.len()).min_by_key(|index| key(*index)).unwrap_or(0)
    }

    /// An endpoint has got a slot for a further frame.
    pub(super) fn posted(&mut self, endpoint: usize) {
        self.waiting[endpoint] += 1;
        self.given[endpoint] += 1;
    }

    /// A slot has come back with a frame of the session.
    pub(super) fn used(&mut self, endpoint: usize) {
        self.waiting[endpoint] -= 1;
    }

    /// A slot has come back without a frame of the session, which so still needs one.
    pub(super) fn wasted(&mut self, endpoint: usize) {
        self.waiting[endpoint] -= 1;
        // None was granted yet where a session has begun while the slot was waiting.
        self.given[endpoint] = self.given[endpoint].saturating_sub(1);
    }

    /// Frames of the session that may be sent, all together.
    pub(super) fn granted(&self) -> u64 {
        let endpoints = self.given.len() as u64;
        let reach = self.given.iter().zip(0..).map(|(given, index)| given * endpoints + index);
        reach.min().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_go_where_the_next_frames_will_arrive() {
        let mut posts = Posts::new(3);
        let order: Vec<usize> = (0..5)
            .map(|_| {
                let endpoint = posts.next(true);
                posts.posted(endpoint);
                endpoint
            })
            .collect();
        assert_eq!((order, posts.granted(), posts.waiting()), (vec![0, 1, 2, 0, 1], 5, 5));
        posts.used(0);
        assert_eq!((posts.granted(), posts.next(true)), (5, 2));
        posts.wasted(1);
        assert_eq!((posts.granted(), posts.next(true)), (4, 1), "that frame needs another slot");
    }

    #[test]
    fn a_new_session_counts_what_waits() {
        let mut posts = Posts::new(2);
        for endpoint in [0, 1, 0, 1, 0] {
            posts.posted(endpoint);
        }
        for endpoint in [0, 1, 0] {
            posts.used(endpoint);
        }
        posts.begin();
        assert_eq!((posts.waiting(), posts.granted(), posts.next(true)), (2, 2, 0));
    }

    #[test]
    fn without_sessions_every_endpoint_has_slots() {
        let mut posts = Posts::new(2);
        for _ in 0..4 {
            posts.posted(posts.next(false));
        }
        posts.used(1);
        posts.used(1);
        assert_eq!(posts.next(false), 1);
    }
}
