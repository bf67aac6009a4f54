//! Reslicing of packets of any packet time into frames of another.

use std::ops::Range;

use crate::Transport;
use media::Audio;

use super::window::Window;
use super::{AudioError, AudioPacketError, MAX_PAYLOAD, StreamFormat};

/// Counts of a reslicer. Samples are counted once for all channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets of which samples were placed.
    pub packets: u64,
    /// Samples placed.
    pub samples: u64,
    /// Samples of placed packets that were there already.
    pub duplicate_samples: u64,
    /// Samples of placed packets that came after their frame had been delivered.
    pub late_samples: u64,
    /// Samples that were missing in delivered frames.
    pub missing_samples: u64,
    /// Frames delivered.
    pub frames: u64,
    /// Frames delivered in which samples were missing.
    pub incomplete_frames: u64,
    /// How often the timestamps went on from another place.
    pub restarts: u64,
    /// Samples that had been placed and were given up at a restart.
    pub dropped_samples: u64,
    /// Refused packets, by [`AudioPacketError::index`].
    pub refused: [u64; AudioPacketError::ALL.len()],
}

/// A frame that was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// RTP timestamp of its first sample.
    pub timestamp: u32,
    /// How many of its samples are missing.
    pub missing: u32,
    /// Whether it does not follow the frame before: the first one, and after a restart.
    pub restart: bool,
}

/// Cuts a stream anew: packets of any number of samples become frames of a fixed number.
///
/// Samples are placed by RTP timestamp, in any order. A frame comes out when all its samples are
/// there, or when samples have come that are newer than its end by the hold: then what is missing
/// counts as lost. The first packet decides where frames begin.
///
/// A timestamp far from the others (another sender, a clock that was set) is believed when the
/// packet after it continues it. Until then its packet counts as refused.
#[derive(Clone, Debug)]
pub struct Reslicer {
    format: StreamFormat,
    frame: u64,
    hold: u64,
    window: Window,
    /// What must be added to a position to get an RTP timestamp.
    origin: u32,
    /// Position of the first sample of the next frame.
    base: u64,
    /// Position behind the newest sample.
    end: u64,
    /// Whether a packet has come, or come again.
    started: bool,
    /// The next frame does not follow the one before.
    restart: bool,
    /// A packet far away from the others.
    candidate: Option<Candidate>,
    /// Frames up to here are delivered as they are.
    give_up: u64,
    counts: Counts,
}

/// A packet that is believed when the next one continues it.
#[derive(Clone, Debug)]
struct Candidate {
    timestamp: u32,
    /// Timestamp behind its last sample.
    end: u32,
    payload: Vec<u8>,
}

/// Positions start here, so that samples older than the first packet have positions too.
const START: u64 = 1 << 32;

impl Reslicer {
    /// For a configured stream. `hold` is for how many samples a frame with gaps is kept back: it
    /// must cover reordering, and with two paths their skew.
    ///
    /// # Errors
    /// The transport does not carry that format, or the packet time does not exist.
    pub fn new(transport: Transport, audio: &Audio, hold: u32) -> Result<Self, AudioError> {
        let format = StreamFormat::new(transport, audio)?;
        let rate = audio.sample_rate;
        let frame = audio
            .packet_time
            .samples_per_packet(rate)
            .ok_or(AudioError::PacketTime { packet_time: audio.packet_time, rate: rate.hz() })?;
        // A frame, what is held back, and as much again for packets that come early.
        let packet = (MAX_PAYLOAD / format.wire_size()).max(1) as u64;
        let hold = u64::from(hold.min(rate.hz()));
        let samples = 2 * (u64::from(frame) + hold + packet);
        Ok(Self {
            format,
            frame: frame.into(),
            hold,
            window: Window::new(samples as usize, format.memory_size()),
            origin: 0,
            base: START,
            end: START,
            started: false,
            restart: false,
            candidate: None,
            give_up: START,
            counts: Counts::default(),
        })
    }

    /// Samples on the wire and in memory.
    #[must_use]
    pub const fn format(&self) -> StreamFormat {
        self.format
    }

    /// Samples of a channel in a frame.
    #[must_use]
    pub const fn frame_samples(&self) -> u32 {
        self.frame as u32
    }

