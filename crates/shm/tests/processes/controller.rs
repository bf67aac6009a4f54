//! The proxy's part: introduces the processes to each other, notices deaths by pidfd, and kills at
//! random.

use crate::roles::{CAPACITY, HOLD};
use crate::wire::{Kind, Message, receive, send};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use shm::{BoardMonitor, SeatMonitor};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use testkit::random::Random;

/// Options of a group.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) receivers: usize,
    pub(crate) stall_ms: u64,
    pub(crate) paced: bool,
    pub(crate) hold: u64,
    pub(crate) lossless: bool,
}

struct Process {
    child: Child,
    pidfd: OwnedFd,
    control: OwnedFd,
    killed: bool,
}

impl Process {
    fn start(role: &str, plan: &Plan, run: u64, seed: u64) -> Self {
        let kind = SocketType::SEQPACKET;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "plays_a_part_when_asked", "--nocapture"])
            .env("MCM_RING_ROLE", role)
            .env("MCM_RING_RUN", run.to_string())
            .env("MCM_RING_PACED", u8::from(plan.paced).to_string())
            .env("MCM_RING_STALL_MS", plan.stall_ms.to_string())
            .env("MCM_RING_HOLD", plan.hold.to_string())
            .env("MCM_RING_LOSSLESS", u8::from(plan.lossless).to_string())
            .env("MCM_RING_CHILD_SEED", seed.to_string())
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        Self { child, pidfd, control: ours, killed: false }
    }

    fn kill(&mut self) {
        self.killed = true;
        pidfd_send_signal(&self.pidfd, Signal::KILL).unwrap();
    }

    fn say(&self, kind: Kind, numbers: &[u64], fds: &[&OwnedFd]) {
        let fds: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
        send(&self.control, kind, numbers, &fds);
    }

    /// Collects the dead child; fails the test where it was not us who killed it.
    fn reap(&mut self) {
        let status = self.child.wait().unwrap();
        assert!(self.killed, "a child ended by itself: {status}");
        assert_eq!(status.signal(), Some(9), "a child failed before it was killed: {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct SourceState {
    process: Process,
    run: u64,
    ring: Option<(OwnedFd, OwnedFd, BoardMonitor)>,
    running: bool,
}

struct ReceiverState {
    process: Process,
    standby: Option<OwnedFd>,
    /// Number and view of the seat that was sent to the source, and where it starts once that has
    /// answered.
    seat: Option<(u64, SeatMonitor, Option<u64>)>,
    /// Every seat that the present source has been told of.
    told: Vec<u64>,
}

/// One source and its receivers.
pub(crate) struct Group {
    plan: Plan,
    random: Random,
    source: SourceState,
    receivers: Vec<ReceiverState>,
    last_run: u64,
    last_frames: u64,
    next_seat: u64,
    held_all: bool,
    pub(crate) kills: u64,
    /// Receivers that died with frames in their hands.
    pub(crate) died_holding: u64,
    /// Frames of all sources that have died.
    pub(crate) frames: u64,
}

impl Group {
    pub(crate) fn new(plan: Plan, mut random: Random) -> Self {
        let source = SourceState::start(&plan, 1, &mut random);
        let mut group = Self {
            plan,
            source,
            receivers: Vec::new(),
            random,
            last_run: 0,
            last_frames: 0,
            next_seat: 1,
            held_all: false,
            kills: 0,
            died_holding: 0,
            frames: 0,
        };
        for _ in 0..plan.receivers {
            let receiver = group.new_receiver();
            group.receivers.push(receiver);
        }
        group
    }

    fn new_receiver(&mut self) -> ReceiverState {
        let process = Process::start("receiver", &self.plan, 0, self.random.number());
        ReceiverState { process, standby: None, seat: None, told: Vec::new() }
    }

    /// Kills the source, or the receiver with this index.
    pub(crate) fn kill(&mut self, receiver: Option<usize>) {
        let process = match receiver {
            None => &mut self.source.process,
            Some(index) => &mut self.receivers[index].process,
        };
        if !process.killed {
            process.kill();
            self.kills += 1;
        }
    }

    pub(crate) fn signal(&self, receiver: usize, signal: Signal) {
        pidfd_send_signal(&self.receivers[receiver].process.pidfd, signal).unwrap();
    }

    pub(crate) fn pid(&self, receiver: usize) -> i32 {
        self.receivers[receiver].process.child.id() as i32
    }

    /// Orders frames of a paced source.
    pub(crate) fn put(&self, count: u64) {
        self.source.process.say(Kind::Put, &[count], &[]);
    }

    pub(crate) fn board(&self) -> &BoardMonitor {
        &self.source.ring.as_ref().unwrap().2
    }

    pub(crate) fn seat(&self, receiver: usize) -> &SeatMonitor {
        &self.receivers[receiver].seat.as_ref().unwrap().1
    }

    /// Whether all processes are alive and each receiver has read in the present ring.
    pub(crate) fn all_read(&self) -> bool {
        self.all_joined()
            && self.receivers.iter().all(|receiver| {
                let seat = receiver.seat.as_ref();
                seat.is_some_and(|(_, view, start)| start.is_some_and(|at| view.position() > at))
            })
    }

    pub(crate) fn all_joined(&self) -> bool {
        !self.source.process.killed
            && self.receivers.iter().all(|receiver| {
                !receiver.process.killed
                    && receiver.seat.as_ref().is_some_and(|(.., start)| start.is_some())
            })
    }

    /// Plays the proxy until the condition holds. Fails the test after a minute.
    pub(crate) fn until(&mut self, mut condition: impl FnMut(&Self) -> bool) {
        let start = Instant::now();
        while !condition(self) {
            assert!(start.elapsed() < Duration::from_secs(60), "condition did not come true");
            self.serve(1_000_000);
        }
    }

    /// Plays the proxy for so many nanoseconds.
    pub(crate) fn serve_for(&mut self, nanos: u64) {
        let end = Instant::now() + Duration::from_nanos(nanos);
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.serve(left.as_nanos().min(10_000_000) as u32);
        }
    }

    /// Plays the proxy for at most about so many nanoseconds.
    pub(crate) fn serve(&mut self, nanos: u32) {
        let processes: Vec<&Process> = std::iter::once(&self.source.process)
            .chain(self.receivers.iter().map(|receiver| &receiver.process))
            .collect();
        let mut polled: Vec<_> = processes
            .iter()
            .flat_map(|process| {
                [
                    PollFd::new(&process.pidfd, PollFlags::IN),
                    PollFd::new(&process.control, PollFlags::IN),
                ]
            })
            .collect();
        poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: nanos.into() })).unwrap();
        let ready: Vec<(bool, bool)> = polled
            .chunks(2)
            .map(|pair| (!pair[0].revents().is_empty(), !pair[1].revents().is_empty()))
            .collect();
        for (index, (died, spoke)) in ready.into_iter().enumerate() {
            match (index.checked_sub(1), died, spoke) {
                (None, true, _) => self.source_died(),
                (None, false, true) => self.source_spoke(),
                (Some(receiver), true, _) => self.receiver_died(receiver),
                (Some(receiver), false, true) => self.receiver_spoke(receiver),
                _ => {}
            }
        }
        self.introduce();
    }

    fn source_died(&mut self) {
        self.source.process.reap();
        let run = self.source.run;
        if let Some((.., board)) = &self.source.ring {
            (self.last_run, self.last_frames) = (run, board.published());
            self.frames += self.last_frames;
        }
        for receiver in &mut self.receivers {
            receiver.process.say(Kind::Orphan, &[run], &[]);
            if receiver.seat.take().is_some_and(|(.., start)| start.is_none()) {
                receiver.process.say(Kind::NeedSeat, &[], &[]);
            }
            receiver.told.clear();
        }
        self.source = SourceState::start(&self.plan, run + 1, &mut self.random);
    }

    fn source_spoke(&mut self) {
        let Some(Message { kind, numbers: [id, start, ..], fds }) =
            receive(&self.source.process.control)
        else {
            return;
        };
        match kind {
            Kind::Made => {
                let mut fds = fds.into_iter();
                let (pool, board) = (fds.next().unwrap(), fds.next().unwrap());
                let view = BoardMonitor::open(board.try_clone().unwrap()).unwrap();
                view.check_pool(pool.as_fd()).unwrap();
                self.source.ring = Some((pool, board, view));
            }
            Kind::Joined => {
                let (pool, board, _) = self.source.ring.as_ref().unwrap();
                let about = [self.source.run, start, self.last_run, self.last_frames];
                let joined = self
                    .receivers
                    .iter_mut()
                    .find(|receiver| receiver.seat.as_ref().is_some_and(|(seat, ..)| *seat == id));
                // The receiver may have died meanwhile.
                if let Some(receiver) = joined {
                    receiver.seat.as_mut().unwrap().2 = Some(start);
                    receiver.process.say(Kind::Ring, &about, &[pool, board]);
                }
            }
            Kind::HeldAll => self.held_all = true,
            other => panic!("{other:?} from a source"),
        }
    }

    fn receiver_died(&mut self, index: usize) {
        let receiver = &mut self.receivers[index];
        receiver.process.reap();
        self.died_holding +=
            u64::from(receiver.seat.as_ref().is_some_and(|(_, view, _)| view.held() > 0));
        for seat in std::mem::take(&mut receiver.told) {
            self.source.process.say(Kind::Reap, &[seat], &[]);
        }
        self.receivers[index] = self.new_receiver();
    }

    fn receiver_spoke(&mut self, index: usize) {
        let receiver = &mut self.receivers[index];
        let Some(message) = receive(&receiver.process.control) else { return };
        assert_eq!(message.kind, Kind::Standby);
        receiver.standby = message.fds.into_iter().next();
    }

    /// Tells the source of receivers that have no seat in its ring, and lets it begin once those
    /// that live have one.
    fn introduce(&mut self) {
        if self.source.ring.is_none() {
            return;
        }
        for receiver in &mut self.receivers {
            if receiver.seat.is_some() || receiver.process.killed {
                continue;
            }
            let Some(seat) = receiver.standby.take() else { continue };
            let id = self.next_seat;
            self.next_seat += 1;
            self.source.process.say(Kind::Join, &[id], &[&seat]);
            receiver.told.push(id);
            receiver.seat = Some((id, SeatMonitor::open(seat).unwrap(), None));
        }
        let first_come = self.receivers.iter().all(|receiver| receiver.seat.is_some());
        if !self.plan.paced && !self.source.running && first_come {
            self.source.process.say(Kind::Put, &[1], &[]);
            self.source.running = true;
        }
    }

    /// Ends all receivers; the source must then be able to hold all its buffers, in a pool that has
    /// not grown more than the receivers could ever hold.
    pub(crate) fn end(mut self) {
        for index in 0..self.receivers.len() {
            self.kill(Some(index));
        }
        for mut receiver in std::mem::take(&mut self.receivers) {
            receiver.process.reap();
            for seat in receiver.told {
                self.source.process.say(Kind::Reap, &[seat], &[]);
            }
        }
        self.source.process.say(Kind::HoldAll, &[], &[]);
        self.until(|group| group.held_all);
        let touched = crate::slots_touched(self.board().fd()) as usize;
        let most = CAPACITY + 1 + self.plan.receivers * (HOLD as usize + 1);
        assert!(touched <= most, "{touched} slots in use, at most {most} can have been held");
    }

    pub(crate) fn random(&mut self) -> &mut Random {
        &mut self.random
    }
}

impl SourceState {
    fn start(plan: &Plan, run: u64, random: &mut Random) -> Self {
        let process = Process::start("source", plan, run, random.number());
        Self { process, run, ring: None, running: false }
    }
}
