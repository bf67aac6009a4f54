//! Readings of the kernel's clocks.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use st2110::reference::{ClockReadings, Discipline, PtpClock, ReferenceClock};

use super::HardwareClock;

const NANOS: i64 = 1_000_000_000;
/// The kernel's clock is not steered (`STA_UNSYNC` of adjtimex(2)).
const UNSYNCHRONISED: i32 = libc::STA_UNSYNC;

/// Reads the host's clocks, for [`st2110::reference::ClockState::new`].
///
/// `hardware` is the clock that the streams follow instead of the kernel's, `reference` what the
/// configuration calls it, and `mac` the address of the interface that sends. A hardware clock that
/// cannot be read any more counts as not being there.
pub fn read_clocks(
    hardware: Option<&HardwareClock>,
    reference: Option<ReferenceClock>,
    mac: [u8; 6],
) -> ClockReadings {
    let hardware = hardware.and_then(|clock| {
        Some(PtpClock { index: clock.index(), ahead: clock.ahead_of_system().ok()? })
    });
    let kernel_offset = kernel_offset();
    let offset = if kernel_offset == 0 { media::tai::offset_seconds() } else { 0 };
    ClockReadings {
        kernel_offset,
        fallback_offset: i32::try_from(offset).unwrap_or(0),
        configured: std::env::var_os(media::tai::OFFSET_VARIABLE).is_some(),
        discipline: discipline(),
        hardware,
        reference,
        mac,
    }
}

/// `CLOCK_TAI − CLOCK_REALTIME` in seconds. Rounding takes away the moment between the readings.
fn kernel_offset() -> i32 {
    let tai = clock_gettime(ClockId::Tai);
    let utc = clock_gettime(ClockId::Realtime);
    let difference = (tai.tv_sec - utc.tv_sec).saturating_mul(NANOS) + tai.tv_nsec - utc.tv_nsec;
    i32::try_from((difference + NANOS / 2).div_euclid(NANOS)).unwrap_or(0)
}

fn discipline() -> Discipline {
    // SAFETY: timex is plain numbers, for which zeros are valid; no mode bit is set, so nothing is
    // changed.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live timex of this function.
    if unsafe { libc::adjtimex(&mut timex) } < 0 {
        return Discipline::Unknown;
    }
    if timex.status & UNSYNCHRONISED != 0 {
        return Discipline::Free;
    }
    Discipline::Steered { error: Duration::from_micros(u64::try_from(timex.maxerror).unwrap_or(0)) }
}

#[cfg(test)]
mod tests {
    use st2110::reference::{ClockState, TaiSource};

    use super::*;

    #[test]
    fn readings_make_a_state() {
        let readings = read_clocks(None, None, [2, 0, 0, 0, 0, 1]);
        let (offset, fallback) = (readings.kernel_offset, readings.fallback_offset);
        let state = ClockState::new(readings);
        // The state names the very offset that this process's time has.
        let used = i32::try_from(media::tai::offset_seconds()).unwrap();
        match state.source {
            TaiSource::Kernel { offset: kernel } => assert_eq!((kernel, kernel), (offset, used)),
            TaiSource::Assumed { offset: assumed } => {
                assert_eq!((offset, assumed, assumed), (0, fallback, used));
                assert!(!state.warnings.is_empty());
            }
            TaiSource::Hardware { .. } => panic!("there is no hardware clock"),
        }
    }
}