    /// Bytes of a frame.
    #[must_use]
    pub const fn frame_len(&self) -> usize {
        self.frame as usize * self.format.memory_size()
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Takes a packet's payload in. Frames that are ready must be taken out with [`Reslicer::pop`]
    /// before the next packet comes.
    ///
    /// # Errors
    /// Why nothing of it was placed; it is counted.
    pub fn push(&mut self, timestamp: u32, payload: &[u8]) -> Result<(), AudioPacketError> {
        self.place(timestamp, payload).inspect_err(|error| self.counts.refused[error.index()] += 1)
    }

    fn place(&mut self, timestamp: u32, payload: &[u8]) -> Result<(), AudioPacketError> {
        let size = self.format.wire_size();
        if payload.is_empty() {
            return Err(AudioPacketError::Empty);
        }
        if !payload.len().is_multiple_of(size) {
            return Err(AudioPacketError::Length);
        }
        let count = (payload.len() / size) as u64;
        if count > self.window.len() / 2 {
            return Err(AudioPacketError::TooLong);
        }
        if !self.started {
            self.start(timestamp);
        }
        if self.position(timestamp, count).is_none() {
            self.leap(timestamp, count, payload)?;
        }
        let start = self.position(timestamp, count).ok_or(AudioPacketError::Timestamp)?;
        self.fill(start, count, payload)
    }

    /// Places samples that lie in the window.
    fn fill(&mut self, start: u64, count: u64, payload: &[u8]) -> Result<(), AudioPacketError> {
        self.candidate = None;
        let end = start + count;
        if end <= self.base {
            return Err(AudioPacketError::Late);
        }
        let late = self.base.saturating_sub(start);
        let (format, memory) = (self.format, self.format.memory_size());
        let size = format.wire_size();
        let wire = &payload[late as usize * size..];
        let samples = start + late..end;
        let new = self.window.place(samples.clone(), |out, first| {
            let count = out.len() / memory;
            format.to_memory(&wire[first * size..][..count * size], out);
        });
        if new == 0 {
            return Err(AudioPacketError::Duplicate);
        }
        self.end = self.end.max(end);
        self.counts.packets += 1;
        self.counts.samples += new;
        self.counts.late_samples += late;
        self.counts.duplicate_samples += count - late - new;
        Ok(())
    }

    /// The position of a timestamp, if so many samples there lie in the window.
    fn position(&self, timestamp: u32, count: u64) -> Option<u64> {
        // How far the sample lies from the next frame, the shorter way round.
        let distance = i64::from(timestamp.wrapping_sub(self.timestamp(self.base)).cast_signed());
        let window = self.window.len() as i64;
        let near = -window..=window - count as i64;
        near.contains(&distance).then(|| self.base.saturating_add_signed(distance))
    }

    /// A packet that is far away. If it continues one that was, all begins anew with that one;
    /// otherwise it is kept.
    fn leap(&mut self, timestamp: u32, count: u64, payload: &[u8]) -> Result<(), AudioPacketError> {
        let end = timestamp.wrapping_add(count as u32);
        let known = self.candidate.take();
        let Some(first) = known.filter(|known| known.end == timestamp) else {
            self.candidate = Some(Candidate { timestamp, end, payload: payload.to_vec() });
            return Err(AudioPacketError::Timestamp);
        };
        self.counts.restarts += 1;
        self.counts.dropped_samples += self.window.count(self.base..self.end.max(self.base));
        self.window.clear();
        self.start(first.timestamp);
        // It is none of the refused ones any more. Half of the window is enough for any packet.
        self.counts.refused[AudioPacketError::Timestamp.index()] -= 1;
        let count = (first.payload.len() / self.format.wire_size()) as u64;
        self.fill(self.base, count, &first.payload)
    }

    fn start(&mut self, timestamp: u32) {
        self.started = true;
        self.restart = true;
        (self.base, self.end, self.give_up) = (START, START, START);
        self.origin = timestamp.wrapping_sub(START as u32);
    }

    fn timestamp(&self, position: u64) -> u32 {
        self.origin.wrapping_add(position as u32)
    }

    /// Every frame of which samples have come is ready now, complete or not: for when no packet has
    /// come for a while. The rest of the newest one counts as missing.
    pub fn give_up(&mut self) {
        self.give_up = self.end;
    }

    /// Whether [`Reslicer::pop`] would give a frame.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let end = self.base + self.frame;
        self.end >= end + self.hold
            || self.give_up > self.base
            || (self.end >= end && self.window.count(self.base..end) == self.frame)
    }

    /// Takes the next frame out, if it is ready. `missing` gets the bytes of `out` that stand for
    /// missing samples; they are zero.
    ///
    /// # Errors
    /// `out` has another size than [`Reslicer::frame_len`].
    pub fn pop(
        &mut self,
        out: &mut [u8],
        missing: &mut Vec<Range<usize>>,
    ) -> Result<Option<Slice>, AudioError> {
        let needed = self.frame_len();
        if out.len() != needed {
            return Err(AudioError::Buffer { what: "frame of audio", found: out.len(), needed });
        }
        if !self.is_ready() {
            return Ok(None);
        }
        self.window.take(self.base..self.base + self.frame, out, missing);
        let lost: usize = missing.iter().map(Range::len).sum();
        let size = self.format.memory_size();
        for gap in missing.iter_mut() {
            *gap = gap.start * size..gap.end * size;
        }
        let slice = Slice {
            timestamp: self.timestamp(self.base),
            missing: lost as u32,
            restart: std::mem::take(&mut self.restart),
        };
        self.base += self.frame;
        self.end = self.end.max(self.base);
        self.counts.frames += 1;
        self.counts.incomplete_frames += u64::from(lost != 0);
        self.counts.missing_samples += lost as u64;
        Ok(Some(slice))
    }
}

#[cfg(test)]
#[path = "reslicer_tests.rs"]
mod tests;
