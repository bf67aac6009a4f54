//! Statistics of a sending session.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use super::rate::Shortfall;
use crate::{counters::counters, engine::Over, socket::Warning};

counters! {
    /// Counts of a sending session, written by its thread.
    SendCounters,
    /// Counts of a sending session at some moment.
    Sent {
        /// Frames (of video: whole frames; of audio: buffers) of which all packets were handed to
        /// the network.
        frames,
        /// Packets, once for each however many paths there are.
        packets,
        /// Bytes of these with RTP header, without UDP header.
        bytes,
        /// Periods in which the feed had nothing and nothing was sent.
        idle_periods,
        /// Periods that passed unused because the thread, or the frame before, was late.
        slipped_periods,
        /// Frames that left more than two periods after their time.
        late_frames,
        /// Frames whose time was more than a second away, so that the present moment was taken
        /// instead.
        implausible_times,
        /// Frames that were dropped because their size is not the stream's.
        wrong_sizes,
        /// Frames of which each packet left in time and as evenly as the sender's type demands (ST
        /// 2110-21).
        compliant_frames,
        /// Frames that the kernel paced, so that the times at which their packets left are unknown.
        unjudged_frames,
        /// Greatest Cinst in thousandths of a packet (ST 2110-21 §6.6.1).
        cinst_max_milli,
        /// Greatest lateness of a packet against the read schedule, in nanoseconds; 0 if none was
        /// late.
        late_max_ns,
        /// Greatest lateness of the thread against the moment that it wanted to run, in
        /// nanoseconds.
        wake_late_max_ns,
    }
}

counters! {
    /// Counts of one path.
    PathSentCounters,
    /// Counts of one path at some moment.
    PathSent {
        /// Packets handed to the network.
        packets,
        /// Packets dropped because the send buffer was full.
        full,
        /// Packets that the network refused.
        refused,
    }
}

/// What is known of a sending session. Any thread may read it at any time.
#[derive(Debug)]
pub struct SendStats {
    pub(crate) counters: SendCounters,
    pub(crate) paths: Vec<PathSentCounters>,
    pub(crate) kernel_paced: AtomicBool,
    pub(crate) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) warnings: Vec<Warning>,
    pub(crate) refusal: Option<String>,
    pub(crate) over: Option<Over>,
    /// When it fell behind its rate first, and whether it is behind.
    shortfall: Option<Shortfall>,
    behind: bool,
}

impl SendStats {
    pub(crate) fn new(paths: usize, warnings: Vec<Warning>) -> Self {
        Self {
            counters: SendCounters::default(),
            paths: (0..paths).map(|_| PathSentCounters::default()).collect(),
            kernel_paced: AtomicBool::new(false),
            state: Mutex::new(State { warnings, ..State::default() }),
        }
    }

    /// Counts of the session.
    pub fn get(&self) -> Sent {
        self.counters.get()
    }

    /// Counts of each path: one, or two with ST 2022-7.
    pub fn paths(&self) -> impl Iterator<Item = PathSent> + '_ {
        self.paths.iter().map(PathSentCounters::get)
    }

    /// Whether the kernel holds packets back until they are to leave. When they really left is not
    /// known then: such frames count as `unjudged_frames`, and neither Cinst nor lateness is
    /// measured.
    pub fn kernel_paced(&self) -> bool {
        self.kernel_paced.load(Ordering::Relaxed)
    }

    /// What works less well than it should.
    pub fn warnings(&self) -> Vec<Warning> {
        let state = self.lock();
        let mut warnings = state.warnings.clone();
        // The figures stay those of the first time: it is one warning and not many.
        if let Some(Shortfall { slipped, periods }) = state.shortfall.filter(|_| state.behind) {
            warnings.push(Warning::Rate { slipped, periods });
        }
        if self.paths.iter().any(|path| path.full.get() > 0) {
            warnings.push(Warning::SendBufferFull);
        }
        warnings
    }

    /// Frames leave more slowly than the stream's rate.
    pub(super) fn fell_behind(&self, shortfall: Shortfall) {
        let mut state = self.lock();
        state.behind = true;
        state.shortfall.get_or_insert(shortfall);
    }

    /// Frames leave at the stream's rate.
    pub(super) fn keeps_up(&self) {
        self.lock().behind = false;
    }

    /// Why the network refused packets last; `None` while it has not.
    pub fn refusal(&self) -> Option<String> {
        self.lock().refusal.clone()
    }

    /// Why the session is over; `None` while it runs.
    pub fn over(&self) -> Option<Over> {
        self.lock().over
    }

    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn end(&self, why: Over) {
        self.lock().over = Some(why);
    }
}

/// For messages.
impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} frames ({} as the sender's type demands, {} paced by the kernel), {} packets, {} periods idle, {} slipped, Cinst at most {:.1}",
            self.frames,
            self.compliant_frames,
            self.unjudged_frames,
            self.packets,
            self.idle_periods,
            self.slipped_periods,
            self.cinst_max_milli as f64 / 1000.0
        )
    }
}
