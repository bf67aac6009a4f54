//! The source's control of the receiver processes: starts them, gives orders, paces rounds.

use crate::area::{Area, MAX_SAMPLES};
use crate::cpu::{Cpus, pin};
use crate::error::BenchError;
use crate::order::{Answer, Order, Round, receive, send};
use crate::peer::ROLE;
use crate::samples::Samples;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::thread::futex;
use rustix::time::{ClockId, Timespec};
use shm::{AtEnd, Source, SourceOptions, monotonic_ns};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

/// Ample: a page of 4 KB takes about 3 µs.
const PREPARATION_NS_PER_BYTE: u64 = 6;
/// Longest wait for receivers.
const PATIENCE_S: u64 = 60;

/// Placement of the processes on CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// The source has the first processor, receivers share the others.
    Apart,
    /// All on the first processor.
    Together,
    /// Wherever the system likes.
    Free,
}

/// Receiver processes, and what they share with this one.
#[derive(Debug)]
pub(crate) struct Crew {
    area: Area,
    peers: Vec<Peer>,
    cpus: Cpus,
    spinning: bool,
}

#[derive(Debug)]
struct Peer {
    socket: OwnedFd,
    child: Child,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Ends what it reads from, and so the process; one that hangs is killed.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        let _ = self.cpus.unpin();
    }
}

impl Crew {
    /// Starts this number of receivers; pins this thread as well until the crew is dropped.
    pub(crate) fn start(receivers: usize, placement: Placement) -> Result<Self, BenchError> {
        let cpus = Cpus::usable()?;
        let (area, area_fd) = Area::create()?;
        let mut crew = Self { area, peers: Vec::new(), cpus, spinning: true };
        for index in 0..receivers {
            let (socket, theirs) =
                socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                    .map_err(BenchError::system("socketpair"))?;
            let child = Command::new("/proc/self/exe")
                .arg(ROLE)
                .stdin(Stdio::from(theirs))
                .stdout(Stdio::null())
                .spawn()?;
            let peer = Peer { socket, child };
            let cpu = match placement {
                Placement::Apart => Some(crew.cpus.of_receiver(index)),
                Placement::Together => Some(crew.cpus.of_source()),
                Placement::Free => None,
            };
            send(&peer.socket, &Order::Hello { index, cpu }, &[area_fd.as_fd()])?;
            crew.peers.push(peer);
        }
        if placement != Placement::Free {
            pin(crew.cpus.of_source())?;
        }
        Ok(crew)
    }

    /// Whether both sides may spin in the rings made from now on.
    pub(crate) fn set_spinning(&mut self, spinning: bool) {
        self.spinning = spinning;
    }

    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    /// A ring that all receivers have joined.
    pub(crate) fn ring(&self, payload_size: usize, capacity: usize) -> Result<Source, BenchError> {
        let source = new_source(payload_size, capacity)?;
        source.set_spinning(self.spinning);
        for (number, peer) in self.peers.iter().enumerate() {
            send(&peer.socket, &Order::Seat, &[])?;
            let seat = match receive(&peer.socket)? {
                (Answer::Seat, mut fds) if fds.len() == 1 => fds.remove(0),
                (answer, _) => return Err(unexpected(&answer)),
            };
            let start = source.join(number as u64, seat, false)?;
            let order = Order::Join { start, spinning: self.spinning };
            send(&peer.socket, &order, &[source.pool_fd(), source.board_fd()])?;
            expect_ready(peer)?;
        }
        // Pages are made ready in the background, in all processes; that is not what is measured.
        let geometry = source.geometry();
        let bytes = geometry.bytes_of(geometry.base_slots) as u64;
        std::thread::sleep(Duration::from_nanos(bytes * PREPARATION_NS_PER_BYTE));
        Ok(source)
    }

