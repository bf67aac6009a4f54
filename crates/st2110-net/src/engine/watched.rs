//! The sessions of a receiving thread, and their sockets.

use std::{
    collections::HashMap,
    os::fd::{AsFd as _, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
};

use media::Tai;
use rustix::{
    event::{Timespec, epoll},
    io::Result,
};

use super::{
    receiving::{Outcome, ReceiveTask},
    sending::{Over, discard},
};
use crate::socket::Receiver;

/// Stands for the descriptor that says that there are commands.
const COMMANDS: u64 = u64::MAX;
/// Sockets of a session at most: two paths of video and two of ancillary data.
const PATHS: u64 = 4;

/// A socket of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    /// The session.
    pub(super) id: u64,
    /// Which of its sockets.
    pub(super) path: usize,
}

/// Sessions whose sockets are watched.
pub(super) struct Watched {
    epoll: OwnedFd,
    tasks: HashMap<u64, Box<dyn ReceiveTask>>,
    /// All of them.
    sockets: Vec<Socket>,
    events: Vec<epoll::Event>,
}

impl Watched {
    /// No sessions; `wake` becomes readable when there are commands.
    pub(super) fn new(wake: &OwnedFd) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, wake, epoll::EventData::new_u64(COMMANDS), epoll::EventFlags::IN)?;
        Ok(Self { epoll, tasks: HashMap::new(), sockets: Vec::new(), events: Vec::new() })
    }

    /// All sockets.
    pub(super) fn sockets(&self) -> &[Socket] {
        &self.sockets
    }

    /// Waits for packets until `timeout`, and adds the sockets that have some to `ready`. True if
    /// there are commands.
    pub(super) fn wait(
        &mut self,
        timeout: Option<&Timespec>,
        ready: &mut Vec<Socket>,
    ) -> Result<bool> {
        self.events.clear();
        self.events.reserve(1 + self.sockets.len());
        epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), timeout)?;
        let mut commands = false;
        for event in &self.events {
            match event.data.u64() {
                COMMANDS => commands = true,
                data => ready.push(Socket { id: data / PATHS, path: (data % PATHS) as usize }),
            }
        }
        Ok(commands)
    }

    /// The first moment that a session waits for.
    pub(super) fn deadline(&self) -> Option<Tai> {
        self.tasks.values().filter_map(|task| task.deadline()).min()
    }

    /// The sessions whose deadline is not after `moment`.
    pub(super) fn due(&self, moment: Tai) -> impl Iterator<Item = u64> {
        let is_due = move |task: &dyn ReceiveTask| {
            task.deadline().is_some_and(|deadline| deadline <= moment)
        };
        self.tasks.iter().filter(move |(_, task)| is_due(&***task)).map(|(id, _)| *id)
    }

    pub(super) fn add(&mut self, id: u64, mut task: Box<dyn ReceiveTask>) {
        let added = sockets(&*task).try_for_each(|(path, socket)| {
            let data = epoll::EventData::new_u64(id * PATHS + path as u64);
            epoll::add(&self.epoll, socket.as_fd(), data, epoll::EventFlags::IN)
        });
        if let Err(error) = added {
            log::error!("a socket cannot be watched: {error}");
            return task.over(Over::Ended);
        }
        self.sockets.extend(sockets(&*task).map(|(path, _)| Socket { id, path }));
        self.tasks.insert(id, task);
    }

    /// Calls a session, and removes it if that is its end. [`Outcome::End`] also for one that is
    /// gone.
    pub(super) fn serve(
        &mut self,
        id: u64,
        call: impl FnOnce(&mut dyn ReceiveTask) -> Outcome,
    ) -> Outcome {
        let Some(task) = self.tasks.get_mut(&id) else { return Outcome::End };
        // A panic of a sink is the end of its session and of no other. The session is not used
        // again.
        match catch_unwind(AssertUnwindSafe(|| call(&mut **task))) {
            Ok(Outcome::End) => self.remove(id, Over::Ended),
            Err(_) => self.remove(id, Over::Panicked),
            Ok(outcome) => return outcome,
        }
        Outcome::End
    }

    pub(super) fn remove(&mut self, id: u64, why: Over) {
        let Some(mut task) = self.tasks.remove(&id) else { return };
        self.sockets.retain(|socket| socket.id != id);
        for (_, socket) in sockets(&*task) {
            epoll::delete(&self.epoll, socket.as_fd()).ok();
        }
        task.over(why);
        discard(task);
    }
}

fn sockets(task: &dyn ReceiveTask) -> impl Iterator<Item = (usize, &Receiver)> {
    (0..PATHS as usize).map_while(|path| Some((path, task.socket(path)?)))
}
