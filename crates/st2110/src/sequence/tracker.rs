//! Accounting of one stream's packets on one path.

use std::time::Duration;

use media::Tai;

use super::{History, NumberWidth, Placed};

/// Packets in a row after which the sender is believed to have leapt.
const RUN: u32 = 8;
/// Packets in a row after which a stranger counts as the sender, once that has been silent for
/// [`SILENCE`].
const SHORT_RUN: u32 = 2;
const SILENCE: Duration = Duration::from_millis(20);

/// What a packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The first packet, or the first of a sender that started again.
    First {
        /// The continued number.
        number: u64,
        /// A sender was known before.
        restart: bool,
    },
    /// The next packet, or one further on.
    New {
        /// The continued number.
        number: u64,
        /// Numbers left out before it. They count as lost until they arrive.
        skipped: u64,
    },
    /// A packet that had been left out, or one from before the first that came.
    Reordered {
        /// The continued number.
        number: u64,
    },
    /// A packet that was there before.
    Duplicate {
        /// The continued number.
        number: u64,
    },
    /// A packet from before the window: too old to know more. It stays lost.
    Late,
    /// A packet of an unknown source, or with a number out of the window.
    Unknown,
}

/// Counts of packets since the tracker was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets accepted, each number once.
    pub received: u64,
    /// Numbers that never arrived, or not yet, or too late.
    pub lost: u64,
    /// Packets accepted after one with a higher number.
    pub reordered: u64,
    /// Packets whose number had been accepted.
    pub duplicate: u64,
    /// Packets before the window: too old to be told from duplicates.
    pub late: u64,
    /// Packets of unknown sources, or with numbers out of the window.
    pub unknown: u64,
    /// How often the sender started again.
    pub restarts: u64,
}

impl Counts {
    /// What has been counted since `earlier`. Losses that have been made good since then are not
    /// negative.
    pub fn since(self, earlier: Self) -> Self {
        let field = |of: fn(&Self) -> u64| of(&self).saturating_sub(of(&earlier));
        Self {
            received: field(|it| it.received),
            lost: field(|it| it.lost),
            reordered: field(|it| it.reordered),
            duplicate: field(|it| it.duplicate),
            late: field(|it| it.late),
            unknown: field(|it| it.unknown),
            restarts: field(|it| it.restarts),
        }
    }
}

/// Follows the sequence numbers of one sender, in bounded memory.
///
/// A sender is known by its SSRC and by numbers that go on. One that starts again leaps, and is
/// believed after eight packets in a row, or shows another SSRC, and is believed after two in a row
/// once the known one has been silent for 20 ms. So single packets of an unknown source change
/// nothing, and two senders on one address do not take turns, even if both send in bursts. The
/// packets before that count as unknown or late.
///
/// Leaps forward of up to a quarter of the numbers (an eighth of them with 16 bits) count as loss.
#[derive(Clone, Debug)]
pub struct Tracker {
    width: NumberWidth,
    window: u64,
    current: Option<Current>,
    candidate: Option<Candidate>,
    counts: Counts,
}

#[derive(Clone, Debug)]
struct Current {
    ssrc: u32,
    history: History,
    /// The highest number as it was on the wire.
    raw: u32,
    seen: Tai,
}

/// A stranger that may become the sender.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    ssrc: u32,
    next: u32,
    run: u32,
}

impl Tracker {
    /// A tracker that tells reordered packets from late ones within `window` numbers, at least 64
    /// and at most a quarter of the numbers there are.
    pub fn new(width: NumberWidth, window: u32) -> Self {
        let window = u64::from(window).clamp(64, width.widest_window().min(1 << 20));
        Self {
            width,
            window: window.next_power_of_two(),
            current: None,
            candidate: None,
            counts: Counts::default(),
        }
    }

    /// Counts so far.
    pub fn counts(&self) -> Counts {
        let missing = self.current.as_ref().map_or(0, |current| current.history.missing());
        Counts { lost: self.counts.lost + missing, ..self.counts }
    }

    /// How much of the numbers is trusted. A sender that leaves RFC 4175's extension at a constant
    /// is found out when its 16 bits wrap, and from then on these are all that counts.
    pub const fn width(&self) -> NumberWidth {
        self.width
    }

