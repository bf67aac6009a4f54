//! The host's clock in the control service's messages.

use proto::control::ReferenceClock as Shown;
use st2110::reference::{ClockState, Discipline, ReferenceClock, TaiSource};

/// The state of the clock.
pub(crate) fn clock(state: &ClockState) -> Shown {
    let tai_offset_s = match state.source {
        TaiSource::Kernel { offset } | TaiSource::Assumed { offset } => Some(offset),
        TaiSource::Hardware { .. } => None,
    };
    let (synchronised, max_error_us) = match state.discipline {
        Discipline::Steered { error } => {
            (Some(true), Some(error.as_micros().try_into().unwrap_or(u64::MAX)))
        }
        Discipline::Free => (Some(false), None),
        Discipline::Unknown => (None, None),
    };
    let ts_refclk = match &state.reference {
        ReferenceClock::LocalMac([0, 0, 0, 0, 0, 0]) => String::new(),
        reference => reference.to_string(),
    };
    Shown {
        source: state.source.to_string(),
        tai_offset_s,
        synchronised,
        max_error_us,
        ts_refclk,
        warnings: state.warnings.iter().map(ToString::to_string).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use st2110::reference::ClockWarning;
    use std::time::Duration;

    #[test]
    fn what_is_shown_of_a_clock() {
        let free = ClockState {
            source: TaiSource::Assumed { offset: 37 },
            discipline: Discipline::Free,
            reference: ReferenceClock::LocalMac([0; 6]),
            warnings: vec![ClockWarning::RunsFree],
        };
        let shown = clock(&free);
        assert_eq!((shown.tai_offset_s, shown.synchronised), (Some(37), Some(false)));
        assert_eq!((shown.max_error_us, shown.ts_refclk.as_str()), (None, ""));
        assert!(shown.warnings[0].contains("drift"), "{shown:?}");
        let steered = ClockState {
            source: TaiSource::Kernel { offset: 37 },
            discipline: Discipline::Steered { error: Duration::from_micros(20) },
            reference: ReferenceClock::LocalMac([2, 0, 0, 0, 0, 0x1f]),
            warnings: Vec::new(),
        };
        let shown = clock(&steered);
        assert_eq!((shown.synchronised, shown.max_error_us), (Some(true), Some(20)));
        assert_eq!(shown.ts_refclk, "localmac=02-00-00-00-00-1F");
        let unknown = ClockState {
            source: TaiSource::Hardware { index: 1 },
            discipline: Discipline::Unknown,
            ..free
        };
        let shown = clock(&unknown);
        assert_eq!((shown.tai_offset_s, shown.synchronised), (None, None));
        assert!(shown.source.contains("/dev/ptp1"), "{shown:?}");
    }
}
