//! Grouping of datagrams of any lengths into as few bundles as the kernel can cut them from (UDP
//! GSO).

use std::{
    io::{self, ErrorKind, IoSlice},
    ops::Range,
    os::fd::AsRawFd,
    slice,
};

use super::{SendFailure, Sender, UDP_HEADER, Warning, control::Control};

/// Datagrams that are handed over together at most. A bundle has no more either: every kernel with
/// UDP_SEGMENT accepts so many.
pub const BUNDLE: usize = 64;
/// Bytes of a bundle at most: an IP packet's, without IPv6 and UDP header.
const BUNDLE_BYTES: usize = 65_535 - 40 - UDP_HEADER;
/// Bundles in one system call. Without segmentation each datagram counts as one, and a call takes
/// [`BUNDLE`] of them.
const BUNDLES: usize = 16;

/// Of datagrams with these lengths, how many the kernel can cut from one bundle: all are as long as
/// the first, only the last may be shorter. At least one.
fn bundle(lengths: &[usize]) -> usize {
    let segment = lengths.first().copied().unwrap_or(0);
    let mut bytes = 0;
    for (index, length) in lengths.iter().enumerate().take(BUNDLE) {
        bytes += length;
        if index > 0 && (*length > segment || bytes > BUNDLE_BYTES) {
            return index;
        }
        // The kernel does not cut empty ones.
        if *length < segment || segment == 0 {
            return index + 1;
        }
    }
    lengths.len().clamp(1, BUNDLE)
}

/// In how many bundles datagrams with these lengths leave.
pub(crate) fn bundles(mut lengths: &[usize]) -> usize {
    let mut count = 0;
    while !lengths.is_empty() {
        lengths = &lengths[bundle(lengths)..];
        count += 1;
    }
    count
}

/// Where the bytes of datagrams are.
#[derive(Clone, Copy)]
enum Bytes<'a> {
    /// One datagram behind the other.
    Together(&'a [u8]),
    /// Each consists of as many parts.
    Gathered { parts: &'a [IoSlice<'a>], each: usize },
}

impl<'a> Bytes<'a> {
    /// The datagrams `range`, which are those `bytes` if they lie together. `whole` is room for a
    /// reference to these.
    fn parts<'b>(
        self,
        range: Range<usize>,
        bytes: Range<usize>,
        whole: &'b mut IoSlice<'a>,
    ) -> &'b [IoSlice<'a>]
    where
        'a: 'b,
    {
        match self {
            Self::Together(all) => {
                *whole = IoSlice::new(&all[bytes]);
                slice::from_ref(whole)
            }
            Self::Gathered { parts, each } => &parts[range.start * each..range.end * each],
        }
    }
}

impl Sender {
    /// Sends datagrams that lie one behind the other in `bytes`, all of `segment` bytes but the
    /// last, which may be shorter. Returns how many were sent: fewer than there are if the buffer
    /// became full. At most 64 datagrams are taken at once.
    ///
    /// # Errors
    /// None was sent.
    ///
    /// # Panics
    /// `segment` is 0 or larger than the socket's limit.
    pub fn send(&mut self, bytes: &[u8], segment: usize) -> Result<usize, SendFailure> {
        assert!(segment > 0, "segment of 0 bytes");
        let mut lengths = [segment; BUNDLE];
        let count = bytes.len().div_ceil(segment).min(BUNDLE);
        if let Some(last) = count.checked_sub(1) {
            lengths[last] = segment.min(bytes.len() - last * segment);
        }
        self.send_each_of(bytes, &lengths[..count])
    }

    /// Sends datagrams of these lengths, which lie one behind the other in `bytes`. Returns how
    /// many were sent, as [`Sender::send`].
    ///
    /// # Errors
    /// None was sent.
    ///
    /// # Panics
    /// A length is larger than the socket's limit, all of them are more than there are bytes, or
    /// they are more than 64.
    pub fn send_each_of(&mut self, bytes: &[u8], lengths: &[usize]) -> Result<usize, SendFailure> {
        self.send_all(Bytes::Together(bytes), lengths)
    }

