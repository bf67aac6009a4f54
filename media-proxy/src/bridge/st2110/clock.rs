//! The host's clock, which all streams follow.

use log::{info, warn};
use st2110::reference::{ClockState, ClockWarning, Discipline, ReferenceClock};
use st2110_net::engine::{Clock, SystemClock};
use st2110_net::host_time::{HardwareClock, read_clocks};
use st2110_net::socket::Interface;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The host's clock, for the streams and for those who ask about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostClock {
    /// The clock that streams follow instead of the system's.
    hardware: Option<Arc<HardwareClock>>,
    /// What descriptions say of the clock, if the operator has named it.
    reference: Option<ReferenceClock>,
    /// Where streams go that name no interface; known with the first of them.
    interface: Arc<OnceLock<Interface>>,
}

impl HostClock {
    /// The system's clock, or a PTP hardware clock. `reference` is what session descriptions shall
    /// name, otherwise they say what the system knows.
    ///
    /// # Errors
    /// There is no such clock, or this process may not read it.
    pub(crate) fn open(
        hardware: Option<&Path>,
        reference: Option<ReferenceClock>,
    ) -> Result<Self, st2110_net::Error> {
        let hardware = hardware.map(HardwareClock::open).transpose()?.map(Arc::new);
        Ok(Self { hardware, reference, ..Self::default() })
    }

    /// The time that streams follow.
    pub(super) fn time(&self) -> Arc<dyn Clock> {
        match &self.hardware {
            Some(clock) => Arc::clone(clock) as Arc<dyn Clock>,
            None => Arc::new(SystemClock),
        }
    }

    /// The first stream starts, on this interface. Logs what is wrong with the clock.
    pub(super) fn announce(&self, interface: &Interface) {
        if self.interface.set(interface.clone()).is_err() {
            return;
        }
        let state = self.state();
        info!("ST 2110 follows {}", state.source);
        // A TAI offset that is not set is logged where one is assumed, with the way to set it.
        let told = |warning: &&ClockWarning| matches!(warning, ClockWarning::OffsetNotSet { .. });
        for warning in state.warnings.iter().filter(|warning| !told(warning)) {
            warn!("time: {warning}");
        }
    }

    /// The state at present. The reference is the one of streams that name no interface: a MAC
    /// address of zeroes where it depends on their routes, or is not known before the first stream.
    pub(crate) fn state(&self) -> ClockState {
        self.of(self.interface.get().and_then(Interface::mac))
    }

    /// The state for streams that leave by the interface with this hardware address.
    pub(super) fn of(&self, mac: Option<[u8; 6]>) -> ClockState {
        // Without hardware of its own, as on the loopback interface, no other host can receive the
        // stream.
        let hardware = self.hardware.as_deref();
        let named = self.reference.clone();
        let mut readings = read_clocks(hardware, named, mac.unwrap_or_default());
        // TAI, as far as the kernel says, if a daemon steers its clock and has set the TAI offset.
        // Otherwise it is the sender's own clock (ST 2110-10 §8.2). Nothing tells whether a
        // hardware clock is steered.
        let steered = matches!(readings.discipline, Discipline::Steered { .. });
        if steered && readings.kernel_offset != 0 && readings.hardware.is_none() {
            readings.reference.get_or_insert_with(ReferenceClock::traceable);
        }
        ClockState::new(readings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_hardware_clock_is_refused() {
        for path in ["/dev/null", "/dev/ptp-of-nobody"] {
            let error = HostClock::open(Some(Path::new(path)), None).unwrap_err().to_string();
            assert!(error.contains(path) && error.contains("accepted: /dev/ptpN"), "{error}");
        }
        assert!(HostClock::open(None, None).unwrap().hardware.is_none());
    }

    #[test]
    fn a_named_reference_is_that_of_all_streams() {
        let named = ReferenceClock::grandmaster([1, 2, 3, 4, 5, 6, 7, 8], 127);
        let clock = HostClock::open(None, Some(named.clone())).unwrap();
        assert_eq!(clock.state().reference, named);
        assert_eq!(clock.of(Some([2; 6])).reference, named);
    }

    #[test]
    fn before_the_first_stream_no_interface_is_known() {
        let clock = HostClock::default();
        let unnamed = |clock: &HostClock| match clock.state().reference {
            ReferenceClock::LocalMac(mac) => mac == [0; 6],
            reference => reference == ReferenceClock::traceable(),
        };
        assert!(unnamed(&clock));
        clock.announce(&Interface::Address([127, 0, 0, 1].into()));
        assert!(unnamed(&clock), "the loopback interface has no address");
    }
}
