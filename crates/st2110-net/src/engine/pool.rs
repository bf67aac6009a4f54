//! Threads of one kind, and the placing of sessions on them.

use std::{
    collections::HashMap,
    io,
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::event::{EventfdFlags, eventfd};

use super::{
    priority::{self, Priority},
    sending::Command,
};
use crate::Error;

/// What the threads do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sending,
    Receiving,
}

/// A thread takes further sessions up to so many packets a second before another thread is started:
/// about half of what one core carries, in the bundles of paced video.
const COMFORTABLE: u64 = 150_000;

/// Whether this process has been told that its threads have no real-time priority: it is the same
/// for all of them.
static TOLD: AtomicBool = AtomicBool::new(false);

/// What a thread starts with: its priority, its commands, and a descriptor that is readable when
/// there are new ones.
pub(super) struct Start<T: ?Sized> {
    pub(super) priority: Priority,
    pub(super) commands: mpsc::Receiver<Command<T>>,
    pub(super) wake: Arc<OwnedFd>,
}

struct Worker<T: ?Sized> {
    commands: mpsc::Sender<Command<T>>,
    wake: Arc<OwnedFd>,
    thread: JoinHandle<()>,
    priority: Priority,
    id: rustix::thread::Pid,
    load: u64,
}

struct State<T: ?Sized> {
    workers: Vec<Worker<T>>,
    /// Where each session is, and its load.
    places: HashMap<u64, (usize, u64)>,
}

pub(super) struct Pool<T: ?Sized> {
    kind: Kind,
    limit: usize,
    real_time: Option<u8>,
    state: Mutex<State<T>>,
    next: AtomicU64,
}

impl<T: ?Sized + Send + 'static> Pool<T> {
    pub(super) fn new(kind: Kind, limit: usize, real_time: Option<u8>) -> Arc<Self> {
        let state = Mutex::new(State { workers: Vec::new(), places: HashMap::new() });
        Arc::new(Self { kind, limit, real_time, state, next: AtomicU64::new(0) })
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that can panic happens between changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn threads(&self) -> usize {
        self.state().workers.len()
    }

    pub(super) fn priority(&self) -> Option<Priority> {
        self.state().workers.first().map(|worker| worker.priority)
    }

    /// CPU time of all threads.
    pub(super) fn cpu_time(&self) -> Duration {
        self.state().workers.iter().filter_map(|worker| priority::cpu_time(worker.id)).sum()
    }

    /// Gives a task to the thread that has least to do; to a new one, which does `run`, while there
    /// may be more and the others have enough.
    pub(super) fn add(
        self: &Arc<Self>,
        task: Box<T>,
        load: u64,
        run: impl FnOnce(Start<T>) + Send + 'static,
    ) -> Result<Session, Error> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut state = self.state();
        let least = state.workers.iter().enumerate().min_by_key(|(_, worker)| worker.load);
        let index = match least {
            Some((index, worker))
                if worker.load == 0
                    || worker.load + load <= COMFORTABLE
                    || state.workers.len() >= self.limit =>
            {
                index
            }
            _ => {
                let worker = self.start(state.workers.len(), run).map_err(Error::Thread)?;
                state.workers.push(worker);
                state.workers.len() - 1
            }
        };
        let worker = &mut state.workers[index];
        worker.load += load;
        // A thread ends only when its commands do, so the command arrives.
        worker.commands.send(Command::Add(id, task)).ok();
        wake(&worker.wake);
        state.places.insert(id, (index, load));
        Ok(Session { id, pool: self.clone() })
    }

    fn start(
        &self,
        index: usize,
        run: impl FnOnce(Start<T>) + Send + 'static,
    ) -> io::Result<Worker<T>> {
        let (commands, receiver) = mpsc::channel();
        let (told, priority) = mpsc::channel();
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let name = match self.kind {
            Kind::Sending => format!("st2110-tx-{index}"),
            Kind::Receiving => format!("st2110-rx-{index}"),
        };
        let (real_time, its_wake) = (self.real_time, wake.clone());
        let thread = thread::Builder::new().name(name).spawn(move || {
            let priority = priority::raise(real_time);
            told.send((priority, rustix::thread::gettid())).ok();
            run(Start { priority, commands: receiver, wake: its_wake });
        })?;
        // The thread sends it before anything that could fail.
        let (priority, id) = priority.recv().map_err(io::Error::other)?;
        if self.real_time.is_some()
            && let Some(shortfall) = priority.shortfall()
            && !TOLD.swap(true, Ordering::Relaxed)
        {
            log::warn!("{shortfall}");
        }
        Ok(Worker { commands, wake, thread, priority, id, load: 0 })
    }

    /// Ends all threads, and with them the sessions.
    pub(super) fn close(&self) {
        let workers = std::mem::take(&mut self.state().workers);
        for Worker { commands, wake: descriptor, thread, .. } in workers {
            drop(commands);
            wake(&descriptor);
            thread.join().ok();
        }
    }
}

fn wake(descriptor: &OwnedFd) {
    // It fails only if 2⁶⁴ wake-ups are pending, and then one is enough.
    rustix::io::write(descriptor, &1_u64.to_ne_bytes()).ok();
}

trait Remove: Send + Sync {
    fn remove(&self, id: u64, done: Option<mpsc::SyncSender<()>>);
}

impl<T: ?Sized + Send + 'static> Remove for Pool<T> {
    fn remove(&self, id: u64, done: Option<mpsc::SyncSender<()>>) {
        let mut state = self.state();
        let Some((index, load)) = state.places.remove(&id) else { return };
        if let Some(worker) = state.workers.get_mut(index) {
            worker.load -= load;
            worker.commands.send(Command::Remove(id, done)).ok();
            wake(&worker.wake);
        }
    }
}

/// A session on an engine. Dropping it ends the session, without waiting for that.
pub struct Session {
    id: u64,
    pool: Arc<dyn Remove>,
}

impl Session {
    /// Ends the session, and waits until its thread has dropped the feed or sink and what it held
    /// of it.
    pub fn stop(self) {
        let (done, gone) = mpsc::sync_channel(1);
        self.pool.remove(self.id, Some(done));
        // An error says that the thread is gone, and so the session.
        gone.recv_timeout(Duration::from_secs(5)).ok();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.pool.remove(self.id, None);
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("id", &self.id).finish_non_exhaustive()
    }
}