    /// Sends datagrams that consist of `each` parts, such as header and payload, given one after
    /// the other in `parts`. Returns how many were sent, as [`Sender::send`].
    ///
    /// # Errors
    /// None was sent.
    ///
    /// # Panics
    /// The parts are not a multiple of `each`, or more than 64 datagrams, or one is larger than the
    /// socket's limit.
    pub fn send_gathered(
        &mut self,
        parts: &[IoSlice<'_>],
        each: usize,
    ) -> Result<usize, SendFailure> {
        assert!(each > 0 && parts.len().is_multiple_of(each), "{} parts, {each} each", parts.len());
        let count = parts.len() / each;
        assert!(count <= BUNDLE, "{count} datagrams");
        let mut lengths = [0; BUNDLE];
        for (length, parts) in lengths.iter_mut().zip(parts.chunks(each)) {
            *length = parts.iter().map(|part| part.len()).sum();
        }
        self.send_all(Bytes::Gathered { parts, each }, &lengths[..count])
    }

    fn send_all(&mut self, data: Bytes<'_>, lengths: &[usize]) -> Result<usize, SendFailure> {
        assert!(lengths.len() <= BUNDLE, "{} datagrams", lengths.len());
        let longest = lengths.iter().copied().max().unwrap_or(0);
        assert!(longest <= self.limit, "a datagram of {longest} bytes");
        let (mut done, mut start) = (0, 0);
        while done < lengths.len() {
            let rest = &lengths[done..];
            let sent = if self.segmentation {
                self.call::<BUNDLES>(data, done, start, rest)
            } else {
                self.call::<BUNDLE>(data, done, start, rest)
            };
            match sent {
                Ok(sent) => {
                    start += lengths[done..done + sent].iter().sum::<usize>();
                    done += sent;
                }
                Err(error) if self.segmentation && is_no_segmentation(&error) => {
                    self.segmentation = false;
                    self.warnings.push(Warning::NoSegmentation { reason: error.to_string() });
                }
                // What has left has left; the next call says what is wrong.
                Err(_) if done > 0 => break,
                Err(error) => return Err(failure(error)),
            }
        }
        Ok(done)
    }

    /// One system call for the datagrams from `first` on, which begin at byte `start` and have
    /// those lengths. Returns how many of them were sent, at least one.
    fn call<const COUNT: usize>(
        &self,
        data: Bytes<'_>,
        first: usize,
        mut start: usize,
        lengths: &[usize],
    ) -> io::Result<usize> {
        // SAFETY: plain data; all zeroes are an empty message.
        let mut messages: [libc::mmsghdr; COUNT] = unsafe { std::mem::zeroed() };
        let mut controls = [const { Control::empty() }; COUNT];
        let mut wholes = [IoSlice::new(&[]); COUNT];
        let mut ends = [0; COUNT];
        let (mut count, mut done) = (0, 0);
        for (((message, control), whole), end) in
            messages.iter_mut().zip(&mut controls).zip(&mut wholes).zip(&mut ends)
        {
            let rest = &lengths[done..];
            if rest.is_empty() {
                break;
            }
            let datagrams = if self.segmentation { bundle(rest) } else { 1 };
            let bytes = rest[..datagrams].iter().sum::<usize>();
            let range = first + done..first + done + datagrams;
            let parts = data.parts(range, start..start + bytes, whole);
            let header = &mut message.msg_hdr;
            // IoSlice is guaranteed to have the layout of iovec. The kernel does not write through
            // it when sending.
            header.msg_iov = parts.as_ptr().cast_mut().cast();
            header.msg_iovlen = parts.len() as _;
            let length = self.control(control, datagrams, rest[0]);
            if length > 0 {
                header.msg_control = control.as_mut_ptr();
                header.msg_controllen = length as _;
            }
            (done, start, count) = (done + datagrams, start + bytes, count + 1);
            *end = done;
        }
        let sent = retry_refused(|| {
            // SAFETY: `count` messages, which point to buffers and control data that live through
            // the call. The kernel reads those, and writes nothing but the lengths in the messages.
            let sent = unsafe {
                libc::sendmmsg(
                    self.fd.as_raw_fd(),
                    messages.as_mut_ptr(),
                    count,
                    libc::MSG_DONTWAIT as _,
                )
            };
            usize::try_from(sent).map_err(|_| io::Error::last_os_error())
        })?;
        Ok(ends[sent.clamp(1, COUNT) - 1])
    }

    /// What the kernel is told of a bundle: that it has to be cut, and when it is to leave.
    fn control(&self, control: &mut Control, datagrams: usize, segment: usize) -> usize {
        if !self.segmentation {
            return 0;
        }
        let mut length = 0;
        // A single one that is to leave later is a bundle too.
        if datagrams > 1 || self.launch_time.is_some() {
            length = control.segment(segment as u16);
        }
        if let Some(launch_time) = self.launch_time {
            length = control.launch_time(length, launch_time);
        }
        length
    }
}

/// Whether the failure means that the path cannot segment.
fn is_no_segmentation(error: &io::Error) -> bool {
    // EIO: the device has no checksum offload. EINVAL: what it takes is smaller than the bundle.
    matches!(
        error.raw_os_error(),
        Some(libc::EIO | libc::EINVAL | libc::EOPNOTSUPP | libc::ENOPROTOOPT)
    )
}

/// A connected socket reports here that no socket listens at the destination, once, instead of
/// sending. That is no reason not to send.
fn retry_refused<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..3 {
        match call() {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionRefused | ErrorKind::Interrupted
                ) => {}
            result => return result,
        }
    }
    call()
}

fn failure(error: io::Error) -> SendFailure {
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => SendFailure::Full,
        _ => SendFailure::Refused(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_ends_with_a_shorter_datagram_and_before_a_longer_one() {
        assert_eq!([bundle(&[9; 5]), bundle(&[9, 9, 4, 4]), bundle(&[9, 9, 10])], [5, 3, 2]);
        assert_eq!([bundle(&[9]), bundle(&[9, 10]), bundle(&[0, 0]), bundle(&[])], [1, 1, 1, 1]);
        // A bundle is an IP packet, and has 64 datagrams at most.
        assert_eq!([bundle(&[100; 99]), bundle(&[1452; 64]), bundle(&[8952; 9])], [64, 45, 7]);
        assert_eq!(bundles(&[9, 9, 4, 4, 9, 9]), 3);
        assert_eq!((bundles(&[]), bundles(&[1, 2, 3])), (0, 3));
    }
}
