//! Buffers that datagrams are received into, many with each call.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use st2110::rtp::Datagrams;

use super::{
    control::{Arrival, Control},
    name::Name,
};

/// A bundle that the kernel has put together is at most one IP packet long.
const BUNDLE_BYTES: usize = 65_536;
/// Bundles in one call. Video of 1080 lines at 60 frames a second brings about 11 in the time for
/// which packets gather, so that one call takes them all.
const BUNDLES: usize = 16;
/// Room for a single datagram, with the Extended UDP Size Limit.
const SINGLE_BYTES: usize = 9_216;
/// Datagrams in one call.
const SINGLES: usize = 64;
/// Both ways to use the memory fit.
const AREA: usize = BUNDLES * BUNDLE_BYTES;
const _: () = assert!(SINGLES * SINGLE_BYTES <= AREA && BUNDLES <= SINGLES);

/// Memory that datagrams are received into. One serves any number of sockets, one after the other.
pub struct Batch {
    area: Box<[u8]>,
    names: Box<[Name]>,
    controls: Box<[Control]>,
    /// What the last call received: where it begins, its length, flags, and the length of its
    /// control messages.
    taken: Vec<Taken>,
    /// Whether the kernel was asked for the senders.
    named: bool,
}

#[derive(Clone, Copy)]
struct Taken {
    start: usize,
    len: usize,
    control: usize,
    truncated: bool,
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl Batch {
    /// Memory for one call, a megabyte.
    pub fn new() -> Self {
        Self {
            area: vec![0; AREA].into(),
            names: vec![Name::empty(); SINGLES].into(),
            controls: vec![Control::empty(); SINGLES].into(),
            taken: Vec::with_capacity(SINGLES),
            named: false,
        }
    }

    /// Bundles that one call receives at most.
    pub fn capacity(coalescing: bool) -> usize {
        if coalescing { BUNDLES } else { SINGLES }
    }

    /// Receives what is there, with the names of senders or without.
    pub(super) fn fill(
        &mut self,
        fd: BorrowedFd<'_>,
        coalescing: bool,
        named: bool,
    ) -> io::Result<usize> {
        self.named = named;
        if coalescing {
            self.call::<BUNDLES>(fd, BUNDLE_BYTES)
        } else {
            self.call::<SINGLES>(fd, SINGLE_BYTES)
        }
    }

    /// One call for `COUNT` datagrams or bundles, with `room` bytes for each.
    fn call<const COUNT: usize>(&mut self, fd: BorrowedFd<'_>, room: usize) -> io::Result<usize> {
        self.taken.clear();
        // SAFETY: plain data; all zeroes are an empty message.
        let mut messages: [libc::mmsghdr; COUNT] = unsafe { std::mem::zeroed() };
        let mut vectors = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; COUNT];
        let slots = self.area.chunks_exact_mut(room).zip(&mut self.names).zip(&mut self.controls);
        let mut count = 0;
        for ((message, vector), ((area, name), control)) in
            messages.iter_mut().zip(&mut vectors).zip(slots)
        {
            *vector = libc::iovec { iov_base: area.as_mut_ptr().cast(), iov_len: area.len() };
            let header = &mut message.msg_hdr;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            if self.named {
                header.msg_name = (&raw mut name.storage).cast();
                header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            }
            header.msg_control = control.as_mut_ptr();
            header.msg_controllen = control.room();
            count += 1;
        }
        // SAFETY: each of the `count` headers points to memory of its own, in this object and on
        // the stack, which outlives the call.
        let received = unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                messages.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let Ok(received) = usize::try_from(received) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionRefused => {
                    Ok(0)
                }
                _ => Err(error),
            };
        };
        for (index, message) in messages.iter().take(received).enumerate() {
            self.taken.push(Taken {
                start: index * room,
                len: (message.msg_len as usize).min(room),
                control: message.msg_hdr.msg_controllen,
                truncated: message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            });
        }
        Ok(received)
    }

    /// What the last call received, in the order of arrival.
    pub fn bundles(&self) -> impl Iterator<Item = Bundle<'_>> {
        self.taken.iter().zip(&self.names).zip(&self.controls).map(|((taken, name), control)| {
            Bundle {
                bytes: &self.area[taken.start..taken.start + taken.len],
                truncated: taken.truncated,
                name: self.named.then_some(name),
                arrival: control.read(taken.control),
            }
        })
    }
}

/// Datagrams of one sender that the kernel hands over together.
pub struct Bundle<'a> {
    bytes: &'a [u8],
    truncated: bool,
    name: Option<&'a Name>,
    arrival: Arrival,
}

impl<'a> Bundle<'a> {
    /// The datagrams, in the order of arrival.
    pub fn datagrams(&self) -> Datagrams<'a> {
        Datagrams::new(self.bytes, self.arrival.segment.unwrap_or(0))
    }

    /// Whether the datagram was longer than any of ST 2110, so that its end is missing.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// Who sent them, if the receiver asks for that.
    pub fn sender(&self) -> Option<SocketAddr> {
        self.name?.to_socket()
    }

    /// When the first of them arrived: nanoseconds of CLOCK_REALTIME.
    pub fn realtime(&self) -> Option<u64> {
        self.arrival.realtime
    }

    /// What the socket has dropped so far for want of buffer, modulo 2³². The kernel counts a
    /// bundle as one. None while it is 0.
    pub fn drops(&self) -> Option<u32> {
        self.arrival.drops
    }
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("bundles", &self.taken.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Bundle<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundle")
            .field("len", &self.bytes.len())
            .field("sender", &self.sender())
            .field("arrival", &self.arrival)
            .finish_non_exhaustive()
    }
}