    /// The SSRC of the sender.
    pub fn ssrc(&self) -> Option<u32> {
        self.current.as_ref().map(|current| current.ssrc)
    }

    /// When a packet of the sender was last accepted, or a duplicate of one came.
    pub fn last_seen(&self) -> Option<Tai> {
        self.current.as_ref().map(|current| current.seen)
    }

    /// Classifies the packet with that SSRC and sequence number.
    pub fn feed(&mut self, now: Tai, ssrc: u32, number: u32) -> Arrival {
        let Some(current) = &mut self.current else {
            let first = self.width.restart(0, number);
            let history = History::new(first, self.window);
            self.current = Some(Current { ssrc, history, raw: number, seen: now });
            self.counts.received += 1;
            return Arrival::First { number: first, restart: false };
        };
        if ssrc != current.ssrc {
            return self.stranger(now, ssrc, number, false);
        }
        let highest = current.history.highest();
        if self.width == NumberWidth::Bits32 && constant_extension(current.raw, number, self.window)
        {
            self.width = NumberWidth::Bits16;
        }
        let forward = match self.width {
            NumberWidth::Bits16 => 0x2000,
            NumberWidth::Bits32 => 0x4000_0000,
        };
        let distance = self.width.distance(highest, number);
        let back = self.window.min(self.width.widest_window()) as i64;
        if distance > forward || distance <= -back {
            return self.stranger(now, ssrc, number, distance < 0);
        }
        let continued = highest.saturating_add_signed(distance);
        let placed = current.history.insert(continued);
        if placed == Placed::Late {
            self.counts.late += 1;
            return Arrival::Late;
        }
        self.candidate = None;
        current.seen = current.seen.max(now);
        match placed {
            Placed::Newer { skipped } => {
                current.raw = number;
                self.counts.received += 1;
                Arrival::New { number: continued, skipped }
            }
            Placed::Older => {
                self.counts.received += 1;
                self.counts.reordered += 1;
                Arrival::Reordered { number: continued }
            }
            Placed::Duplicate | Placed::Late => {
                self.counts.duplicate += 1;
                Arrival::Duplicate { number: continued }
            }
        }
    }

    /// Takes in `count` packets at once that are just the next ones of the sender: with its SSRC,
    /// and numbers from `number` on that follow its highest. Each is [`Arrival::New`] with nothing
    /// skipped; the first one's continued number is given. Otherwise `None`: nothing has been taken
    /// in, and [`Tracker::feed`] tells what each packet is.
    pub fn feed_next(&mut self, now: Tai, ssrc: u32, number: u32, count: u32) -> Option<u64> {
        let current = self.current.as_mut()?;
        let next = current.history.highest() + 1;
        let extended = self.width == NumberWidth::Bits32;
        if count == 0
            || ssrc != current.ssrc
            || self.width.distance(next, number) != 0
            || extended && constant_extension(current.raw, number, self.window)
        {
            return None;
        }
        // From one of these numbers to the next the extension does go on.
        current.history.append(count.into());
        current.raw = number.wrapping_add(count - 1) & self.width.mask();
        current.seen = current.seen.max(now);
        self.candidate = None;
        self.counts.received += u64::from(count);
        Some(next)
    }

    fn stranger(&mut self, now: Tai, ssrc: u32, number: u32, old: bool) -> Arrival {
        let mask = self.width.mask();
        let run = match self.candidate {
            Some(known) if known.ssrc == ssrc && known.next == number & mask => known.run + 1,
            _ => 1,
        };
        let next = number.wrapping_add(1) & mask;
        self.candidate = Some(Candidate { ssrc, next, run });
        if let Some(current) = &mut self.current {
            let silent = now.since(current.seen) >= SILENCE;
            let leapt = ssrc == current.ssrc && run >= RUN;
            if leapt || silent && run >= SHORT_RUN {
                self.counts.lost += current.history.missing();
                let first = self.width.restart(current.history.highest(), number);
                current.history.restart(first);
                (current.ssrc, current.raw, current.seen) = (ssrc, number, now);
                self.candidate = None;
                self.counts.received += 1;
                self.counts.restarts += 1;
                return Arrival::First { number: first, restart: true };
            }
        }
        if old {
            self.counts.late += 1;
            Arrival::Late
        } else {
            self.counts.unknown += 1;
            Arrival::Unknown
        }
    }
}

