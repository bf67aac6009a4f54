//! State of the host's clock: the source of TAI, and warnings.

use std::fmt;
use std::time::Duration;

use super::ReferenceClock;

/// What the host's clocks said, read by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockReadings {
    /// `CLOCK_TAI − CLOCK_REALTIME` in seconds; 0 where it is not set.
    pub kernel_offset: i32,
    /// TAI − UTC in seconds to use where the kernel has none, and whether somebody configured it.
    pub fallback_offset: i32,
    /// Whether `fallback_offset` was configured, instead of being the built-in one.
    pub configured: bool,
    /// What the kernel says about its clock's discipline (`adjtimex`).
    pub discipline: Discipline,
    /// The PTP hardware clock to use instead of the kernel's clock.
    pub hardware: Option<PtpClock>,
    /// The reference clock that the configuration names: only who runs the PTP daemon knows the
    /// grandmaster.
    pub reference: Option<ReferenceClock>,
    /// The MAC address of the interface that sends.
    pub mac: [u8; 6],
}

/// A PTP hardware clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PtpClock {
    /// N of `/dev/ptpN`.
    pub index: u32,
    /// How far it is ahead of the kernel's TAI, in nanoseconds.
    pub ahead: i64,
}

/// Whether something steers a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discipline {
    /// A daemon steers it; its estimate of the greatest error.
    Steered {
        /// The greatest error.
        error: Duration,
    },
    /// It runs free.
    Free,
    /// The system does not say.
    Unknown,
}

/// Where TAI comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaiSource {
    /// A PTP hardware clock.
    Hardware {
        /// N of `/dev/ptpN`.
        index: u32,
    },
    /// `CLOCK_TAI`, with the kernel's offset in seconds.
    Kernel {
        /// TAI − UTC.
        offset: i32,
    },
    /// UTC and an offset of seconds that the kernel does not know.
    Assumed {
        /// TAI − UTC.
        offset: i32,
    },
}

impl fmt::Display for TaiSource {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hardware { index } => write!(f, "the hardware clock /dev/ptp{index}"),
            Self::Kernel { offset } => write!(f, "CLOCK_TAI, {offset} s ahead of UTC"),
            Self::Assumed { offset } => write!(f, "UTC and an assumed offset of {offset} s"),
        }
    }
}

/// Something about the time that an operator should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockWarning {
    /// The kernel's TAI offset is not set; `offset` seconds are used.
    OffsetNotSet {
        /// TAI − UTC.
        offset: i32,
        /// Whether it was configured.
        configured: bool,
    },
    /// Nothing steers the clock: streams will drift against those of other hosts.
    RunsFree,
    /// The hardware clock and the kernel's are more than a second apart: one of them is not TAI.
    FarApart {
        /// N of `/dev/ptpN`.
        index: u32,
        /// How far it is ahead, in nanoseconds.
        ahead: i64,
    },
}

impl fmt::Display for ClockWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OffsetNotSet { offset, configured } => {
                let origin = if *configured { "configured" } else { "built-in" };
                write!(
                    f,
                    "the kernel's TAI offset is not set: using the {origin} one of {offset} s"
                )
            }
            Self::RunsFree => f.write_str(
                "no daemon steers the system's clock: streams will drift against other hosts",
            ),
            Self::FarApart { index, ahead } => write!(
                f,
                "/dev/ptp{index} is {:.3} s ahead of CLOCK_TAI: one of them does not show TAI",
                *ahead as f64 / 1e9
            ),
        }
    }
}

/// The state of the host's time, as sender and receiver report it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockState {
    /// Where TAI comes from.
    pub source: TaiSource,
    /// Whether something steers it.
    pub discipline: Discipline,
    /// What a session description says of it: the configured reference, or the host's own clock.
    pub reference: ReferenceClock,
    /// What is wrong with it, the most important first.
    pub warnings: Vec<ClockWarning>,
}

/// How a stream's reference clock compares with this host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// The same clock, or both traceable to TAI: delays can be measured and streams aligned.
    Same,
    /// Different clocks.
    Different,
    /// One of them is not known well enough.
    Unknown,
}

impl ClockState {
    /// Beyond this the hardware clock and the kernel's do not show the same time: nanoseconds.
    const APART: u64 = 1_000_000_000;

    /// The state that follows from the readings.
    pub fn new(readings: ClockReadings) -> Self {
        let mut warnings = Vec::new();
        let source = match readings.hardware {
            Some(PtpClock { index, ahead }) => {
                if ahead.unsigned_abs() > Self::APART {
                    warnings.push(ClockWarning::FarApart { index, ahead });
                }
                TaiSource::Hardware { index }
            }
            None if readings.kernel_offset != 0 => {
                TaiSource::Kernel { offset: readings.kernel_offset }
            }
            None => {
                let (offset, configured) = (readings.fallback_offset, readings.configured);
                warnings.push(ClockWarning::OffsetNotSet { offset, configured });
                TaiSource::Assumed { offset }
            }
        };
        // The kernel knows nothing of who steers a hardware clock.
        let discipline = match readings.hardware {
            Some(_) => Discipline::Unknown,
            None => readings.discipline,
        };
        if discipline == Discipline::Free {
            warnings.push(ClockWarning::RunsFree);
        }
        let reference = readings.reference.unwrap_or(ReferenceClock::LocalMac(readings.mac));
        Self { source, discipline, reference, warnings }
    }

