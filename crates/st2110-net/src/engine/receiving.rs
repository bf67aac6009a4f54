//! Threads that receive: many sockets on each, read in turn.

use std::{
    os::fd::OwnedFd,
    sync::mpsc::{Receiver as Commands, TryRecvError},
    time::Duration,
};

use media::Tai;
use rustix::event::Timespec;

use super::{
    clock::{SharedClock, ahead_of_realtime, sleep_until},
    guard::{Guard, RECEIVING_WINDOW},
    pool::Start,
    sending::{Command, Over},
    watched::{Socket, Watched},
};
use crate::socket::{Batch, Receiver};

/// A session that receives.
pub(crate) trait ReceiveTask: Send {
    /// Its sockets, the same ones always: 0 is the first, and after the last there is none.
    fn socket(&self, path: usize) -> Option<&Receiver>;

    /// The socket of `path` has packets: reads one batch of them.
    fn receive(&mut self, path: usize, batch: &mut Batch, moment: Moment) -> Outcome;

    /// When [`ReceiveTask::tick`] is wanted, packets or not.
    fn deadline(&self) -> Option<Tai>;

    /// The deadline has passed, and all packets that had come by `now` have been read.
    fn tick(&mut self, now: Tai) -> Outcome;

    /// The session is over.
    fn over(&mut self, why: Over);
}

/// The time of a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Now.
    pub(crate) now: Tai,
    /// Nanoseconds that TAI is ahead of the kernel's timestamps.
    pub(crate) ahead: i64,
}

impl Moment {
    /// When a bundle arrived: by the kernel's stamp if there is a plausible one, otherwise now.
    /// While a batch is read more comes, whose stamps are a little later than the beginning of the
    /// round.
    pub(crate) fn of(self, realtime: Option<u64>) -> Tai {
        const READING: Duration = Duration::from_millis(20);
        let stamp = realtime.and_then(|stamp| stamp.checked_add_signed(self.ahead));
        let at = stamp.map(Tai::from_nanos).filter(|at| at.since(self.now) <= READING);
        at.unwrap_or(self.now)
    }
}

/// How a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There was nothing to read.
    Nothing,
    /// All that was there has been read.
    Drained,
    /// There may be more at once.
    More,
    /// The sink wants no more.
    End,
}

struct Thread {
    clock: SharedClock,
    gather: Duration,
    watched: Watched,
    batch: Batch,
    /// Sockets that are read in this round.
    ready: Vec<Socket>,
    /// Sessions that have not read all that was there in this round.
    more: Vec<u64>,
    due: Vec<u64>,
    /// All sockets had packets in the last round.
    busy: bool,
}

/// What there is to do.
enum Found {
    /// Read the sockets that are ready; of the others, all has been read that had come.
    Ready,
    /// Nothing: waiting was interrupted, and which sockets have packets is not known.
    Nothing,
    /// There will be no more commands.
    End,
}

/// Runs until the other end of the commands is dropped.
pub(super) fn run(clock: SharedClock, gather: Duration, start: Start<dyn ReceiveTask>) {
    let Start { priority, commands, wake } = start;
    let watched = match Watched::new(&wake) {
        Ok(watched) => watched,
        Err(error) => {
            return log::error!("an ST 2110 receiving thread cannot start: epoll: {error}");
        }
    };
    let mut guard = Guard::new(priority, RECEIVING_WINDOW, clock.now());
    let mut thread = Thread {
        clock,
        gather,
        watched,
        batch: Batch::new(),
        ready: Vec::new(),
        more: Vec::new(),
        due: Vec::new(),
        busy: false,
    };
    while thread.round(&commands, &wake) {
        guard.check(thread.clock.now());
    }
}

impl Thread {
    /// Waits for packets, and serves each socket that has some once. False if the thread is to end.
    fn round(&mut self, commands: &Commands<Command<dyn ReceiveTask>>, wake: &OwnedFd) -> bool {
        // Whatever arrived before this moment is read in this round.
        let horizon = self.clock.now();
        match self.find_ready(horizon, commands, wake) {
            Found::Ready => {}
            Found::Nothing => return true,
            Found::End => return false,
        }
        let mut received = 0;
        self.more.clear();
        let moment = Moment { now: self.clock.now(), ahead: ahead_of_realtime(&*self.clock) };
        for &Socket { id, path } in &self.ready {
            let batch = &mut self.batch;
            match self.watched.serve(id, |task| task.receive(path, batch, moment)) {
                Outcome::Nothing => continue,
                Outcome::More => self.more.push(id),
                Outcome::Drained | Outcome::End => {}
            }
            received += 1;
        }
        self.busy = received > 0 && received == self.watched.sockets().len();
        self.tick(horizon);
        if received > 0 && self.more.is_empty() {
            let until = moment.now.checked_add(self.gather).unwrap_or(moment.now);
            sleep_until(&*self.clock, until, self.gather);
        }
        true
    }

    /// Finds the sockets to be read.
    fn find_ready(
        &mut self,
        now: Tai,
        commands: &Commands<Command<dyn ReceiveTask>>,
        wake: &OwnedFd,
    ) -> Found {
        self.ready.clear();
        if self.busy {
            // They will have some again, and asking which ones do takes as long as finding out that
            // one has none. A command has made the descriptor readable as well, which is seen the
            // next time.
            if !self.obey_all(commands) {
                return Found::End;
            }
            self.ready.extend_from_slice(self.watched.sockets());
            return Found::Ready;
        }
        let timeout = self.timeout(now);
        match self.watched.wait(timeout.as_ref(), &mut self.ready) {
            Ok(true) => {
                rustix::io::read(wake, &mut [0; 8]).ok();
                if self.obey_all(commands) { Found::Ready } else { Found::End }
            }
            Ok(false) => Found::Ready,
            Err(_) => Found::Nothing,
        }
    }

    /// How long to wait for packets at most.
    fn timeout(&self, now: Tai) -> Option<Timespec> {
        let deadline = self.watched.deadline()?;
        Some(Timespec::try_from(deadline.since(now)).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 }))
    }

    /// Calls sessions whose deadline has passed, unless there are packets of theirs that may have
    /// come before it.
    fn tick(&mut self, horizon: Tai) {
        let read = |id: &u64| !self.more.contains(id);
        self.due.extend(self.watched.due(horizon).filter(read));
        for id in self.due.drain(..) {
            self.watched.serve(id, |task| task.tick(horizon));
        }
    }

    fn obey_all(&mut self, commands: &Commands<Command<dyn ReceiveTask>>) -> bool {
        loop {
            match commands.try_recv() {
                Ok(Command::Add(id, task)) => self.watched.add(id, task),
                Ok(Command::Remove(id, done)) => {
                    self.watched.remove(id, Over::Stopped);
                    if let Some(done) = done {
                        done.send(()).ok();
                    }
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }
}