/// Whether the low half has wrapped from `last` to `number` while the high half stayed what it was.
fn constant_extension(last: u32, number: u32, window: u64) -> bool {
    let step = i64::from((number as u16).wrapping_sub(last as u16) as i16);
    let wrapped = (number as u16) < last as u16;
    last >> 16 == number >> 16 && wrapped && step > 0 && step.unsigned_abs() <= window.min(0x2000)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SSRC: u32 = 7;

    fn at(microseconds: u64) -> Tai {
        Tai::from_nanos(1_000_000_000 + microseconds * 1000)
    }

    fn tracker() -> Tracker {
        Tracker::new(NumberWidth::Bits16, 64)
    }

    fn feed_all(tracker: &mut Tracker, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            tracker.feed(at(0), SSRC, number);
        }
    }

    #[test]
    fn what_was_injected_is_counted() {
        let mut tracker = tracker();
        // Wraps; 65535 comes after 0; 2 is doubled; 4 and 5 are lost.
        feed_all(&mut tracker, [65533, 65534, 0, 65535, 1, 2, 2, 3, 6]);
        let expected =
            Counts { received: 8, lost: 2, reordered: 1, duplicate: 1, ..Counts::default() };
        assert_eq!(tracker.counts(), expected);
        // One of them comes after all, the other when the window has gone.
        feed_all(&mut tracker, [4]);
        feed_all(&mut tracker, 7..=69);
        assert_eq!(tracker.feed(at(0), SSRC, 5), Arrival::Late);
        let expected = Counts {
            received: 72,
            lost: 1,
            reordered: 2,
            duplicate: 1,
            late: 1,
            ..Counts::default()
        };
        assert_eq!(tracker.counts(), expected);
    }

    #[test]
    fn single_strangers_change_nothing() {
        let mut tracker = tracker();
        feed_all(&mut tracker, 0..10);
        for number in 10..200 {
            // A second sender on the same address, and forged numbers.
            assert_eq!(tracker.feed(at(0), 8, number), Arrival::Unknown);
            assert_eq!(
                tracker.feed(at(0), SSRC, (number * 7 + 30_000) & 0xffff),
                match number {
                    n if (i32::from((n * 7 + 30_000) as u16 as i16)) < 0 => Arrival::Late,
                    _ => Arrival::Unknown,
                }
            );
            let new = Arrival::New { number: 0x2_0000 + u64::from(number), skipped: 0 };
            assert_eq!(tracker.feed(at(0), SSRC, number), new);
        }
        assert_eq!(tracker.counts().restarts, 0);
        assert_eq!(tracker.counts().lost, 0);
    }

    #[test]
    fn two_senders_that_burst_do_not_take_turns() {
        let mut tracker = tracker();
        for burst in 0..20 {
            let numbers = burst * 44..(burst + 1) * 44;
            let time = u64::from(burst) * 2000;
            for number in numbers.clone() {
                tracker.feed(at(time), SSRC, number);
            }
            for number in numbers {
                tracker.feed(at(time + 1000), 8, 9000 + number);
            }
        }
        let counts = tracker.counts();
        assert_eq!((counts.received, counts.unknown, counts.restarts), (880, 880, 0));
    }

    #[test]
    fn a_sender_that_starts_again_is_followed() {
        let mut tracker = tracker();
        feed_all(&mut tracker, [100, 101, 103]);
        // Another SSRC after a pause: the second packet is believed.
        assert_eq!(tracker.feed(at(30_000), 8, 5), Arrival::Unknown);
        let first = Arrival::First { number: 0x4_0006, restart: true };
        assert_eq!(tracker.feed(at(30_001), 8, 6), first);
        let new = Arrival::New { number: 0x4_0007, skipped: 0 };
        assert_eq!(tracker.feed(at(30_002), 8, 7), new);
        // A leap without a pause: the eighth.
        let leap: Vec<_> =
            (40_000..40_008).map(|number| tracker.feed(at(30_003), 8, number)).collect();
        assert!(leap[..7].iter().all(|arrival| matches!(arrival, Arrival::Late)), "{leap:?}");
        assert_eq!(leap[7], Arrival::First { number: 0x6_0000 + 40_007, restart: true });
        let counts = tracker.counts();
        assert_eq!((counts.restarts, counts.lost, counts.unknown, counts.late), (2, 1, 1, 7));
        assert_eq!((counts.received, tracker.ssrc()), (6, Some(8)));
    }

    #[test]
    fn long_losses_are_counted_with_the_extension() {
        let mut tracker = Tracker::new(NumberWidth::Bits32, 1024);
        feed_all(&mut tracker, [0xffff_0000, 0xffff_0001, 0x0001_0001]);
        assert_eq!(tracker.counts().lost, 0x1_ffff);
        assert_eq!(tracker.counts().restarts, 0);
    }

    #[test]
    fn an_extension_that_stays_is_found_out() {
        let mut tracker = Tracker::new(NumberWidth::Bits32, 1024);
        feed_all(&mut tracker, 0..=0xffff);
        assert_eq!(tracker.width(), NumberWidth::Bits32);
        feed_all(&mut tracker, 0..=0xffff);
        assert_eq!(tracker.width(), NumberWidth::Bits16);
        feed_all(&mut tracker, 0..=10);
        let expected = Counts { received: 0x2_000b, ..Counts::default() };
        assert_eq!(tracker.counts(), expected);
    }

    /// What happens to each packet of a stream.
    #[derive(Clone, Copy, Debug)]
    enum Fate {
        Arrive,
        Lose,
        Double,
        Delay(usize),
    }

    fn fate() -> impl Strategy<Value = Fate> {
        prop_oneof![
            6 => Just(Fate::Arrive),
            1 => Just(Fate::Lose),
            1 => Just(Fate::Double),
            1 => (1_usize..40).prop_map(Fate::Delay),
        ]
    }

    proptest! {
        #[test]
        fn it_agrees_with_an_oracle(
            fates in prop::collection::vec(fate(), 1..600), start: u16, wide: bool,
        ) {
            // Every packet's place in the order of arrival; a delayed one comes that many places
            // later.
            let mut arrivals = vec![(0, 0)];
            for (i, fate) in fates.iter().enumerate() {
                let (number, place) = (i as u32 + 1, 2 * (i + 1));
                match fate {
                    Fate::Arrive => arrivals.push((place, number)),
                    Fate::Lose => {}
                    Fate::Double => arrivals.extend([(place, number), (place + 1, number)]),
                    Fate::Delay(by) => arrivals.push((place + 2 * by + 1, number)),
                }
            }
            arrivals.sort();
            let width = if wide { NumberWidth::Bits32 } else { NumberWidth::Bits16 };
            let mut tracker = Tracker::new(width, 64);
            let mut expected = Counts::default();
            let (mut seen, mut highest) = (BTreeSet::new(), 0);
            for (_, number) in arrivals {
                tracker.feed(at(0), SSRC, u32::from(start).wrapping_add(number) & width.mask());
                if !seen.insert(number) {
                    expected.duplicate += 1;
                } else {
                    expected.received += 1;
                    expected.reordered += u64::from(number < highest);
                }
                highest = highest.max(number);
            }
            expected.lost = u64::from(highest) + 1 - seen.len() as u64;
            prop_assert_eq!(tracker.counts(), expected);
        }

        #[test]
        fn hostile_numbers_do_no_harm(
            packets in prop::collection::vec((0_u32..3, any::<u32>(), 0_u64..50_000), 1..400), wide: bool,
        ) {
            let width = if wide { NumberWidth::Bits32 } else { NumberWidth::Bits16 };
            let mut tracker = Tracker::new(width, 64);
            for (ssrc, number, time) in packets {
                tracker.feed(at(time), ssrc, number);
            }
            // Whatever came, a real sender is followed soon.
            let mut lost = 0;
            for number in 0..200_u32 {
                let arrival = tracker.feed(at(100_000), 9, number);
                lost = match arrival {
                    Arrival::First { .. } | Arrival::New { .. } => lost,
                    _ => lost + 1,
                };
            }
            prop_assert!(lost < 8, "{lost}");
        }
    }
}
