//! Reception of audio, ST 2110-30 and -31: packets of any packet time become buffers of the
//! configured one.

use std::{ops::Range, sync::Arc, time::Duration};

use media::{Audio, Tai};
use st2110::Transport;
use st2110::{
    audio::{AudioPacketError, Reslicer},
    sequence::NumberWidth,
    time::{MediaClock, RtpTimestamp},
};

use super::{
    Origin, Receiving,
    analysis::Analyser,
    intake::{Intake, Traffic},
    selection::{Packet, Packets},
    session::{self, Incoming, Taken},
    stats::{ReceiveStats, RefusedCounters},
    times::Times,
};
use crate::{
    Counter, Error, IncompleteFrames,
    engine::Engine,
    frame::{FrameSink, FrameSlot, Gap, Received},
};

/// A session that receives audio (ST 2110-30, -31).
#[derive(Clone, Debug)]
pub struct AudioReceiver {
    /// [`Transport::St2110_30`] or [`Transport::St2110_31`].
    pub transport: Transport,
    /// Channels, sampling rate, samples in memory; a buffer is one packet time of these, whatever
    /// the sender's is.
    pub audio: Audio,
    /// Which packets belong to the stream.
    pub origin: Origin,
    /// What is done with buffers that have gaps. Where nothing is repeated, missing samples are
    /// zero.
    pub incomplete: IncompleteFrames,
}

/// A thread that is held up finds packets of both paths in their sockets, and reads so many of the
/// one before those of the other.
const READ_AHEAD: u32 = 16;
/// A buffer of which samples are missing is held back while nothing comes at all: programs such as
/// FFmpeg send a few packets at once and then none for 20 ms or longer. Whatever comes later
/// decides sooner.
const PAUSE: Duration = Duration::from_millis(100);
/// The shortest packets that are planned for: 80 µs.
const PACKETS_PER_SECOND: u32 = 12_500;
/// Bytes of a sample of AM824.
const LARGEST_SAMPLE: u64 = 4;

impl AudioReceiver {
    /// Starts to receive into `sink`.
    ///
    /// # Errors
    /// The format cannot be received, a value of the origin is out of range, or a socket cannot be
    /// opened.
    pub fn start<S: FrameSink>(&self, engine: &Engine, sink: S) -> Result<Receiving, Error> {
        let rate = self.audio.sample_rate.hz();
        let hold = |skew: Duration, frame: u32| {
            let skew = u128::from(rate) * skew.as_nanos() / 1_000_000_000;
            let ahead = if self.origin.paths.len() > 1 { READ_AHEAD * frame } else { 0 };
            u32::try_from(skew).unwrap_or(u32::MAX).saturating_add(ahead)
        };
        let frame = Reslicer::new(self.transport, &self.audio, 0)?.frame_samples();
        let reslicer = Reslicer::new(self.transport, &self.audio, hold(self.origin.skew, frame))?;
        let clock = MediaClock::new(rate, self.origin.clock_offset).unwrap_or(MediaClock::VIDEO);
        let analyser = Analyser::audio(clock);
        let traffic = Traffic {
            packets: PACKETS_PER_SECOND,
            bytes: u64::from(rate) * u64::from(self.audio.channels) * LARGEST_SAMPLE,
        };
        let intake = Intake::open(&self.origin, NumberWidth::Bits16, traffic, &analyser)?;
        let period = Duration::from_nanos(u64::from(frame) * 1_000_000_000 / u64::from(rate));
        let buffers = Buffers {
            sink,
            times: Times { clock, frames: None },
            incomplete: self.incomplete,
            scratch: vec![0; reslicer.frame_len()],
            previous: vec![0; reslicer.frame_len()],
            reslicer,
            missing: Vec::new(),
            gaps: Vec::new(),
            patience: self.origin.skew + 2 * period + PAUSE,
            pending: None,
            stats: Arc::clone(intake.stats()),
        };
        let per_second = u64::from(rate) / u64::from(frame);
        session::start(engine, intake, buffers, per_second)
    }
}

