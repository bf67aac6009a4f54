//! A receiver process: carries out the source's orders.

use crate::area::{Area, MAX_SAMPLES, Mapping};
use crate::cpu;
use crate::error::BenchError;
use crate::order::{Answer, Order, Round, Wait, receive, send};
use rustix::thread::futex;
use rustix::time::Timespec;
use shm::{Deadline, Reader, Receiver, Seat, monotonic_ns};
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

/// The first argument of a process that this crate starts.
pub(crate) const ROLE: &str = "benchmark-receiver";
/// Longest wait for the source, so that nothing stays behind when it dies.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a receiver process and returns its exit code, if the program's arguments ask for one.
///
/// A program that calls [`run`](crate::run) must call this first: receivers are processes of the
/// same program.
#[must_use]
pub fn receiver_process(arguments: &[OsString]) -> Option<ExitCode> {
    if arguments.first().is_none_or(|first| first != ROLE) {
        return None;
    }
    let socket = std::io::stdin().as_fd().try_clone_to_owned();
    let served = socket.map_err(BenchError::from).and_then(|socket| {
        serve(&socket).inspect_err(|error| {
            // Without a source there is no one to report to.
            let _ = send(&socket, &Answer::Failed(error.to_string()), &[]);
        })
    });
    Some(if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn serve(socket: &OwnedFd) -> Result<(), BenchError> {
    let (Order::Hello { index, cpu }, fds) = receive(socket)? else {
        return Err(BenchError::Receiver("the first order is no greeting".into()));
    };
    if let Some(cpu) = cpu {
        cpu::pin(cpu)?;
    }
    let [area] = descriptors(fds)?;
    let mut peer = Peer { index, area: Area::open(area)?, seat: None, receiver: None };
    loop {
        let (order, fds) = match receive(socket) {
            Ok(received) => received,
            Err(BenchError::Socket(proto::ProtoError::Closed)) => return Ok(()),
            Err(error) => return Err(error),
        };
        peer.obey(socket, order, fds)?;
    }
}

struct Peer {
    index: usize,
    area: Area,
    seat: Option<Seat>,
    receiver: Option<Receiver>,
}

impl Peer {
    fn obey(
        &mut self,
        socket: &OwnedFd,
        order: Order,
        fds: Vec<OwnedFd>,
    ) -> Result<(), BenchError> {
        let ready = || send(socket, &Answer::Ready, &[]);
        match order {
            Order::Hello { .. } => return Err(BenchError::Receiver("greeted twice".into())),
            Order::Seat => {
                // The ring before is left, so that its memory does not stay mapped.
                self.receiver = None;
                let seat = self.seat.insert(Seat::new()?);
                return send(socket, &Answer::Seat, &[seat.fd()]);
            }
            Order::Join { start, spinning } => {
                let [pool, board] = descriptors(fds)?;
                let seat = self.seat.take();
                let seat = seat.ok_or_else(|| BenchError::Receiver("no seat".into()))?;
                let receiver = Receiver::new(None);
                receiver.set_spinning(spinning);
                receiver.offer(Reader::open(&pool, board, seat, start)?);
                self.receiver = Some(receiver);
                return ready();
            }
            Order::Ring { round, checksum } => {
                ready()?;
                self.take_frames(round, checksum)?;
            }
            Order::Word { round, base, how } => {
                ready()?;
                for number in 0..round.count {
                    self.follow(number, base, how)?;
                    self.stamp(round, number);
                    self.done(number);
                }
            }
            Order::Buffers { round, base, buffers, size } => {
                let [memory] = descriptors(fds)?;
                let count = buffers.iter().max().map_or(0, |last| last + 1);
                let memory = Mapping::new(memory, count * size)?;
                ready()?;
                for (number, buffer) in buffers.into_iter().enumerate() {
                    self.follow(number, base, Wait::Futex)?;
                    self.stamp(round, number);
                    let start = memory.start().wrapping_add(buffer * size);
                    // SAFETY: within the mapping. The source writes another buffer until this
                    // round's pace allows more; if it came round early, only the sum would be
                    // wrong, which is not used.
                    checksum_of(unsafe { std::slice::from_raw_parts(start, size) });
                    self.done(number);
                }
            }
            Order::Pipe { round, size } => {
                let [pipe] = descriptors(fds)?;
                let (mut pipe, mut frame) = (File::from(pipe), vec![0; size]);
                ready()?;
                for number in 0..round.count {
                    pipe.read_exact(&mut frame)?;
                    self.stamp(round, number);
                    self.done(number);
                }
            }
        }
        send(socket, &Answer::Done, &[])
    }

    fn take_frames(&self, round: Round, checksum: bool) -> Result<(), BenchError> {
        let receiver = self.receiver.as_ref();
        let receiver = receiver.ok_or_else(|| BenchError::Receiver("no ring".into()))?;
        let mut missed = 0;
        let deadline = Deadline::after(2 * PATIENCE);
        for number in 0..round.count {
            let frame = receiver.get(deadline)?;
            missed += frame.info().missed;
            self.stamp(round, number);
            if checksum {
                checksum_of(frame.payload());
            }
            drop(frame);
            self.done(number);
        }
        if missed > 0 {
            return Err(BenchError::Receiver(format!("{missed} frames were missed")));
        }
        Ok(())
    }

    /// Waits until the word has passed `base + number`.
    fn follow(&self, number: usize, base: u32, how: Wait) -> Result<(), BenchError> {
        let word = self.area.word();
        let mut turns = 0u32;
        loop {
            let seen = word.load(Acquire);
            if seen.wrapping_sub(base) as usize > number {
                return Ok(());
            }
            match how {
                Wait::Spin => {
                    turns += 1;
                    if turns == u32::MAX {
                        return Err(BenchError::Late {
                            seconds: PATIENCE.as_secs(),
                            what: "the source's word",
                        });
                    }
                    std::hint::spin_loop();
                }
                Wait::Futex => {
                    let patience =
                        Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
                    match futex::wait(word, futex::Flags::empty(), seen, Some(&patience)) {
                        Ok(()) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                        Err(errno) => return Err(BenchError::System { call: "futex", errno }),
                    }
                }
            }
        }
    }

    fn done(&self, number: usize) {
        self.area.progress(self.index).store(number as u64 + 1, Release);
    }

    fn stamp(&self, round: Round, number: usize) {
        if number.is_multiple_of(round.sampled) && number / round.sampled < MAX_SAMPLES {
            self.area.times(self.index)[number / round.sampled].store(monotonic_ns(), Release);
        }
    }
}

fn descriptors<const N: usize>(fds: Vec<OwnedFd>) -> Result<[OwnedFd; N], BenchError> {
    <[OwnedFd; N]>::try_from(fds)
        .map_err(|fds| BenchError::Receiver(format!("{} descriptors came, not {N}", fds.len())))
}

/// Reads every byte.
fn checksum_of(bytes: &[u8]) {
    let words = bytes.as_chunks::<8>().0;
    let sum = words.iter().fold(0u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    std::hint::black_box(sum);
}
