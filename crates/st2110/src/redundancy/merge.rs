//! The decision which of two copies of a packet is used.

use std::time::Duration;

use media::Tai;

use crate::sequence::{Arrival, Counts, History, NumberWidth, Placed, Tracker};

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The first copy: use it.
    First {
        /// The continued sequence number, the same for both paths.
        number: u64,
        /// The sender has started again, or this is the first packet of all: what was open before is finished.
        restart: bool,
    },
    /// A copy of a packet that has been used.
    Duplicate,
    /// Too late to know whether it has been used.
    Late,
    /// Of another sender, or of another number range than the stream of the other path.
    Foreign,
}

/// Counts of one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathCounts {
    /// The path's own accounting: received, lost and so on, as if there were no other path.
    pub stream: Counts,
    /// Packets used, being the first copy.
    pub used: u64,
    /// Packets that the path itself had not had before, but which came too late behind the other path.
    pub late: u64,
    /// Packets of a number range that the other path, which is alive, does not have.
    pub apart: u64,
}

/// Merges two paths of a stream, or takes a single one.
///
/// The first copy of each number is used. A number counts as used or not within a window, which is as many packets as arrive
/// in the greatest skew; that bounds the memory. Each path has its own SSRC and its own accounting, and may be away for as long
/// as it likes. Where the paths disagree about the numbers altogether, the one that is being used stays until it
/// has been silent for the skew.
#[derive(Clone, Debug)]
pub struct Merge {
    width: NumberWidth,
    window: u64,
    skew: Duration,
    history: Option<History>,
    paths: [Path; 2],
    lost_before: u64,
    probe: Option<Probe>,
    measured: Option<(usize, Duration)>,
}

#[derive(Clone, Debug)]
struct Path {
    tracker: Tracker,
    counts: PathCounts,
    /// When a packet of this path last agreed with the merged stream.
    agreed: Option<Tai>,
}

/// A packet whose copy on the other path is waited for, to measure the skew.
#[derive(Clone, Copy, Debug)]
struct Probe {
    path: usize,
    number: u64,
    seen: Tai,
}

impl Merge {
    /// A merge of packets with numbers of that width, at most `packets_per_second` of them, whose paths are at most `skew` apart
    /// ([`crate::redundancy::SkewClass`]). With 16 bits the window cannot be greater than 16 384 packets.
    pub fn new(width: NumberWidth, skew: Duration, packets_per_second: u32) -> Self {
        // A quarter more than fits in the skew, since packets bunch.
        let packets = skew.as_nanos() * u128::from(packets_per_second) / 800_000_000;
        let widest = width.widest_window().min(1 << 20);
        let window = u64::try_from(packets).unwrap_or(u64::MAX).clamp(256, widest);
        let path = Path {
            tracker: Tracker::new(width, window as u32),
            counts: PathCounts::default(),
            agreed: None,
        };
        Self {
            width,
            window: window.next_power_of_two(),
            skew,
            history: None,
            paths: [path.clone(), path],
            lost_before: 0,
            probe: None,
            measured: None,
        }
    }

    /// The greatest distance in packets between the paths.
    pub const fn window(&self) -> u64 {
        self.window
    }

    /// Judges a packet that came on `path` (0 or 1; anything else is foreign) at `now`. `number` is the sequence number on the
    /// wire, with RFC 4175's extension in the upper half if the width is 32 bits.
    pub fn packet(&mut self, path: usize, now: Tai, ssrc: u32, number: u32) -> Use {
        let Some(this) = self.paths.get_mut(path) else { return Use::Foreign };
        let arrival = this.tracker.feed(now, ssrc, number);
        if this.tracker.width() == NumberWidth::Bits16 {
            // The tracker has found out that the extension is not used.
            self.width = NumberWidth::Bits16;
        }
        match arrival {
            Arrival::First { .. } => self.decide(path, now, number, true),
            Arrival::New { .. } | Arrival::Reordered { .. } => {
                self.decide(path, now, number, false)
            }
            Arrival::Duplicate { .. } => Use::Duplicate,
            Arrival::Late => Use::Late,
            Arrival::Foreign => Use::Foreign,
        }
    }