/// The buffers of a stream, cut from its packets.
struct Buffers<S: FrameSink> {
    sink: S,
    times: Times,
    reslicer: Reslicer,
    incomplete: IncompleteFrames,
    /// For a buffer for which the sink has no room.
    scratch: Vec<u8>,
    /// The last complete buffer, to fill gaps from.
    previous: Vec<u8>,
    missing: Vec<Range<usize>>,
    gaps: Vec<Gap>,
    /// How long after the last packet the rest is delivered.
    patience: Duration,
    /// When that is.
    pending: Option<Tai>,
    stats: Arc<ReceiveStats>,
}

impl<S: FrameSink> Buffers<S> {
    /// Places a packet. False if it does not fit.
    fn packet(&mut self, packet: &Packet<'_>) -> bool {
        self.pending = packet.at.checked_add(self.patience);
        let pushed = self.reslicer.push(packet.header.timestamp, packet.payload);
        let strays = self.reslicer.counts().refused[AudioPacketError::Timestamp.index()];
        self.stats.counters.stray.set(strays);
        match pushed {
            Ok(()) => true,
            Err(AudioPacketError::Late | AudioPacketError::Duplicate) => {
                self.stats.counters.late.add(1);
                true
            }
            // Counted by the reslicer, which may believe it later.
            Err(AudioPacketError::Timestamp) => true,
            Err(AudioPacketError::Empty) => self.refuse(|refused| &refused.empty),
            Err(AudioPacketError::Length) => self.refuse(|refused| &refused.length),
            Err(AudioPacketError::TooLong) => self.refuse(|refused| &refused.too_long),
        }
    }

    /// Counts a packet that does not fit; false, as it does not.
    fn refuse(&self, reason: impl Fn(&RefusedCounters) -> &Counter) -> bool {
        reason(&self.stats.refused).add(1);
        false
    }

    /// Hands finished buffers over. False if the sink wants no more.
    fn deliver(&mut self, now: Tai) -> bool {
        while self.reslicer.is_ready() {
            let len = self.reslicer.frame_len();
            let mut slot = self.sink.slot(len);
            let out =
                slot.as_mut().map_or(&mut self.scratch[..], |slot| &mut slot.payload()[..len]);
            let Ok(Some(slice)) = self.reslicer.pop(out, &mut self.missing) else { return true };
            let counters = &self.stats.counters;
            if self.incomplete == IncompleteFrames::Repeat {
                for gap in &self.missing {
                    out[gap.clone()].copy_from_slice(&self.previous[gap.clone()]);
                }
                if slice.missing == 0 {
                    self.previous.copy_from_slice(out);
                }
            }
            let Some(slot) = slot else {
                counters.frames_without_slot.add(1);
                continue;
            };
            if slice.missing > 0 {
                if self.incomplete == IncompleteFrames::Drop {
                    counters.dropped_frames.add(1);
                    continue;
                }
                counters.incomplete_frames.add(1);
            }
            let (tai, aligned) = self.times.of(RtpTimestamp(slice.timestamp), now);
            if !aligned {
                counters.unaligned_times.add(1);
            }
            counters.frames.add(1);
            self.gaps.clear();
            self.gaps.extend(self.missing.iter().cloned().map(Gap::Bytes));
            let timestamp = slice.timestamp;
            let frame = Received { tai, timestamp, payload: len, metadata: 0, gaps: &self.gaps };
            if !self.sink.commit(slot, &frame) {
                return false;
            }
        }
        true
    }
}

impl<S: FrameSink> Incoming for Buffers<S> {
    fn packets(&mut self, packets: &Packets<'_>) -> Taken {
        let mut wants_more = true;
        let refused = packets.each(|packet| {
            let fits = self.packet(packet);
            wants_more &= self.deliver(packet.at);
            fits
        });
        Taken { refused, wants_more }
    }

    fn deadline(&self) -> Option<Tai> {
        self.pending
    }

    fn tick(&mut self, now: Tai) -> bool {
        self.pending = None;
        self.reslicer.give_up();
        self.deliver(now)
    }
}
