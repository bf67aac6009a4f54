//! Simulated sessions: no sockets, and a clock that the test advances. The analyser checks what
//! they send.
//!
//! The planning of packets, the essence, the session and its pacing are the real ones. A system
//! call takes two microseconds, and timers are exact: what is late here is late by plan.

mod others;
mod video;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use media::{FrameRate, Tai};
use st2110::{
    analyser::{Expectation, VideoAnalyser, VideoSummary},
    pacing::SenderType,
    rtp::Header,
};

use super::{
    frames::{Frames, Parts},
    outgoing::Outgoing,
    paths::Paths,
};
use crate::{
    engine::{Clock, SendTask, SharedClock, Wake},
    frame::{FrameFeed, HeldFrame, Next},
};

/// Frames of a run.
const FRAMES: u64 = 4;
/// What a system call takes.
const CALL: u64 = 2_000;

#[derive(Default)]
struct Turned(AtomicU64);

impl Turned {
    fn set(&self, moment: u64) {
        self.0.fetch_max(moment, Ordering::Relaxed);
    }
}

impl Clock for Turned {
    fn now(&self) -> Tai {
        Tai::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// Frames that are there whenever they are asked for.
struct Always {
    left: u64,
    bytes: &'static [u8],
}

struct Frame(&'static [u8]);

impl HeldFrame for Frame {
    fn payload(&self) -> &[u8] {
        self.0
    }

    fn tai(&self) -> Option<Tai> {
        None
    }
}

impl FrameFeed for Always {
    type Frame = Frame;

    fn next(&mut self) -> Next<Frame> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Next::Frame(Frame(self.bytes))
            }
            None => Next::End,
        }
    }
}

/// What left.
struct Wire {
    clock: Arc<Turned>,
    analyser: VideoAnalyser,
    next: Option<u16>,
    packets: u64,
    bytes: u64,
    /// When the packets with a marker left.
    ends: Vec<u64>,
    in_order: bool,
}

impl Wire {
    fn packet(&mut self, head: &[u8], length: usize) {
        let (header, _) = Header::parse(head).expect("RTP");
        // The first packet of a call leaves at its beginning; none costs time of its own.
        let now = self.clock.now();
        self.in_order &= self.next.is_none_or(|next| next == header.sequence);
        self.next = Some(header.sequence.wrapping_add(1));
        self.packets += 1;
        self.bytes += length as u64;
        self.analyser.packet(now, &header, length);
        if header.marker {
            self.ends.push(now.as_nanos());
        }
    }
}

/// What came of a run.
struct Outcome {
    summary: VideoSummary,
    packets: u64,
    bytes: u64,
    ends: Vec<u64>,
    in_order: bool,
    sent: super::Sent,
}

/// Runs a session, whose parts `make` makes for a feed of those bytes, until all its frames are
/// sent.
fn run<E: Outgoing>(
    bytes: &'static [u8],
    expected: Expectation,
    make: impl FnOnce(Always, Paths, &SharedClock) -> Parts<Always, E>,
) -> Outcome {
    let clock = Arc::new(Turned::default());
    clock.set(1_000_000_000_000);
    let shared: SharedClock = clock.clone();
    let wire = Arc::new(Mutex::new(Wire {
        clock: clock.clone(),
        analyser: VideoAnalyser::new(expected),
        next: None,
        packets: 0,
        bytes: 0,
        ends: Vec::new(),
        in_order: true,
    }));
    let tap = wire.clone();
    let paths = Paths::tapped(
        &shared,
        Box::new(move |head, length| tap.lock().unwrap().packet(head, length)),
    );
    let parts = make(Always { left: FRAMES, bytes }, paths, &shared);
    let mut session = Frames::new(parts);
    let stats = session.shared_stats();
    let mut packets = 0;
    while let Wake::At(until) = session.run(clock.now()) {
        let sent = stats.get().packets;
        let takes = if sent == packets { 0 } else { CALL };
        packets = sent;
        clock.set(until.as_nanos().max(clock.now().as_nanos() + takes));
    }
    let wire = wire.lock().unwrap();
    Outcome {
        summary: wire.analyser.summary(),
        packets: wire.packets,
        bytes: wire.bytes,
        ends: wire.ends.clone(),
        in_order: wire.in_order,
        sent: stats.get(),
    }
}

impl Outcome {
    /// Whether a period passed without a frame, or a frame came late.
    fn slow(&self) -> Option<String> {
        let sent = &self.sent;
        let missed = [sent.slipped_periods, sent.idle_periods, sent.late_frames];
        (sent.frames != FRAMES || missed != [0; 3])
            .then(|| format!("not one frame in each period: {sent:?}"))
    }

    /// What is wrong with a stream of frames of so many units with so many packets each, if
    /// anything is.
    fn fault(&self, kind: SenderType, rate: FrameRate, units: &[u32]) -> Option<String> {
        let Self { summary, sent, .. } = self;
        let per_frame = units.iter().map(|packets| u64::from(*packets)).sum::<u64>();
        if let Some(fault) = self.slow() {
            return Some(fault);
        }
        if !self.in_order || self.packets != FRAMES * per_frame {
            return Some(format!("{} packets, in order: {}", self.packets, self.in_order));
        }
        let period = rate.period_ns();
        let ends = self.ends.chunks(units.len()).map(|ends| ends[ends.len() - 1]);
        let ends: Vec<_> = ends.collect();
        // Frame by frame: a burst may end a little earlier or later.
        let slack = period / 20 + CALL;
        if let Some(pair) =
            ends.windows(2).find(|ends| (ends[1] - ends[0]).abs_diff(period) > slack)
        {
            return Some(format!("a frame took {} ns of {period}", pair[1] - pair[0]));
        }
        let complies = summary.narrow
            + match kind {
                SenderType::Narrow => 0,
                SenderType::NarrowLinear => summary.linear,
                SenderType::Wide => summary.linear + summary.wide,
            };
        // The first unit is not checked, as its beginning may have been missed.
        let checked = summary.units - summary.unknown;
        if complies != checked || checked + 1 < FRAMES * units.len() as u64 {
            return Some(format!("not {kind}: {summary:#?}"));
        }
        if sent.compliant_frames != FRAMES {
            return Some(format!("not {kind} by the sender's account: {sent:?}"));
        }
        None
    }
}

/// Rates of pictures, and some that are none.
fn rates() -> Vec<FrameRate> {
    let odd = [(25, 2), (24_000, 1001), (30_000, 1001), (60_000, 1001), (120_000, 1001)];
    let odd = odd.into_iter().map(|(num, den)| FrameRate { num, den });
    (1..=240).map(|num| FrameRate { num, den: 1 }).chain(odd).collect()
}

const KINDS: [SenderType; 3] = [SenderType::Narrow, SenderType::NarrowLinear, SenderType::Wide];
