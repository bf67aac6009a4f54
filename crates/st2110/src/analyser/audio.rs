//! Analysis of audio streams.

use std::time::Duration;

use media::Tai;

use super::running::{Figures, Running};
use super::{Histogram, Spread};
use crate::rtp::Header;
use crate::sequence::{Arrival, Counts, NumberWidth, Tracker};
use crate::time::{MediaClock, RtpTimestamp, nanos};

const WINDOW: u32 = 1024;

/// Figures of an audio stream over a while.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AudioSummary {
    /// The time-stamped delay factor of each period, in nanoseconds.
    pub delay_factor: Spread,
    /// Times between packets, in nanoseconds.
    pub gaps: Spread,
    /// The same by powers of two.
    pub gap_histogram: Histogram,
    /// Arrival minus timestamp, in ticks of the sampling clock.
    pub rtp_offset: Spread,
    /// Samples of a packet, learnt from the timestamps of neighbours.
    pub samples: Option<u32>,
    /// Neighbours whose timestamps are not that far apart.
    pub discontinuities: u64,
    /// Octets of RTP packets.
    pub octets: u64,
    /// The greatest RTP packet, in octets.
    pub largest: usize,
    /// Accounting of sequence numbers.
    pub counts: Counts,
}

impl Figures for AudioSummary {
    fn add(&mut self, later: &Self) {
        self.delay_factor.merge(&later.delay_factor);
        self.gaps.merge(&later.gaps);
        self.gap_histogram.merge(&later.gap_histogram);
        self.rtp_offset.merge(&later.rtp_offset);
        self.discontinuities += later.discontinuities;
        self.octets += later.octets;
        self.largest = self.largest.max(later.largest);
    }
}

/// Measures an audio stream.
///
/// The time-stamped delay factor (TS-DF, EBU Tech 3337) is how much the delay of packets varies:
/// over a period, the greatest minus the least of D = (arrival − first arrival) − (timestamp −
/// first timestamp). It does not depend on common clocks.
#[derive(Clone, Debug)]
pub struct AudioAnalyser {
    clock: MediaClock,
    period: Duration,
    tracker: Tracker,
    window: Option<Window>,
    last: Option<(Tai, u64, RtpTimestamp)>,
    samples: Option<u32>,
    figures: Running<AudioSummary>,
}

/// One period of the delay factor.
#[derive(Clone, Copy, Debug)]
struct Window {
    arrival: Tai,
    timestamp: RtpTimestamp,
    least: i64,
    greatest: i64,
}

impl AudioAnalyser {
    /// The usual period of the delay factor.
    pub const PERIOD: Duration = Duration::from_secs(1);

    /// An analyser of a stream sampled by `clock`, with a delay factor for each `period`.
    pub fn new(clock: MediaClock, period: Duration) -> Self {
        Self {
            clock,
            period,
            tracker: Tracker::new(NumberWidth::Bits16, WINDOW),
            window: None,
            last: None,
            samples: None,
            figures: Running::default(),
        }
    }

    /// Takes in a packet of `size` octets (RTP header and payload). Gives the delay factor in
    /// nanoseconds when a period has ended.
    pub fn packet(&mut self, arrival: Tai, header: &Header, size: usize) -> Option<u64> {
        self.figures.turn(arrival, || self.tracker.counts());
        let number = match self.tracker.feed(arrival, header.ssrc, u32::from(header.sequence)) {
            Arrival::Unknown | Arrival::Late | Arrival::Duplicate { .. } => return None,
            Arrival::First { number, .. } => {
                (self.window, self.last, self.samples) = (None, None, None);
                number
            }
            Arrival::New { number, .. } | Arrival::Reordered { number } => number,
        };
        let timestamp = RtpTimestamp(header.timestamp);
        self.figures.now.octets += size as u64;
        self.figures.now.largest = self.figures.now.largest.max(size);
        self.figures.now.rtp_offset.add(i64::from(self.clock.timestamp(arrival).since(timestamp)));
        if let Some((last, before, stamp)) = self.last {
            let gap = nanos(arrival.since(last));
            self.figures.now.gaps.add(i64::try_from(gap).unwrap_or(i64::MAX));
            self.figures.now.gap_histogram.add(gap);
            if number == before + 1 {
                self.neighbours(timestamp.since(stamp));
            }
        }
        self.last = Some((arrival, number, timestamp));
        self.delay(arrival, timestamp)
    }

    /// Figures since the analyser was made or [`AudioAnalyser::take_summary`] was called; its
    /// account of packets is that since it was made.
    pub fn summary(&self) -> AudioSummary {
        let counts = self.tracker.counts();
        AudioSummary { samples: self.samples, counts, ..self.figures.all() }
    }

    /// The same of the second of the last packet and the five seconds before it.
    pub fn recent(&self) -> AudioSummary {
        let (figures, before) = self.figures.last();
        let counts = self.tracker.counts().since(before);
        AudioSummary { samples: self.samples, counts, ..figures }
    }

    /// What [`AudioAnalyser::summary`] gives, and begins new figures.
    pub fn take_summary(&mut self) -> AudioSummary {
        let summary = self.summary();
        self.figures = Running::default();
        summary
    }

