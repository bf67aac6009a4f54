//! The network device for ST 2110 that the command line names.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// A device. Only the kernel's own network stack can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// A PCI address, for a driver in user space.
    Pci(String),
    /// An interface for AF_XDP sockets.
    Xdp(String),
    /// An interface for the kernel's sockets.
    Kernel(String),
}

impl FromStr for Device {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        // IFNAMSIZ counts the final zero.
        let interface = |name: &str| {
            let good = (1..16).contains(&name.len()) && !name.contains(['/', ' ']);
            good.then(|| name.to_owned()).ok_or(())
        };
        if let Some(name) = text.strip_prefix("kernel:") {
            return interface(name).map(Self::Kernel);
        }
        if let Some(name) = text.strip_prefix("native_af_xdp:") {
            return interface(name).map(Self::Xdp);
        }
        if is_pci_address(text) { Ok(Self::Pci(text.to_owned())) } else { Err(()) }
    }
}

impl Display for Device {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pci(address) => f.write_str(address),
            Self::Xdp(name) => write!(f, "native_af_xdp:{name}"),
            Self::Kernel(name) => write!(f, "kernel:{name}"),
        }
    }
}

fn is_pci_address(text: &str) -> bool {
    let hex = |text: &str, len| text.len() == len && text.bytes().all(|c| c.is_ascii_hexdigit());
    let short = match text.split_once(':') {
        Some((domain, rest)) if hex(domain, 4) => rest,
        _ => text,
    };
    matches!(short.split_once(':'), Some((bus, rest)) if hex(bus, 2)
        && matches!(rest.split_once('.'), Some((device, function)) if hex(device, 2) && hex(function, 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices() {
        for good in ["0000:31:00.0", "31:00.0", "native_af_xdp:eth0", "kernel:lo"] {
            assert_eq!(good.parse::<Device>().unwrap().to_string(), good);
        }
        for bad in ["", "eth0", "kernel:", "0000:31:00", "0000:31:00.00", "kernel:a/b"] {
            assert!(bad.parse::<Device>().is_err(), "{bad}");
        }
    }
}