    /// Has all receivers begin a round. `fds` go to each of them, or one to each if there are as
    /// many.
    pub(crate) fn begin(&self, order: &Order, fds: &[BorrowedFd<'_>]) -> Result<(), BenchError> {
        for index in 0..self.peers.len() {
            self.area.progress(index).store(0, Relaxed);
        }
        for peer in &self.peers {
            send(&peer.socket, order, fds)?;
        }
        self.peers.iter().try_for_each(expect_ready)
    }

    /// As [`begin`](Self::begin), with a descriptor of its own for each receiver.
    pub(crate) fn begin_each(&self, order: &Order, fds: &[OwnedFd]) -> Result<(), BenchError> {
        for (index, (peer, fd)) in self.peers.iter().zip(fds).enumerate() {
            self.area.progress(index).store(0, Relaxed);
            send(&peer.socket, order, &[fd.as_fd()])?;
        }
        self.peers.iter().try_for_each(expect_ready)
    }

    /// Waits for the end of the round in all receivers.
    pub(crate) fn end(&self) -> Result<(), BenchError> {
        for peer in &self.peers {
            match receive(&peer.socket)?.0 {
                Answer::Done => {}
                answer => return Err(unexpected(&answer)),
            }
        }
        Ok(())
    }

    /// Waits, spinning, until every receiver has come past `count` hand-offs.
    pub(crate) fn await_progress(&self, count: u64) -> Result<(), BenchError> {
        let mut turns = 0u32;
        let mut since = 0;
        for index in 0..self.peers.len() {
            while self.area.progress(index).load(Acquire) < count {
                std::hint::spin_loop();
                turns += 1;
                if turns.is_multiple_of(1 << 10) {
                    // If there is no other CPU, receivers use this one.
                    std::thread::yield_now();
                    let now = monotonic_ns();
                    since = if since == 0 { now } else { since };
                    if now - since > PATIENCE_S * 1_000_000_000 {
                        let what = "hand-offs of a round";
                        return Err(BenchError::Late { seconds: PATIENCE_S, what });
                    }
                }
            }
        }
        Ok(())
    }

    /// Value of the area's word, as a base for a round.
    pub(crate) fn word(&self) -> u32 {
        self.area.word().load(Relaxed)
    }

    /// A bare hand-off: one more on the word, and a wake for those who sleep.
    pub(crate) fn hand_off(&self, wake: bool) {
        let word = self.area.word();
        word.store(word.load(Relaxed).wrapping_add(1), Release);
        if wake {
            let _ = futex::wake(word, futex::Flags::empty(), i32::MAX as u32);
        }
    }

    /// Microseconds from each of the sampled times to the last receiver's arrival.
    pub(crate) fn delays(&self, sent: &[u64]) -> Samples {
        let mut samples = Samples::default();
        samples.extend(sent.iter().take(MAX_SAMPLES).enumerate().map(|(number, &sent)| {
            let arrival = |index| self.area.times(index)[number].load(Acquire);
            let last = (0..self.peers.len()).map(arrival).max().unwrap_or(0);
            last.saturating_sub(sent) as f64 / 1000.0
        }));
        samples
    }
}

/// A round of which at most as many arrivals are kept as there is room for.
pub(crate) fn round_of(count: usize) -> Round {
    Round { count, sampled: count.div_ceil(MAX_SAMPLES) }
}

/// A source without receivers.
pub(crate) fn new_source(payload_size: usize, capacity: usize) -> Result<Source, BenchError> {
    let options = SourceOptions {
        payload_size,
        metadata_size: 0,
        capacity,
        live: false,
        // A receiver that the machine's other users hold up is no reason to miss frames.
        stall_time: Duration::from_secs(PATIENCE_S),
        wait_for_receivers: 0,
        at_end: AtEnd::Wait,
        regions: 0,
        relay: false,
    };
    Ok(Source::new(options, [0; 16])?)
}

/// Calls `step` at each period with its number, and returns the times right before.
pub(crate) fn paced(
    count: usize,
    period: Duration,
    mut step: impl FnMut(usize) -> Result<(), BenchError>,
) -> Result<Vec<u64>, BenchError> {
    let period = period.as_nanos() as u64;
    let mut sent = Vec::with_capacity(count);
    let start = monotonic_ns();
    for number in 0..count {
        sleep_until(start + (number as u64 + 1) * period)?;
        sent.push(monotonic_ns());
        step(number)?;
    }
    Ok(sent)
}

fn sleep_until(at: u64) -> Result<(), BenchError> {
    let time = Timespec {
        tv_sec: (at / 1_000_000_000).cast_signed(),
        tv_nsec: (at % 1_000_000_000) as i64,
    };
    loop {
        match rustix::thread::clock_nanosleep_absolute(ClockId::Monotonic, &time) {
            Err(rustix::io::Errno::INTR) => {}
            result => return result.map_err(BenchError::system("clock_nanosleep")),
        }
    }
}

fn expect_ready(peer: &Peer) -> Result<(), BenchError> {
    match receive(&peer.socket)?.0 {
        Answer::Ready => Ok(()),
        answer => Err(unexpected(&answer)),
    }
}

fn unexpected(answer: &Answer) -> BenchError {
    BenchError::Receiver(match answer {
        Answer::Failed(reason) => reason.clone(),
        other => format!("unexpected answer {other:?}"),
    })
}
