//! Hardware addresses of this host's interfaces.

use std::ffi::CStr;
use std::net::IpAddr;
use std::ptr;

/// One entry of the system's list.
struct Entry {
    name: String,
    what: What,
}

enum What {
    Ip(IpAddr),
    Mac([u8; 6]),
}

/// The hardware address of the interface that has this address; `None` if it has none, as the loopback interface.
pub(super) fn of_interface_with(ip: IpAddr) -> Option<[u8; 6]> {
    let entries = entries();
    let name = entries.iter().find_map(|entry| match entry.what {
        What::Ip(own) if own == ip => Some(&entry.name),
        _ => None,
    })?;
    let macs = entries.iter().filter(|entry| entry.name == *name);
    macs.filter_map(|entry| match entry.what {
        What::Mac(mac) => Some(mac),
        What::Ip(_) => None,
    })
    .find(|mac| *mac != [0; 6])
}

fn entries() -> Vec<Entry> {
    let mut list = ptr::null_mut();
    // SAFETY: the call writes one pointer to a list, which is given back below.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Vec::new();
    }
    let mut entries = Vec::new();
    let mut next = list;
    // SAFETY: each pointer of the list is null or leads to an entry that lives until the list is given back.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        // SAFETY: null, or the address of this entry.
        let Some(what) = (unsafe { address(entry.ifa_addr) }) else { continue };
        // SAFETY: the name is a text that ends in a zero byte.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) }.to_string_lossy().into_owned();
        entries.push(Entry { name, what });
    }
    // SAFETY: the list is that of the call above, and nothing refers to it any more.
    unsafe { libc::freeifaddrs(list) };
    entries
}

/// Reads an address.
///
/// # Safety
/// The pointer is null or leads to an address as large as its family says.
unsafe fn address(address: *const libc::sockaddr) -> Option<What> {
    // SAFETY: by this function's contract.
    let family = i32::from(unsafe { address.as_ref() }?.sa_family);
    match family {
        libc::AF_INET => {
            // SAFETY: the family says so; the read does not ask for alignment.
            let ip = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(What::Ip(IpAddr::from(ip.sin_addr.s_addr.to_ne_bytes())))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let ip = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(What::Ip(IpAddr::from(ip.sin6_addr.s6_addr)))
        }
        libc::AF_PACKET => {
            // SAFETY: as above.
            let link = unsafe { address.cast::<libc::sockaddr_ll>().read_unaligned() };
            let mac = (link.sll_halen == 6).then(|| link.sll_addr[..6].try_into().ok());
            mac.flatten().map(What::Mac)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_an_address_and_no_hardware() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let is_loopback = |entry: &Entry| matches!(entry.what, What::Ip(ip) if ip == loopback);
        assert!(entries().iter().any(is_loopback));
        assert_eq!(of_interface_with(loopback), None);
        assert_eq!(of_interface_with([192, 0, 2, 1].into()), None);
    }
}