    /// Counts of a path; of 0 for one that does not exist.
    pub fn counts(&self, path: usize) -> PathCounts {
        self.paths.get(path).map_or_else(PathCounts::default, |path| PathCounts {
            stream: path.tracker.counts(),
            ..path.counts
        })
    }

    /// Packets that came on no path, or not yet.
    pub fn lost(&self) -> u64 {
        self.lost_before + self.history.as_ref().map_or(0, History::missing)
    }

    /// The path that was behind, and by how much, when it was last measured.
    pub const fn skew(&self) -> Option<(usize, Duration)> {
        self.measured
    }

    fn decide(&mut self, path: usize, now: Tai, number: u32, fresh: bool) -> Use {
        let Some(history) = &mut self.history else {
            let first = self.width.restart(0, number);
            self.history = Some(History::new(first, self.window));
            return self.first(path, now, first, true);
        };
        let window = self.window.min(self.width.widest_window()) as i64;
        let distance = self.width.distance(history.highest(), number);
        let apart = distance > window || distance <= -window;
        if apart || fresh {
            let other = other_is_used(&self.paths, path, self.skew, now);
            if apart && other {
                self.paths[path].counts.apart += 1;
                return Use::Foreign;
            }
            // Forward it is a loss, unless the path's own accounting calls it a new start.
            if !other && (fresh || distance < 0) {
                return self.restart(path, now, number);
            }
        }
        let continued = history.highest().saturating_add_signed(distance);
        match history.insert(continued) {
            Placed::Newer { .. } | Placed::Older => self.first(path, now, continued, false),
            Placed::Duplicate => {
                self.paths[path].agreed = Some(now);
                self.measure(path, now, continued);
                Use::Duplicate
            }
            Placed::Late => {
                self.paths[path].counts.late += 1;
                Use::Late
            }
        }
    }

    fn restart(&mut self, path: usize, now: Tai, number: u32) -> Use {
        let Some(history) = &mut self.history else { return Use::Foreign };
        self.lost_before += history.missing();
        let first = self.width.restart(history.highest(), number);
        history.restart(first);
        self.probe = None;
        self.first(path, now, first, true)
    }

    fn first(&mut self, path: usize, now: Tai, number: u64, restart: bool) -> Use {
        let this = &mut self.paths[path];
        this.counts.used += 1;
        this.agreed = Some(now);
        let gone = |probe: Probe| number.saturating_sub(probe.number) > self.window;
        if self.probe.is_none_or(gone) {
            self.probe = Some(Probe { path, number, seen: now });
        }
        Use::First { number, restart }
    }

    fn measure(&mut self, path: usize, now: Tai, number: u64) {
        if let Some(probe) = self.probe
            && probe.number == number
            && probe.path != path
        {
            self.measured = Some((path, now.since(probe.seen)));
            self.probe = None;
        }
    }
}