    /// Takes in the distance between the timestamps of packets that follow each other.
    fn neighbours(&mut self, ticks: i32) {
        let known = self.samples.map(i64::from);
        if known.is_some_and(|samples| samples != i64::from(ticks)) {
            self.figures.now.discontinuities += 1;
        }
        if known.is_none() {
            self.samples = u32::try_from(ticks).ok().filter(|ticks| *ticks > 0);
        }
    }

    fn delay(&mut self, arrival: Tai, timestamp: RtpTimestamp) -> Option<u64> {
        let ended = self.window.filter(|window| arrival.since(window.arrival) >= self.period);
        if ended.is_some() {
            self.window = None;
        }
        let window =
            self.window.get_or_insert(Window { arrival, timestamp, least: 0, greatest: 0 });
        let passed = i128::from(arrival.as_nanos()) - i128::from(window.arrival.as_nanos());
        let ticks = i128::from(timestamp.since(window.timestamp));
        let delay = passed - ticks * 1_000_000_000 / i128::from(self.clock.rate());
        let delay = i64::try_from(delay).unwrap_or(if delay < 0 { i64::MIN } else { i64::MAX });
        window.least = window.least.min(delay);
        window.greatest = window.greatest.max(delay);
        let factor = ended.map(|window| window.greatest.abs_diff(window.least))?;
        self.figures.now.delay_factor.add(i64::try_from(factor).unwrap_or(i64::MAX));
        Some(factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: MediaClock = match MediaClock::new(48_000, 0) {
        Some(clock) => clock,
        None => MediaClock::VIDEO,
    };
    /// 2026 in TAI, on a boundary of packets.
    const START: u64 = 1_767_225_637_000_000_000;

    fn header(k: u64) -> Header {
        let timestamp = CLOCK.timestamp(Tai::from_nanos(START)).plus(k as u32 * 48);
        Header {
            payload_type: 97,
            sequence: 65_000_u16.wrapping_add(k as u16),
            timestamp: timestamp.0,
            ssrc: 1,
            ..Header::default()
        }
    }

    /// One packet a millisecond that comes `delay` microseconds late.
    fn run(analyser: &mut AudioAnalyser, packets: u64, delay: impl Fn(u64) -> u64) -> Vec<u64> {
        let feed = |k| {
            let arrival = Tai::from_nanos(START + k * 1_000_000 + delay(k) * 1000);
            analyser.packet(arrival, &header(k), 300)
        };
        (0..packets).filter_map(feed).collect()
    }

    #[test]
    fn the_delay_factor_by_hand() {
        let mut analyser = AudioAnalyser::new(CLOCK, AudioAnalyser::PERIOD);
        // The period begins with a packet 100 µs late. The others come 50 to 350 µs late: D is
        // −50…250 µs, and TS-DF 300 µs.
        let factors = run(&mut analyser, 1002, |k| match k {
            0 => 100,
            7 => 50,
            500 => 350,
            k => 100 + k % 3 * 10,
        });
        assert_eq!(factors, [300_000]);
        let summary = analyser.take_summary();
        assert_eq!((summary.delay_factor.max, summary.samples), (300_000, Some(48)));
        assert_eq!((summary.discontinuities, summary.largest), (0, 300));
        // 50 µs are 2.4 samples, 350 µs 16.8.
        assert_eq!((summary.rtp_offset.min, summary.rtp_offset.max), (2, 16));
        // From packet 500 at +350 µs to packet 501 at +100 µs.
        assert_eq!((summary.gaps.min, summary.gaps.max), (750_000, 1_240_000));
        assert_eq!(analyser.summary().gaps.count, 0);
    }

    #[test]
    fn an_even_stream_has_no_delay_factor() {
        let mut analyser = AudioAnalyser::new(CLOCK, Duration::from_millis(200));
        assert_eq!(run(&mut analyser, 1000, |_| 20), [0, 0, 0, 0]);
    }

    #[test]
    fn gaps_in_the_samples_are_seen() {
        let mut analyser = AudioAnalyser::new(CLOCK, AudioAnalyser::PERIOD);
        for k in 0..20 {
            let mut header = header(k);
            // The sender drops a sample; the sequence goes on.
            header.timestamp = header.timestamp.wrapping_add(u32::from(k >= 10));
            if k != 15 {
                analyser.packet(Tai::from_nanos(START + k * 1_000_000), &header, 300);
            }
        }
        let summary = analyser.summary();
        assert_eq!((summary.discontinuities, summary.counts.lost), (1, 1));
        assert_eq!(analyser.recent(), summary);
        // Ten seconds later that is long ago.
        let late = Header { timestamp: header(20).timestamp.wrapping_add(1), ..header(20) };
        analyser.packet(Tai::from_nanos(START + 10_000_000_000), &late, 300);
        let recent = analyser.recent();
        assert_eq!((recent.discontinuities, recent.counts.lost, recent.counts.received), (0, 0, 1));
        assert_eq!((recent.octets, recent.rtp_offset.count), (300, 1));
        assert_eq!(analyser.summary().discontinuities, 1);
    }
}
