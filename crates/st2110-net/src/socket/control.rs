//! Control messages beside datagrams: the size of segments, launch times and times of arrival,
//! counts of drops.

use std::mem;

/// Room for the control messages of one call: of sending, a size and a time; of receiving, a time,
/// a count and a size.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Control([u8; 128]);

impl Control {
    pub(super) const fn empty() -> Self {
        Self([0; 128])
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut libc::c_void {
        self.0.as_mut_ptr().cast()
    }

    pub(super) fn room(&self) -> usize {
        self.0.len()
    }

    /// Writes the first message, which makes the kernel cut a buffer into datagrams of `segment`
    /// bytes. Returns the length of all.
    pub(super) fn segment(&mut self, segment: u16) -> usize {
        self.push(0, libc::SOL_UDP, libc::UDP_SEGMENT, segment.to_ne_bytes())
    }

    /// Writes one more message behind `len` bytes of others: when the buffer is to leave, in
    /// nanoseconds of the clock that was agreed on. Returns the length of all.
    pub(super) fn launch_time(&mut self, len: usize, nanoseconds: u64) -> usize {
        self.push(len, libc::SOL_SOCKET, libc::SCM_TXTIME, nanoseconds.to_ne_bytes())
    }

    fn push<const N: usize>(
        &mut self,
        at: usize,
        level: libc::c_int,
        kind: libc::c_int,
        value: [u8; N],
    ) -> usize {
        // SAFETY: only arithmetic.
        let (len, space) = unsafe { (libc::CMSG_LEN(N as u32), libc::CMSG_SPACE(N as u32)) };
        let header = libc::cmsghdr { cmsg_len: len as usize, cmsg_level: level, cmsg_type: kind };
        let room = &mut self.0[at..at + space as usize];
        let (head, data) = room.split_at_mut(mem::size_of::<libc::cmsghdr>());
        // SAFETY: plain data, and the slice has the header's size; unaligned writes need no
        // alignment.
        unsafe { head.as_mut_ptr().cast::<libc::cmsghdr>().write_unaligned(header) };
        data[..N].copy_from_slice(&value);
        at + space as usize
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would read: level, type and value of each message.
    fn read(control: &mut Control, len: usize) -> Vec<(i32, i32, Vec<u8>)> {
        // SAFETY: plain data; all zeroes are an empty message.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_control = control.as_mut_ptr();
        message.msg_controllen = len;
        let mut found = Vec::new();
        // SAFETY: the message says where its control messages are, which live as long as it is
        // used.
        let mut next = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        while !next.is_null() {
            // SAFETY: a header within these messages, which are aligned.
            let header = unsafe { *next };
            // SAFETY: only arithmetic.
            let value = header.cmsg_len - unsafe { libc::CMSG_LEN(0) } as usize;
            // SAFETY: so many bytes follow the header.
            let value = unsafe { std::slice::from_raw_parts(libc::CMSG_DATA(next), value) };
            found.push((header.cmsg_level, header.cmsg_type, value.to_vec()));
            // SAFETY: as above.
            next = unsafe { libc::CMSG_NXTHDR(&raw const message, next) };
        }
        found
    }

    #[test]
    fn a_size_and_a_time_are_two_messages() {
        let size = (libc::SOL_UDP, libc::UDP_SEGMENT, 1452_u16.to_ne_bytes().to_vec());
        let nanoseconds = 1_234_567_890_123_u64;
        let time = (libc::SOL_SOCKET, libc::SCM_TXTIME, nanoseconds.to_ne_bytes().to_vec());
        let mut control = Control::empty();
        let len = control.segment(1452);
        assert_eq!(read(&mut control, len), std::slice::from_ref(&size));
        let len = control.launch_time(len, nanoseconds);
        assert_eq!(read(&mut control, len), [size, time]);
        assert_eq!(control.read(len), Arrival::default());
    }
}
