//! Threads that receive: many sockets on each, read in turn.

use std::{
    collections::HashMap,
    os::fd::{AsFd as _, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver as Commands, TryRecvError},
    time::Duration,
};

use media::Tai;
use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
};

use super::{
    clock::{SharedClock, ahead_of_realtime, sleep_until},
    guard::{Guard, RECEIVING_WINDOW},
    pool::Start,
    sending::{Command, Over, discard},
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
    /// Nanoseconds that TAI is ahead of the kernel's time stamps.
    pub(crate) ahead: i64,
}

impl Moment {
    /// When a bundle arrived: by the kernel's stamp if there is a plausible one, otherwise now.
    pub(crate) fn of(self, realtime: Option<u64>) -> Tai {
        realtime
            .and_then(|stamp| stamp.checked_add_signed(self.ahead))
            .map_or(self.now, Tai::from_nanos)
            .min(self.now)
    }
}

/// How a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All that was there has been read.
    Drained,
    /// There may be more at once.
    More,
    /// The sink wants no more.
    End,
}

/// Stands for the descriptor that says that there are commands.
const COMMANDS: u64 = u64::MAX;
/// Sockets of a session at most: two paths of video and two of ancillary data.
const PATHS: u64 = 4;

struct Thread {
    clock: SharedClock,
    gather: Duration,
    epoll: OwnedFd,
    tasks: HashMap<u64, Box<dyn ReceiveTask>>,
    batch: Batch,
    /// Sessions that have not read all that was there in this round.
    more: Vec<u64>,
    due: Vec<u64>,
}

/// Runs until the other end of the commands is dropped.
pub(super) fn run(clock: SharedClock, gather: Duration, start: Start<dyn ReceiveTask>) {
    let Start { priority, commands, wake } = start;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).and_then(|epoll| {
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(COMMANDS), epoll::EventFlags::IN)?;
        Ok(epoll)
    });
    let epoll = match epoll {
        Ok(epoll) => epoll,
        Err(error) => {
            return log::error!("an ST 2110 receiving thread cannot start: epoll: {error}");
        }
    };
    let mut guard = Guard::new(priority, RECEIVING_WINDOW, clock.now());
    let (tasks, batch) = (HashMap::new(), Batch::new());
    let mut thread =
        Thread { clock, gather, epoll, tasks, batch, more: Vec::new(), due: Vec::new() };
    let mut events = Vec::new();
    while thread.round(&mut events, &commands, &wake) {
        guard.check(thread.clock.now());
    }
}

impl Thread {
    /// Waits for packets, and serves each socket that has some once. False if the thread is to end.
    fn round(
        &mut self,
        events: &mut Vec<epoll::Event>,
        commands: &Commands<Command<dyn ReceiveTask>>,
        wake: &OwnedFd,
    ) -> bool {
        // Whatever arrived before this moment is reported by this call, and read in this round.
        let horizon = self.clock.now();
        let timeout = self.timeout(horizon);
        events.clear();
        events.reserve(1 + self.tasks.len() * PATHS as usize);
        if epoll::wait(&self.epoll, spare_capacity(events), timeout.as_ref()).is_err() {
            // Interrupted.
            return true;
        }
        let mut received = false;
        self.more.clear();
        let moment = Moment { now: self.clock.now(), ahead: ahead_of_realtime(&*self.clock) };
        for event in events.iter() {
            let data = event.data.u64();
            if data == COMMANDS {
                rustix::io::read(wake, &mut [0; 8]).ok();
                if !self.obey_all(commands) {
                    return false;
                }
                continue;
            }
            let (id, path) = (data / PATHS, (data % PATHS) as usize);
            received = true;
            let batch = &mut self.batch;
            let read = |task: &mut dyn ReceiveTask| task.receive(path, batch, moment);
            if serve(&mut self.tasks, &self.epoll, id, read) {
                self.more.push(id);
            }
        }
        self.tick(horizon);
        if received && self.more.is_empty() {
            let until = moment.now.checked_add(self.gather).unwrap_or(moment.now);
            sleep_until(&*self.clock, until, self.gather);
        }
        true
    }

    /// How long to wait for packets at most.
    fn timeout(&self, now: Tai) -> Option<Timespec> {
        let deadline = self.tasks.values().filter_map(|task| task.deadline()).min()?;
        Some(Timespec::try_from(deadline.since(now)).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 }))
    }

    /// Calls sessions whose deadline has passed, unless there are packets of theirs that may have come before it.
    fn tick(&mut self, horizon: Tai) {
        let is_due =
            |task: &dyn ReceiveTask| task.deadline().is_some_and(|deadline| deadline <= horizon);
        let tasks =
            self.tasks.iter().filter(|(id, task)| is_due(&***task) && !self.more.contains(id));
        self.due.extend(tasks.map(|(id, _)| *id));
        for id in self.due.drain(..) {
            serve(&mut self.tasks, &self.epoll, id, |task| task.tick(horizon));
        }
    }

    fn obey_all(&mut self, commands: &Commands<Command<dyn ReceiveTask>>) -> bool {
        loop {
            match commands.try_recv() {
                Ok(Command::Add(id, task)) => self.add(id, task),
                Ok(Command::Remove(id, done)) => {
                    remove(&mut self.tasks, &self.epoll, id, Over::Stopped);
                    if let Some(done) = done {
                        done.send(()).ok();
                    }
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn add(&mut self, id: u64, mut task: Box<dyn ReceiveTask>) {
        let added = sockets(&*task).try_for_each(|(path, socket)| {
            let data = epoll::EventData::new_u64(id * PATHS + path);
            epoll::add(&self.epoll, socket.as_fd(), data, epoll::EventFlags::IN)
        });
        if let Err(error) = added {
            log::error!("a socket cannot be watched: {error}");
            return task.over(Over::Ended);
        }
        self.tasks.insert(id, task);
    }
}

fn sockets(task: &dyn ReceiveTask) -> impl Iterator<Item = (u64, &Receiver)> {
    (0..PATHS).map_while(|path| Some((path, task.socket(path as usize)?)))
}

/// Calls a session. True if there is more to read at once.
fn serve(
    tasks: &mut HashMap<u64, Box<dyn ReceiveTask>>,
    epoll: &OwnedFd,
    id: u64,
    call: impl FnOnce(&mut dyn ReceiveTask) -> Outcome,
) -> bool {
    let Some(task) = tasks.get_mut(&id) else { return false };
    // A panic of a sink is the end of its session and of no other. The session is not used again.
    match catch_unwind(AssertUnwindSafe(|| call(&mut **task))) {
        Ok(outcome @ (Outcome::Drained | Outcome::More)) => outcome == Outcome::More,
        Ok(Outcome::End) => {
            remove(tasks, epoll, id, Over::Ended);
            false
        }
        Err(_) => {
            remove(tasks, epoll, id, Over::Panicked);
            false
        }
    }
}

fn remove(tasks: &mut HashMap<u64, Box<dyn ReceiveTask>>, epoll: &OwnedFd, id: u64, why: Over) {
    let Some(mut task) = tasks.remove(&id) else { return };
    for (_, socket) in sockets(&*task) {
        epoll::delete(epoll, socket.as_fd()).ok();
    }
    task.over(why);
    discard(task);
}
