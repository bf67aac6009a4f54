//! Checks that this host has the interfaces that the command line names.

use crate::args::Args;
use crate::device::Device;
use st2110_net::socket::Interface;

/// Warnings about interfaces that are missing. They may appear later, so this is not an error.
pub(crate) fn absences(args: &Args) -> Vec<String> {
    let device = match &args.device {
        Some(Device::Kernel(name) | Device::Xdp(name)) => Some(Interface::Name(name.clone())),
        // Of a PCI address nothing is used.
        Some(Device::Pci(_)) | None => None,
    };
    let named = [
        ("--dev", device, "ST 2110 streams"),
        ("--ip", args.st2110_ip.map(Interface::Address), "ST 2110 streams"),
        ("--rdma_ip", args.rdma_ip.map(Interface::Address), "streams from other hosts"),
    ];
    let absent = |(option, interface, streams): (&str, Option<Interface>, &str)| {
        // All addresses are there.
        let interface =
            interface.filter(|it| !matches!(it, Interface::Address(ip) if ip.is_unspecified()))?;
        let error = interface.check().err()?;
        Some(format!("{option}: {error}. Until it is there, {streams} fail that need it"))
    };
    named.into_iter().filter_map(absent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn what_is_not_on_this_host_is_named() {
        let args = |device: Option<&str>, ip: Option<&str>, rdma: Option<&str>| Args {
            device: device.map(|text| text.parse().unwrap()),
            st2110_ip: ip.map(|text| text.parse().unwrap()),
            rdma_ip: rdma.map(|text| text.parse().unwrap()),
            ..Args::parse_from(["media_proxy"])
        };
        let here = args(Some("kernel:lo"), Some("127.0.0.1"), Some("127.0.0.1"));
        assert_eq!(absences(&here), Vec::<String>::new());
        assert_eq!(absences(&args(None, Some("0.0.0.0"), None)), Vec::<String>::new());
        let elsewhere = args(Some("kernel:nosuch0"), Some("192.0.2.9"), Some("192.0.2.10"));
        let told = absences(&elsewhere);
        assert_eq!(told.len(), 3, "{told:?}");
        for (text, words) in told.iter().zip([
            ["--dev: ", "nosuch0"],
            ["--ip: ", "192.0.2.9"],
            ["--rdma_ip: ", "192.0.2.10"],
        ]) {
            assert!(words.iter().all(|word| text.contains(word)) && text.contains("lo"), "{text}");
        }
    }
}
