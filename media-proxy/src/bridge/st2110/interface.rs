//! The network interface of streams that name none themselves.

use crate::device::Device;
use log::{info, warn};
use st2110_net::socket::Interface;
use std::net::{IpAddr, UdpSocket};
use std::sync::OnceLock;

/// What the command line says about the interface, and what has come of it.
#[derive(Debug)]
pub(super) struct Choice {
    device: Option<Device>,
    address: Option<IpAddr>,
    made: OnceLock<Interface>,
}

impl Choice {
    pub(super) fn new(device: Option<Device>, address: Option<IpAddr>) -> Self {
        Self { device, address, made: OnceLock::new() }
    }

    /// The interface. What is worth knowing about the choice is logged when it is made, with the
    /// first bridge.
    pub(super) fn get(&self) -> &Interface {
        self.made.get_or_init(|| {
            let interface = self.choose();
            info!("ST 2110 on interface: {interface}");
            interface
        })
    }

    fn choose(&self) -> Interface {
        match &self.device {
            Some(Device::Kernel(name)) => return Interface::Name(name.clone()),
            Some(device @ (Device::Pci(_) | Device::Xdp(_))) => {
                warn!(
                    "--dev {device}: this proxy uses the kernel's sockets instead, at the address of --ip"
                );
            }
            None => {}
        }
        match self.address {
            // It may come later: a stream that cannot start for want of it says so, and is tried
            // again.
            Some(address) => Interface::Address(address),
            None if is_here(crate::run::DEFAULT_ST2110_IP) => {
                Interface::Address(crate::run::DEFAULT_ST2110_IP)
            }
            None => {
                let default = crate::run::DEFAULT_ST2110_IP;
                info!(
                    "--ip was not given, and no interface has its default {default}: routes decide"
                );
                Interface::Any
            }
        }
    }
}

/// Whether an address is one of this host's.
fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(device: Option<&str>, address: Option<&str>) -> Interface {
        let device = device.map(|text| text.parse().unwrap());
        let address = address.map(|text| text.parse().unwrap());
        Choice::new(device, address).get().clone()
    }

    #[test]
    fn what_is_given_counts() {
        let lo = Interface::Address("127.0.0.1".parse().unwrap());
        assert_eq!(chosen(Some("kernel:eth7"), Some("127.0.0.1")), Interface::Name("eth7".into()));
        assert_eq!(chosen(None, Some("127.0.0.1")), lo);
        for device in ["0000:31:00.0", "native_af_xdp:eth0"] {
            assert_eq!(chosen(Some(device), Some("127.0.0.1")), lo);
        }
        assert!(is_here("127.0.0.1".parse().unwrap()));
        assert!(!is_here("192.0.2.1".parse().unwrap()));
    }
}