/// Whether another path than `path` has agreed with the merged stream within the skew.
fn other_is_used(paths: &[Path; 2], path: usize, skew: Duration, now: Tai) -> bool {
    let mut others = paths.iter().enumerate().filter(|(other, _)| *other != path);
    others.any(|(_, other)| other.agreed.is_some_and(|agreed| now.since(agreed) <= skew))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SKEW: Duration = Duration::from_millis(10);

    fn at(microseconds: u64) -> Tai {
        Tai::from_nanos(1_000_000_000 + microseconds * 1000)
    }

    fn merge() -> Merge {
        Merge::new(NumberWidth::Bits16, SKEW, 10_000)
    }

    fn number(verdict: Use) -> Option<u64> {
        match verdict {
            Use::First { number, .. } => Some(number),
            _ => None,
        }
    }

    #[test]
    fn the_window_follows_rate_and_skew() {
        // 10 ms of 259 200 packets a second and a quarter: 3240, rounded up.
        let of = |width, skew, rate| Merge::new(width, skew, rate).window();
        assert_eq!(of(NumberWidth::Bits32, SKEW, 259_200), 4096);
        assert_eq!(of(NumberWidth::Bits32, Duration::from_millis(450), 259_200), 262_144);
        assert_eq!(of(NumberWidth::Bits16, Duration::from_millis(450), 259_200), 16_384);
        assert_eq!(of(NumberWidth::Bits16, SKEW, 1000), 256);
        assert_eq!(of(NumberWidth::Bits32, Duration::MAX, u32::MAX), 1 << 20);
    }

    #[test]
    fn the_first_copy_is_used_and_the_skew_measured() {
        let mut merge = merge();
        assert_eq!(
            merge.packet(0, at(0), 1, 65_535),
            Use::First { number: 0x2_ffff, restart: true }
        );
        assert_eq!(merge.packet(0, at(100), 1, 0), Use::First { number: 0x3_0000, restart: false });
        // The other path has its own SSRC.
        assert_eq!(merge.packet(1, at(5000), 2, 65_535), Use::Duplicate);
        assert_eq!(merge.skew(), Some((1, Duration::from_millis(5))));
        // It fills what the first one lost.
        assert_eq!(number(merge.packet(0, at(5001), 1, 2)), Some(0x3_0002));
        assert_eq!(merge.lost(), 1);
        assert_eq!(number(merge.packet(1, at(5200), 2, 1)), Some(0x3_0001));
        assert_eq!(merge.lost(), 0);
        let [a, b] = [merge.counts(0), merge.counts(1)];
        assert_eq!((a.used, a.stream.lost, a.stream.received), (3, 1, 3));
        // The second path has lost 0, and knows nothing of 2.
        assert_eq!((b.used, b.stream.lost, b.stream.received), (1, 1, 2));
        assert_eq!(merge.packet(2, at(5300), 1, 3), Use::Foreign);
    }

    #[test]
    fn the_first_packet_may_be_lost_on_the_earlier_path() {
        let mut merge = merge();
        // Path 1 begins with number 2; 0 and 1 come by path 2 alone, and 3 by none yet.
        let first = Use::First { number: 0x2_0002, restart: true };
        assert_eq!(merge.packet(0, at(0), 1, 2), first);
        assert_eq!(number(merge.packet(0, at(100), 1, 4)), Some(0x2_0004));
        for (expected, wire) in [(Some(0x2_0000), 0), (Some(0x2_0001), 1), (None, 2)] {
            assert_eq!(number(merge.packet(1, at(5000), 2, wire)), expected);
        }
        assert_eq!(merge.lost(), 1);
        assert_eq!((merge.counts(1).used, merge.counts(1).late), (2, 0));
    }

    #[test]
    fn a_path_may_be_away_for_long() {
        let mut merge = merge();
        let mut used = 0;
        // Ten wraps of the numbers at 10 000 packets a second, most of them on one path only.
        for i in 0..655_360_u32 {
            let time = at(u64::from(i) * 100);
            used += usize::from(number(merge.packet(0, time, 1, i & 0xffff)).is_some());
            if !(1000..600_000).contains(&i) {
                assert_eq!(
                    merge.packet(1, time, 2, i & 0xffff),
                    match i {
                        600_000..600_001 if merge.counts(1).stream.restarts == 0 => Use::Foreign,
                        _ => Use::Duplicate,
                    }
                );
            }
        }
        assert_eq!(used, 655_360);
        assert_eq!((merge.lost(), merge.counts(1).used, merge.counts(0).late), (0, 0, 0));
    }

    #[test]
    fn a_slow_path_beyond_the_window_is_late() {
        let mut merge = merge();
        merge.packet(1, at(0), 2, 0);
        for i in 0..1000 {
            merge.packet(0, at(u64::from(i) * 100), 1, i);
        }
        // 256 packets is the window.
        assert_eq!(merge.packet(1, at(100_000), 2, 999 - 255), Use::Duplicate);
        assert_eq!(merge.packet(1, at(100_000), 2, 1), Use::Late);
        assert_eq!(merge.counts(1).used, 1);
    }

    #[test]
    fn a_path_of_another_stream_waits() {
        let mut merge = merge();
        for i in 0..100 {
            let time = at(u64::from(i) * 100);
            assert!(number(merge.packet(0, time, 1, i)).is_some());
            assert_eq!(merge.packet(1, time, 2, 30_000 + i), Use::Foreign);
        }
        assert_eq!(merge.counts(1).apart, 100);
        // The first path ends: after the skew the other one is the stream.
        assert_eq!(merge.packet(1, at(9_900 + 9_000), 2, 30_100), Use::Foreign);
        let verdict = merge.packet(1, at(9_900 + 10_001), 2, 30_101);
        assert_eq!(verdict, Use::First { number: 0x2_0000 + 30_101, restart: false });
        assert_eq!(merge.packet(0, at(9_900 + 10_002), 1, 100), Use::Foreign);
    }

    #[test]
    fn a_sender_that_starts_again_on_both_paths_is_followed() {
        let mut merge = merge();
        for i in 0..100 {
            merge.packet(0, at(i * 100), 1, 50_000 + i as u32);
            merge.packet(1, at(i * 100 + 50), 2, 50_000 + i as u32);
        }
        let mut used = Vec::new();
        for i in 0..500 {
            let time = 10_000 + 30_000 + i * 100;
            used.extend(number(merge.packet(0, at(time), 11, i as u32)));
            used.extend(number(merge.packet(1, at(time + 50), 12, i as u32)));
        }
        // One packet is needed to believe it.
        assert_eq!(used.len(), 499);
        assert!(used.windows(2).all(|pair| pair[1] == pair[0] + 1));
    }

    proptest! {
        #[test]
        fn the_union_is_delivered_once(
            fates in prop::collection::vec((0_u8..100, 0_u8..100, 0_u64..40, 0_u64..40), 1..800),
            loss in 0_u8..60, start: u16, behind in 0_u64..5000, wide: bool,
        ) {
            let width = if wide { NumberWidth::Bits32 } else { NumberWidth::Bits16 };
            let mut merge = Merge::new(width, SKEW, 10_000);
            // Packets each 100 µs, path 1 behind, both with jitter that reorders.
            let mut arrivals = Vec::new();
            for (i, (a, b, jitter_a, jitter_b)) in (0_u32..).zip(&fates) {
                let time = u64::from(i) * 100;
                if *a >= loss {
                    arrivals.push((time + jitter_a * 10, 0, i));
                }
                if *b >= loss {
                    arrivals.push((behind + time + jitter_b * 10, 1, i));
                }
            }
            arrivals.sort();
            let union: std::collections::BTreeSet<u32> =
                arrivals.iter().map(|(_, _, i)| *i).collect();
            let mut delivered = Vec::new();
            for (time, path, i) in &arrivals {
                let wire = u32::from(start).wrapping_add(*i) & width.mask();
                if let Use::First { number, .. } = merge.packet(*path, at(*time), *path as u32, wire) {
                    delivered.push((number as u32).wrapping_sub(u32::from(start)) & width.mask());
                }
            }
            delivered.sort();
            prop_assert_eq!(delivered, union.iter().copied().collect::<Vec<_>>());
            let span = union.last().map_or(0, |highest| highest + 1 - union.first().unwrap());
            prop_assert_eq!(merge.lost(), u64::from(span) - union.len() as u64);
            let used = merge.counts(0).used + merge.counts(1).used;
            prop_assert_eq!(used, union.len() as u64);
        }

        #[test]
        fn hostile_numbers_do_not_keep_a_sender_out(
            packets in prop::collection::vec((0_usize..3, 0_u32..3, any::<u32>(), 0_u64..50_000), 1..300),
        ) {
            let mut merge = merge();
            for (path, ssrc, number, time) in packets {
                merge.packet(path, at(time), ssrc, number & 0xffff);
            }
            let mut used = 0;
            for i in 0..400 {
                used += u32::from(number(merge.packet(0, at(100_000 + u64::from(i) * 100), 9, i)).is_some());
            }
            prop_assert!(used > 390, "{used}");
        }
    }
}
