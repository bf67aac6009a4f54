//! Socket options.

use std::{io, mem, os::fd::AsFd, os::fd::AsRawFd};

/// Sets an option to a value of plain data.
fn set_raw<T: Copy>(
    fd: impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as the value has, for the time of the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_fd().as_raw_fd(),
            level,
            name,
            (&raw const *value).cast(),
            mem::size_of::<T>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets an option that is a number.
pub(super) fn set(
    fd: impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    set_raw(fd, level, name, &value)
}

/// Reads an option that is a number.
pub(super) fn get(fd: impl AsFd, level: libc::c_int, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut len = mem::size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: value and length live through the call, and the length is the value's.
    let result = unsafe {
        libc::getsockopt(fd.as_fd().as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut len)
    };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// Has the kernel read launch times in `CLOCK_MONOTONIC` beside datagrams.
pub(super) fn launch_times(fd: impl AsFd) -> io::Result<()> {
    let request = libc::sock_txtime { clockid: libc::CLOCK_MONOTONIC, flags: 0 };
    set_raw(fd, libc::SOL_SOCKET, libc::SO_TXTIME, &request)
}

/// Bytes that were handed over and have not left, with what the kernel needs to keep them.
pub(super) fn outgoing(fd: impl AsFd) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes one number, which lives through the call.
    let result = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result == 0 { Ok(bytes.max(0) as usize) } else { Err(io::Error::last_os_error()) }
}

/// Sets an option that is text.
pub(super) fn set_text(
    fd: impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: &str,
) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes as the text has, for the time of the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_fd().as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            value.len() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Multicast goes out of this IPv4 interface.
pub(super) fn multicast_interface_v4(fd: impl AsFd, index: u32) -> io::Result<()> {
    let request = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr { s_addr: 0 },
        imr_address: libc::in_addr { s_addr: 0 },
        imr_ifindex: index as libc::c_int,
    };
    set_raw(fd, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &request)
}

/// Joins a group for packets of any source (RFC 3678 §5).
pub(super) fn join(
    fd: impl AsFd,
    level: libc::c_int,
    index: u32,
    group: libc::sockaddr_storage,
) -> io::Result<()> {
    // SAFETY: plain data with padding; all zeroes are valid.
    let mut request: libc::group_req = unsafe { mem::zeroed() };
    request.gr_interface = index;
    request.gr_group = group;
    set_raw(fd, level, libc::MCAST_JOIN_GROUP, &request)
}

/// Joins a group for packets of one source (RFC 3678 §5).
pub(super) fn join_source(
    fd: impl AsFd,
    level: libc::c_int,
    index: u32,
    group: libc::sockaddr_storage,
    source: libc::sockaddr_storage,
) -> io::Result<()> {
    set_source(fd, level, libc::MCAST_JOIN_SOURCE_GROUP, index, group, source)
}

/// Takes no more packets of one source in a group that was joined for any (RFC 3678 §5).
pub(super) fn block_source(
    fd: impl AsFd,
    level: libc::c_int,
    index: u32,
    group: libc::sockaddr_storage,
    source: libc::sockaddr_storage,
) -> io::Result<()> {
    set_source(fd, level, libc::MCAST_BLOCK_SOURCE, index, group, source)
}

fn set_source(
    fd: impl AsFd,
    level: libc::c_int,
    action: libc::c_int,
    index: u32,
    group: libc::sockaddr_storage,
    source: libc::sockaddr_storage,
) -> io::Result<()> {
    // SAFETY: plain data with padding; all zeroes are valid.
    let mut request: libc::group_source_req = unsafe { mem::zeroed() };
    request.gsr_interface = index;
    request.gsr_group = group;
    request.gsr_source = source;
    set_raw(fd, level, action, &request)
}

/// What the kernel knows of a socket's memory.
pub(super) struct Memory {
    /// Packets that it has dropped since it was made.
    pub(super) drops: u32,
}

/// `SO_MEMINFO`, an array of numbers.
pub(super) fn memory(fd: impl AsFd) -> Option<Memory> {
    /// `SK_MEMINFO_DROPS` of linux/sock_diag.h.
    const DROPS: usize = 8;
    let mut info = [0_u32; DROPS + 1];
    let mut len = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the kernel writes at most as many bytes as the length says, which the array has.
    let result = unsafe {
        libc::getsockopt(
            fd.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    let whole = result == 0 && len as usize == size_of_val(&info);
    whole.then_some(Memory { drops: info[DROPS] })
}

/// Leaves a group with all its sources.
pub(super) fn leave(
    fd: impl AsFd,
    level: libc::c_int,
    index: u32,
    group: libc::sockaddr_storage,
) -> io::Result<()> {
    // SAFETY: plain data with padding; all zeroes are valid.
    let mut request: libc::group_req = unsafe { mem::zeroed() };
    request.gr_interface = index;
    request.gr_group = group;
    set_raw(fd, level, libc::MCAST_LEAVE_GROUP, &request)
}

/// Sets a buffer's size, by force where the process may, and returns the bytes that the kernel
/// gave. The kernel doubles what it is told, for its own bookkeeping, and reports the double.
pub(super) fn set_buffer(
    fd: impl AsFd + Copy,
    forced: libc::c_int,
    plain: libc::c_int,
    wanted: usize,
) -> io::Result<usize> {
    let value =
        libc::c_int::try_from(wanted).unwrap_or(libc::c_int::MAX / 2).min(libc::c_int::MAX / 2);
    if set(fd, libc::SOL_SOCKET, forced, value).is_err() {
        set(fd, libc::SOL_SOCKET, plain, value)?;
    }
    Ok(get(fd, libc::SOL_SOCKET, plain)? as usize / 2)
}
