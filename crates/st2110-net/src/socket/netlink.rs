//! Questions to the kernel about its network by rtnetlink (RFC 3549), which need no privilege.

use std::{io, time::Duration};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
    sockopt::{Timeout, set_socket_timeout},
};

/// Bytes of a message's header: length 4, type 2, flags 2, sequence 4, port 4.
const HEADER: usize = 16;
const MULTI: u16 = libc::NLM_F_MULTI as u16;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const DONE: u16 = libc::NLMSG_DONE as u16;
/// What the kernel puts into one answer at most.
const ANSWER: usize = 32_768;
/// The kernel answers at once, unless somebody holds its lock.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks, and hands over the body of each message of the answer.
///
/// # Errors
/// The kernel refuses, or its answer cannot be read.
pub(super) fn ask(
    kind: u16,
    flags: libc::c_int,
    body: &[u8],
    mut take: impl FnMut(&[u8]),
) -> io::Result<()> {
    const SEQUENCE: u32 = 1;
    // NETLINK_ROUTE is the protocol 0.
    let (family, raw) = (AddressFamily::NETLINK, SocketType::RAW);
    let socket = socket_with(family, raw, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    let mut question = Vec::with_capacity(HEADER + body.len());
    question.extend(((HEADER + body.len()) as u32).to_ne_bytes());
    question.extend(kind.to_ne_bytes());
    question.extend(((libc::NLM_F_REQUEST | flags) as u16).to_ne_bytes());
    question.extend(SEQUENCE.to_ne_bytes());
    question.extend(0_u32.to_ne_bytes());
    question.extend(body);
    send(&socket, &question, SendFlags::empty())?;
    let mut answer = vec![0; ANSWER];
    loop {
        let (_, len) = recv(&socket, &mut answer[..], RecvFlags::TRUNC)?;
        let Some(bytes) = answer.get(..len).filter(|bytes| !bytes.is_empty()) else {
            return Err(io::Error::other(format!("an answer of {len} bytes")));
        };
        for message in Messages(bytes).filter(|message| message.sequence == SEQUENCE) {
            match message.kind {
                DONE => return Ok(()),
                ERROR => {
                    let number = number(message.body).map_or(0, |number| number as i32);
                    return match number {
                        0 => Ok(()),
                        number => Err(io::Error::from_raw_os_error(number.saturating_neg())),
                    };
                }
                _ => take(message.body),
            }
            if message.flags & MULTI == 0 {
                return Ok(());
            }
        }
    }
}

/// The number in the first four bytes.
pub(super) fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// Appends an attribute to a question's body.
pub(super) fn push(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    body.extend(((4 + value.len()) as u16).to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
}

/// The messages in some bytes. What is damaged ends them.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let len = number(self.0)? as usize;
        let message = self.0.get(..len)?;
        let body = message.get(HEADER..)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        let half = |at: usize| u16::from_ne_bytes([message[at], message[at + 1]]);
        let sequence = number(&message[8..])?;
        Some(Message { kind: half(4), flags: half(6), sequence, body })
    }
}

/// The attributes in some bytes: type and value. What is damaged ends them.
pub(super) struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// The attributes behind the first `at` bytes.
    pub(super) fn behind(body: &'a [u8], at: usize) -> Self {
        Self(body.get(at..).unwrap_or_default())
    }

    /// The value of the first attribute of a type.
    pub(super) fn find(mut self, wanted: u16) -> Option<&'a [u8]> {
        self.find_map(|(kind, value)| (kind == wanted).then_some(value))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        // The two highest bits say how the value is to be read.
        const KIND: u16 = 0x3fff;
        let [a, b, c, d] = *self.0.first_chunk()?;
        let len = usize::from(u16::from_ne_bytes([a, b]));
        let value = self.0.get(4..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([c, d]) & KIND, value))
    }
}

/// The bodies of recorded messages.
#[cfg(test)]
pub(super) fn bodies(bytes: &[u8]) -> Vec<&[u8]> {
    Messages(bytes).filter(|message| message.kind != DONE).map(|message| message.body).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes_are_padded_and_found() {
        let mut body = vec![9; 4];
        push(&mut body, 1, b"fq\0");
        push(&mut body, 0x8002, &7_u32.to_ne_bytes());
        assert_eq!(body.len(), 4 + 8 + 8);
        assert_eq!(Attributes::behind(&body, 4).find(1), Some(&b"fq\0"[..]));
        assert_eq!(Attributes::behind(&body, 4).find(2).and_then(number), Some(7));
        assert_eq!(Attributes::behind(&body, 4).find(3), None);
        assert_eq!(Attributes::behind(&body, 99).count(), 0);
    }

    #[test]
    fn the_kernel_answers_and_refuses() {
        let mut interfaces = 0;
        // A dump of all interfaces: struct ifinfomsg is 16 bytes.
        ask(libc::RTM_GETLINK, libc::NLM_F_DUMP, &[0; 16], |_| interfaces += 1).unwrap();
        assert!(interfaces > 0);
        let mut one = [0; 16];
        one[4..8].copy_from_slice(&i32::MAX.to_ne_bytes());
        let error = ask(libc::RTM_GETLINK, 0, &one, |_| panic!("an answer")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_end_somewhere(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Messages(&bytes).count() <= bytes.len());
            prop_assert!(Attributes(&bytes).count() <= bytes.len());
        }

        #[test]
        fn damaged_lengths_end_somewhere(
            words in prop::collection::vec((0..40_u16, any::<u16>()), 0..50),
        ) {
            let bytes: Vec<u8> =
                words.iter().flat_map(|(a, b)| [a.to_ne_bytes(), b.to_ne_bytes()].concat()).collect();
            prop_assert!(Attributes(&bytes).count() <= bytes.len());
            prop_assert!(Messages(&bytes).count() <= bytes.len());
        }
    }
}
