//! Audio, ST 2110-30 and -31: a packet each packet time.
//!
//! Packets leave on the grid of packets since the epoch. A packet's RTP timestamp is that of its
//! frame's time, on the same grid. If the feed has nothing when a packet is due, its time passes
//! unused. A thread that comes late makes up for a few packets, as receivers are built for that
//! (AES67 §7.5); for more it lets the time pass.

use std::sync::Arc;

use media::{Audio, Tai};
use st2110::Transport;
use st2110::{
    audio::Packetiser,
    rtp::Header,
    time::{MediaClock, PacketClock},
};

use super::{Identity, Sending, outgoing::Rtp, paths::Paths, rate::RateWatch, stats::SendStats};
use crate::{
    Error,
    engine::{Engine, Over, SendTask, Wake},
    frame::{FrameFeed, HeldFrame, Next},
    socket::SenderOptions,
};

/// A session that sends audio (ST 2110-30, -31). Buffers hold one packet time, or several whole
/// ones.
#[derive(Clone, Debug)]
pub struct AudioSender {
    /// [`Transport::St2110_30`] or [`Transport::St2110_31`].
    pub transport: Transport,
    /// Channels, sampling rate, samples in memory, packet time.
    pub audio: Audio,
    /// Who the stream is.
    pub identity: Identity,
    /// Where to: one path, or two for ST 2022-7.
    pub paths: Vec<SenderOptions>,
}

impl AudioSender {
    /// Starts to send what `feed` gives.
    ///
    /// # Errors
    /// What is to be sent is not possible, or a socket cannot be opened.
    pub fn start<F: FrameFeed>(&self, engine: &Engine, feed: F) -> Result<Sending, Error> {
        let packetiser = Packetiser::new(self.transport, &self.audio)?;
        let packets = packet_clock(&self.audio, packetiser.samples())?;
        let len = Header::LEN + packetiser.payload_len();
        let limit = Paths::payload_limit(&self.paths);
        if len > limit {
            return Err(Error::Invalid {
                field: "bytes of an audio packet",
                found: len.to_string(),
                accepted: format!(
                    "at most {limit}: fewer channels or a shorter packet time make it less"
                ),
            });
        }
        let paths = Paths::open(&self.paths, engine.clock())?;
        let stats = paths.stats().clone();
        let now = engine.clock().now();
        let session = Samples {
            feed,
            paths,
            rtp: Rtp::new(self.identity.check()?),
            slot: packets.at(now) + 1,
            last: None,
            wanted: now,
            rate: RateWatch::new(now),
            frame: None,
            packet: vec![0; len].into(),
            packets,
            packetiser,
        };
        let rate = u64::from(packets.clock().rate()) / u64::from(packets.samples());
        let session = engine.add_sender(Box::new(session), rate)?;
        Ok(Sending { session, stats, ancillary: None, sender_type: None })
    }
}

/// The clock of packets of so many samples.
fn packet_clock(audio: &Audio, samples: u32) -> Result<PacketClock, Error> {
    let clock = MediaClock::new(audio.sample_rate.hz(), 0)
        .and_then(|clock| PacketClock::new(clock, samples));
    clock.ok_or_else(|| Error::Invalid {
        field: "samples of a packet",
        found: samples.to_string(),
        accepted: "at least 1".into(),
    })
}

/// So many packets a late thread makes up for at once.
const MAKE_UP: u64 = 16;
/// A buffer's time may differ by this from its place in the sequence before the sequence follows:
/// programs hand over audio with the jitter of their scheduling.
const JITTER_NS: u64 = 20_000_000;
/// A buffer's time further away from the present is no time that a receiver could use.
const PLAUSIBLE_NS: u64 = 1_000_000_000;

struct Samples<F: FrameFeed> {
    feed: F,
    paths: Paths,
    rtp: Rtp,
    packets: PacketClock,
    packetiser: Packetiser,
    /// The packet time to be used next.
    slot: u64,
    /// Number of the packet sent last.
    last: Option<u64>,
    wanted: Tai,
    rate: RateWatch,
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

impl<F: FrameFeed> Samples<F> {
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
        let len = self.packetiser.frame_len();
        if self.frame.is_none() {
            let frame = match self.feed.next() {
                Next::Frame(frame) => frame,
                Next::End => return false,
                Next::Nothing => {
                    self.stats().counters.idle_periods.add(1);
                    return true;
                }
            };
            let whole = frame.payload().len();
            if whole == 0 || !whole.is_multiple_of(len) {
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
        let (head, payload) = self.packet.split_at_mut(Header::LEN);
        // The marker bit is of no use to audio and 0 (ST 2110-30 §6.2).
        self.rtp.timestamp = self.packets.timestamp(number).into();
        head.copy_from_slice(&self.rtp.next(false).to_bytes());
        let written = self.packetiser.write(&samples[held.sent * len..][..len], payload);
        debug_assert!(written.is_ok(), "frame and packet have the packetiser's sizes");
        held.sent += 1;
        let finished = held.sent * len == samples.len();
        self.paths.send(&self.packet);
        self.last = Some(number);
        if finished {
            self.frame = None;
            self.stats().counters.frames.add(1);
        }
        true
    }
}

impl<F: FrameFeed> SendTask for Samples<F> {
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
        let counts = &self.paths.stats().counters;
        let used = counts.packets.get() + counts.idle_periods.get();
        self.rate.look(now, used, self.paths.stats());
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
