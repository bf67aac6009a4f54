//! Audio, ST 2110-30 and -31: a packet each packet time.
//!
//! Packets leave on the grid of packets since the epoch. A packet's RTP time stamp is that of its frame's time, on the same grid. If
//! the feed has nothing when a packet is due, its time passes unused. A thread that comes late makes up for a few
//! packets, as receivers are built for that (AES67 §7.5); for more it lets the time pass.

use std::sync::Arc;

use media::Tai;
use st2110::time::PacketClock;

use super::{Identity, Sending, outgoing::Rtp, paths::Paths, stats::SendStats};
use crate::{
    Error,
    engine::{Engine, Over, SendTask, Wake},
    frame::{FrameFeed, HeldFrame, Next},
    socket::SenderOptions,
};

/// A session that sends audio (ST 2110-30, -31). Buffers hold one packet, or several whole ones, as they are on the wire.
#[derive(Clone, Debug)]
pub struct AudioSender {
    /// Sampling rate and samples of a packet.
    pub clock: PacketClock,
    /// Bytes of a packet's samples, all channels together.
    pub packet_bytes: usize,
    /// Who the stream is.
    pub identity: Identity,
    /// Where to: one path, or two for ST 2022-7.
    pub paths: Vec<SenderOptions>,
}

impl AudioSender {
    /// Starts to send what `feed` gives.
    ///
    /// # Errors
    /// Packets are too large, or a socket cannot be opened.
    pub fn start<F: FrameFeed>(&self, engine: &Engine, feed: F) -> Result<Sending, Error> {
        let limit = Paths::payload_limit(&self.paths).saturating_sub(HEADER);
        if self.packet_bytes == 0 || self.packet_bytes > limit {
            return Err(Error::Invalid {
                field: "bytes of audio in a packet",
                found: self.packet_bytes.to_string(),
                accepted: format!(
                    "1 to {limit}: fewer channels or a shorter packet time make it less"
                ),
            });
        }
        let paths = Paths::open(&self.paths)?;
        let stats = paths.stats().clone();
        let now = engine.clock().now();
        let session = Audio {
            feed,
            paths,
            rtp: Rtp::new(self.identity.check()?),
            slot: self.clock.at(now) + 1,
            last: None,
            wanted: now,
            frame: None,
            packet: vec![0; HEADER + self.packet_bytes].into(),
            packets: self.clock,
        };
        let rate = u64::from(self.clock.clock().rate()) / u64::from(self.clock.samples());
        let session = engine.add_sender(Box::new(session), rate)?;
        Ok(Sending { session, stats })
    }
}

const HEADER: usize = st2110::rtp::Header::LEN;
/// So many packets a late thread makes up for at once.
const MAKE_UP: u64 = 16;
/// A buffer's time may differ by this from its place in the sequence before the sequence follows: programs hand over audio with the
/// jitter of their scheduling.
const JITTER_NS: u64 = 20_000_000;
/// A buffer's time further away from the present is no time that a receiver could use.
const PLAUSIBLE_NS: u64 = 1_000_000_000;

struct Audio<F: FrameFeed> {
    feed: F,
    paths: Paths,
    rtp: Rtp,
    packets: PacketClock,
    /// The packet time to be used next.
    slot: u64,
    /// Number of the packet sent last.
    last: Option<u64>,
    wanted: Tai,
    frame: Option<Held<F::Frame>>,
    packet: Box<[u8]>,
}

/// A buffer of which packets are being sent.
struct Held<F> {
    frame: F,
    /// Number of its first packet.
    number: u64,
    /// Packets sent.
    sent: usize,
}

impl<F: FrameFeed> Audio<F> {
    fn stats(&self) -> &Arc<SendStats> {
        self.paths.stats()
    }

    /// The number of a buffer's first packet.
    fn number(&self, tai: Option<Tai>, now: Tai) -> u64 {
        let counters = &self.stats().counters;
        let time = match tai {
            Some(tai) if tai.as_nanos().abs_diff(now.as_nanos()) > PLAUSIBLE_NS => {
                counters.implausible_times.add(1);
                now
            }
            Some(tai) => tai,
            None => now,
        };
        let by_time = self.packets.at(time);
        match self.last.map(|last| last + 1) {
            Some(next)
                if self.packets.start(next).as_nanos().abs_diff(time.as_nanos()) <= JITTER_NS =>
            {
                next
            }
            // Never back while the clock does not go back either.
            Some(next) if by_time < next && next - by_time < MAKE_UP * 64 => next,
            _ => by_time,
        }
    }

    /// Uses a packet time: sends a packet if there is one. False if the feed has ended.
    fn use_slot(&mut self, now: Tai) -> bool {
        if self.frame.is_none() {
            let frame = match self.feed.next() {
                Next::Frame(frame) => frame,
                Next::End => return false,
                Next::Nothing => {
                    self.stats().counters.idle_periods.add(1);
                    return true;
                }
            };
            let len = frame.payload().len();
            if len == 0 || !len.is_multiple_of(self.packet.len() - HEADER) {
                self.stats().counters.wrong_sizes.add(1);
                return true;
            }
            let number = self.number(frame.tai(), now);
            if self.slot > number + 2 * (MAKE_UP + 1) {
                self.stats().counters.late_frames.add(1);
            }
            self.frame = Some(Held { frame, number, sent: 0 });
        }
        let Some(held) = &mut self.frame else { return true };
        let number = held.number + held.sent as u64;
        let samples = held.frame.payload();
        let len = self.packet.len() - HEADER;
        let start = held.sent * len;
        // The marker bit is of no use to audio and 0 (ST 2110-30 §6.2).
        self.rtp.timestamp = self.packets.timestamp(number).into();
        self.packet[..HEADER].copy_from_slice(&self.rtp.next(false).to_bytes());
        self.packet[HEADER..].copy_from_slice(&samples[start..start + len]);
        let whole = samples.len();
        held.sent += 1;
        let finished = held.sent * len == whole;
        self.paths.send(&self.packet, self.packet.len());
        self.last = Some(number);
        if finished {
            self.frame = None;
            self.stats().counters.frames.add(1);
        }
        true
    }
}

impl<F: FrameFeed> SendTask for Audio<F> {
    fn run(&mut self, now: Tai) -> Wake {
        self.stats().counters.wake_late_max_ns.raise(now.since(self.wanted).as_nanos() as u64);
        let present = self.packets.at(now);
        if self.slot > present + MAKE_UP * 64 {
            // The clock was set back.
            self.slot = present + 1;
            self.last = None;
        }
        if present.saturating_sub(self.slot) > MAKE_UP {
            self.stats().counters.slipped_periods.add(present - self.slot);
            self.slot = present;
        }
        while self.slot <= present {
            if !self.use_slot(now) {
                return Wake::End;
            }
            self.slot += 1;
        }
        self.wanted = self.packets.start(self.slot);
        Wake::At(self.wanted)
    }

    fn over(&mut self, why: Over) {
        self.stats().end(why);
    }
}
