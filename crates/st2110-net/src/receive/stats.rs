//! Statistics of a receiving session.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::analysis::Analysis;
use crate::{counters::counters, engine::Over, socket::Warning};

counters! {
    /// Counts of a receiving session, written by its thread.
    ReceiveCounters,
    /// Counts of a receiving session at some moment.
    ReceivedCounts {
        /// Frames (of audio: buffers) handed to the sink.
        frames,
        /// Those of them that had gaps.
        incomplete_frames,
        /// Frames with gaps that were dropped, as configured.
        dropped_frames,
        /// Frames for which the sink had no room.
        frames_without_slot,
        /// Packets used; of two paths, the first copy of each.
        packets,
        /// Bytes of these, with RTP header and without UDP header.
        bytes,
        /// Packets that came on no path, or not yet.
        lost,
        /// Packets of frames that were finished or dropped already.
        late,
        /// Packets with an implausible timestamp.
        stray,
        /// Datagrams that are not RTP.
        not_rtp,
        /// Packets of another payload type.
        other_payload_type,
        /// Packets of another SSRC than the accepted one, or of a second sender.
        other_ssrc,
        /// Datagrams from an address that is not among the sources.
        other_sender,
        /// Datagrams longer than any of ST 2110.
        too_long,
        /// Packets whose payload does not fit the format: its header, size, line or position.
        other_format,
        /// Frames whose timestamp does not fit the present time: they were given the time of
        /// arrival.
        unaligned_times,
    }
}

counters! {
    /// Counts of one path.
    PathReceivedCounters,
    /// Counts of one path at some moment.
    PathReceived {
        /// Packets of the stream, each number once.
        received,
        /// Those of them that were used, being the first copy.
        used,
        /// Numbers that did not come on this path, or not yet.
        lost,
        /// Packets that came after one with a higher number.
        reordered,
        /// Packets that came twice on this path.
        duplicates,
        /// Packets that came too late to be accounted for or used.
        late,
        /// How often the sender started again.
        restarts,
        /// Packets of an unknown source, or with numbers out of the window.
        foreign,
        /// What the kernel dropped because the receive buffer was full; bundles count as one.
        socket_drops,
        /// For how many microseconds nothing has come here while the other path brought packets; 0
        /// again when something does.
        silent_us,
    }
}

counters! {
    /// Why packets were refused whose payload does not fit the format, where there is more to be
    /// said than that.
    RefusedCounters,
    /// Refused packets by reason at some moment. They add up to [`ReceivedCounts::other_format`].
    Refused {
        /// Payloads that end before their header, or before what it says.
        truncated,
        /// Payloads without samples or data.
        empty,
        /// No whole number of samples of all channels, or of pgroups; of ancillary data, a length
        /// that its packets do not have.
        length,
        /// More samples than a packet may have.
        too_long,
        /// A field that the picture does not have.
        field,
        /// A line that the picture does not have (ST 2110-20).
        line,
        /// A segment that does not begin at a pgroup, or leaves its line (ST 2110-20).
        offset,
        /// Another packet mode than that of the packets before (ST 2110-22).
        mode,
        /// A packet of another picture than those with its timestamp (ST 2110-22).
        picture,
        /// A packet behind the last one of its picture (ST 2110-22).
        last,
        /// A wrong parity bit of DID, SDID or Data_Count (ST 291-1).
        parity,
        /// A wrong checksum (ST 291-1).
        checksum,
        /// More data than a frame has room for.
        room,
    }
}

counters! {
    /// Losses of an associated ancillary stream's blocks.
    RidingCounters,
    /// Losses of an associated ancillary stream's blocks at some moment.
    Riding {
        /// Blocks that came after their picture had been handed over.
        late,
        /// Blocks for which the slot of their picture had not enough room for metadata.
        too_large,
        /// Blocks whose picture never came, or was not delivered, or has another timestamp.
        unmatched,
    }
}

/// More than any path differential (ST 2022-7 class C: 450 ms), in microseconds.
const SILENT_US: u64 = 1_000_000;

/// What is known of a receiving session. Any thread may read it at any time.
#[derive(Debug)]
pub struct ReceiveStats {
    pub(crate) counters: ReceiveCounters,
    pub(crate) paths: Vec<PathReceivedCounters>,
    pub(crate) refused: RefusedCounters,
    pub(crate) riding: RidingCounters,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    warnings: Vec<Warning>,
    over: Option<Over>,
    analyses: Vec<Analysis>,
}

impl ReceiveStats {
    pub(crate) fn new(paths: usize, warnings: Vec<Warning>) -> Self {
        Self {
            counters: ReceiveCounters::default(),
            paths: (0..paths).map(|_| PathReceivedCounters::default()).collect(),
            refused: RefusedCounters::default(),
            riding: RidingCounters::default(),
            state: Mutex::new(State { warnings, ..State::default() }),
        }
    }

    /// Counts of the session.
    pub fn get(&self) -> ReceivedCounts {
        self.counters.get()
    }

    /// Counts of each path: one, or two with ST 2022-7.
    pub fn paths(&self) -> impl Iterator<Item = PathReceived> + '_ {
        self.paths.iter().map(PathReceivedCounters::get)
    }

    /// The paths of two, counted from 0, that have been silent for so long that the stream has lost
    /// its redundancy (ST 2022-7).
    pub fn silent_paths(&self) -> impl Iterator<Item = usize> + '_ {
        let silent = |path: &PathReceivedCounters| path.silent_us.get() >= SILENT_US;
        self.paths.iter().enumerate().filter(move |(_, path)| silent(path)).map(|(index, _)| index)
    }

    /// Why packets were refused.
    pub fn refused(&self) -> Refused {
        self.refused.get()
    }

    /// Losses of blocks, of an associated ancillary stream.
    pub fn riding(&self) -> Riding {
        self.riding.get()
    }

    /// What works less well than it should.
    pub fn warnings(&self) -> Vec<Warning> {
        self.lock().warnings.clone()
    }

    /// The conformance analysis of the stream on each path, at most half a second old while packets
    /// come. Empty before the first packet, and for ancillary data.
    pub fn analyses(&self) -> Vec<Analysis> {
        self.lock().analyses.clone()
    }

    /// Shows what analysers say, unless somebody is looking just now: the next time will do.
    pub(crate) fn show(&self, analyses: impl Iterator<Item = Option<Analysis>>) {
        if let Ok(mut state) = self.state.try_lock() {
            state.analyses.clear();
            state.analyses.extend(analyses.flatten());
        }
    }

    /// Why the session is over; `None` while it runs.
    pub fn over(&self) -> Option<Over> {
        self.lock().over
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn end(&self, why: Over) {
        self.lock().over = Some(why);
    }
}
