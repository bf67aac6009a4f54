//! Control messages beside datagrams: the size of segments, times of arrival, counts of drops.

use std::mem;

/// Room for the control messages of one call: of sending, one number; of receiving, a time, a count and a size.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Control([u8; 128]);

impl Control {
    pub(super) fn empty() -> Self {
        Self([0; 128])
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut libc::c_void {
        self.0.as_mut_ptr().cast()
    }

    pub(super) fn room(&self) -> usize {
        self.0.len()
    }

    /// Writes the one message that makes the kernel cut a buffer into datagrams of `segment` bytes. Returns its length.
    pub(super) fn segment(&mut self, segment: u16) -> usize {
        let header = libc::cmsghdr {
            // SAFETY: only arithmetic.
            cmsg_len: unsafe { libc::CMSG_LEN(2) } as usize,
            cmsg_level: libc::SOL_UDP,
            cmsg_type: libc::UDP_SEGMENT,
        };
        // SAFETY: plain data, and the array is larger than header and value; unaligned writes need no alignment.
        unsafe {
            self.0.as_mut_ptr().cast::<libc::cmsghdr>().write_unaligned(header);
            self.0
                .as_mut_ptr()
                .add(mem::size_of::<libc::cmsghdr>())
                .cast::<u16>()
                .write_unaligned(segment);
        }
        // SAFETY: only arithmetic.
        unsafe { libc::CMSG_SPACE(2) as usize }
    }

    /// Reads what the kernel wrote: the first `len` bytes.
    pub(super) fn read(&self, len: usize) -> Arrival {
        const HEADER: usize = mem::size_of::<libc::cmsghdr>();
        let mut arrival = Arrival::default();
        let mut rest = &self.0[..len.min(self.0.len())];
        while rest.len() >= HEADER {
            // SAFETY: the slice has at least the header's bytes, and every bit pattern is one.
            let header = unsafe { rest.as_ptr().cast::<libc::cmsghdr>().read_unaligned() };
            let Some(data) = rest.get(HEADER..header.cmsg_len) else { break };
            match (header.cmsg_level, header.cmsg_type) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    if let Some(bytes) = data.first_chunk() {
                        arrival.segment = usize::try_from(i32::from_ne_bytes(*bytes)).ok();
                    }
                }
                (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS) => {
                    if let (Some(seconds), Some(nanoseconds)) =
                        (data.first_chunk(), data.get(8..).and_then(|bytes| bytes.first_chunk()))
                    {
                        let seconds = i64::from_ne_bytes(*seconds);
                        let nanoseconds = i64::from_ne_bytes(*nanoseconds);
                        arrival.realtime = u64::try_from(
                            seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds),
                        )
                        .ok();
                    }
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                    if let Some(bytes) = data.first_chunk() {
                        arrival.drops = Some(u32::from_ne_bytes(*bytes));
                    }
                }
                _ => {}
            }
            let step = header.cmsg_len.next_multiple_of(mem::align_of::<usize>());
            rest = rest.get(step..).unwrap_or_default();
        }
        arrival
    }
}

/// What the kernel says of a received bundle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Bytes of each datagram but the last, if there are several.
    pub(super) segment: Option<usize>,
    /// Nanoseconds of CLOCK_REALTIME.
    pub(super) realtime: Option<u64>,
    /// Drops since the socket was made, modulo 2³².
    pub(super) drops: Option<u32>,
}