    /// How the reference clocks of a stream (it may name several) compare with this one.
    pub fn agrees_with(&self, stream: &[ReferenceClock]) -> Agreement {
        let unknown = |clock: &ReferenceClock| {
            matches!(clock, ReferenceClock::Other(_) | ReferenceClock::Ptp { server: None, .. })
        };
        if stream.contains(&self.reference) {
            return Agreement::Same;
        }
        if stream.is_empty() || unknown(&self.reference) || stream.iter().any(unknown) {
            return Agreement::Unknown;
        }
        // A traceable clock and a grandmaster may show the same time, but nothing confirms it.
        let traceable = ReferenceClock::traceable();
        let ptp = |clock: &ReferenceClock| matches!(clock, ReferenceClock::Ptp { .. });
        let mixed = self.reference == traceable && stream.iter().any(ptp)
            || ptp(&self.reference) && stream.contains(&traceable);
        if mixed { Agreement::Unknown } else { Agreement::Different }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEERED: Discipline = Discipline::Steered { error: Duration::from_micros(20) };

    fn readings() -> ClockReadings {
        ClockReadings {
            kernel_offset: 37,
            fallback_offset: 37,
            configured: false,
            discipline: STEERED,
            hardware: None,
            reference: None,
            mac: [2, 0, 0, 0, 0, 1],
        }
    }

    #[test]
    fn a_kernel_that_knows_tai_is_believed() {
        let state = ClockState::new(readings());
        assert_eq!(state.source, TaiSource::Kernel { offset: 37 });
        assert_eq!((state.discipline, state.warnings.len()), (STEERED, 0));
        assert_eq!(state.reference, ReferenceClock::LocalMac([2, 0, 0, 0, 0, 1]));
    }

    #[test]
    fn an_assumed_offset_is_warned_of() {
        let state = ClockState::new(ClockReadings {
            kernel_offset: 0,
            fallback_offset: 38,
            configured: true,
            discipline: Discipline::Free,
            ..readings()
        });
        assert_eq!(state.source, TaiSource::Assumed { offset: 38 });
        let text: Vec<_> = state.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 2);
        assert!(text[0].contains("configured one of 38 s"), "{}", text[0]);
        assert_eq!(state.warnings[1], ClockWarning::RunsFree);
    }

    #[test]
    fn a_hardware_clock_goes_first() {
        let of = |ahead| {
            let hardware = Some(PtpClock { index: 3, ahead });
            ClockState::new(ClockReadings {
                hardware,
                kernel_offset: 0,
                discipline: Discipline::Free,
                ..readings()
            })
        };
        let state = of(1200);
        assert_eq!(state.source, TaiSource::Hardware { index: 3 });
        assert_eq!((state.discipline, state.warnings), (Discipline::Unknown, vec![]));
        let warning = of(-37_000_000_000).warnings[0];
        assert_eq!(warning, ClockWarning::FarApart { index: 3, ahead: -37_000_000_000 });
        assert!(warning.to_string().starts_with("/dev/ptp3 is -37.000 s ahead"));
    }

    #[test]
    fn clocks_are_compared() {
        let grandmaster = ReferenceClock::grandmaster([1; 8], 127);
        let other = ReferenceClock::grandmaster([2; 8], 127);
        let own = |reference: &ReferenceClock| {
            ClockState::new(ClockReadings { reference: Some(reference.clone()), ..readings() })
        };
        let traceable = ReferenceClock::traceable();
        let mac = ReferenceClock::LocalMac([9; 6]);
        for (own_clock, stream, expected) in [
            (&grandmaster, vec![other.clone(), grandmaster.clone()], Agreement::Same),
            (&grandmaster, vec![other.clone()], Agreement::Different),
            (&grandmaster, vec![traceable.clone()], Agreement::Unknown),
            (&traceable, vec![traceable.clone()], Agreement::Same),
            (&traceable, vec![mac.clone()], Agreement::Different),
            (&grandmaster, vec![], Agreement::Unknown),
            (&grandmaster, vec![ReferenceClock::Other("gps".to_owned())], Agreement::Unknown),
        ] {
            assert_eq!(own(own_clock).agrees_with(&stream), expected, "{own_clock} {stream:?}");
        }
        // Without a configured reference, another host's clock is another clock.
        assert_eq!(ClockState::new(readings()).agrees_with(&[mac]), Agreement::Different);
    }
}
