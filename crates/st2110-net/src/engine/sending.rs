//! Threads that send: many sessions on each, the earliest due first.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{SyncSender, TryRecvError},
    time::Duration,
};

use media::Tai;

use super::{
    alarm::{Alarms, NAP},
    clock::{SharedClock, sleep_until},
    guard::{Guard, SENDING_WINDOW},
    pool::Start,
};

/// A session that sends.
pub(crate) trait SendTask: Send {
    /// Does what is due at `now`, but not for long, and says when to come again.
    fn run(&mut self, now: Tai) -> Wake;

    /// The session is over: it said so, panicked, or was removed.
    fn over(&mut self, why: Over);
}

/// When a session is due again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// At that moment.
    At(Tai),
    /// Never: the feed has ended.
    End,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The feed ended, or the sink wants no more frames.
    Ended,
    /// It was stopped.
    Stopped,
    /// The feed or sink panicked.
    Panicked,
}

/// What is told to a thread.
pub(super) enum Command<T: ?Sized> {
    Add(u64, Box<T>),
    /// The answer says that the session's feed or sink is gone.
    Remove(u64, Option<SyncSender<()>>),
}

/// The longest sleep while there are sessions: so long does a new session or a removal wait at
/// most.
const LONGEST: Duration = Duration::from_millis(5);

struct Thread {
    clock: SharedClock,
    /// None if the process had no descriptors left.
    alarms: Option<Alarms>,
    tasks: HashMap<u64, Box<dyn SendTask>>,
    due: BinaryHeap<Reverse<Due>>,
    last: Tai,
}

/// When a session is due; the earliest is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Tai,
    id: u64,
    /// Nanoseconds since it was due before. Paced streams are due evenly, so it is likely to be due
    /// again after the same time.
    step: u64,
}

impl Due {
    fn now(at: Tai, id: u64) -> Self {
        Self { at, id, step: 0 }
    }

    /// What is postponed by a moment only is no step.
    fn again(self, at: Tai) -> Self {
        let passed = at.as_nanos().saturating_sub(self.at.as_nanos());
        Self { at, step: if passed > NAP { passed } else { self.step }, ..self }
    }
}

/// Runs until the other end of the commands is dropped.
pub(super) fn run(clock: SharedClock, start: Start<dyn SendTask>) {
    let Start { priority, commands, .. } = start;
    let mut guard = Guard::new(priority, SENDING_WINDOW, clock.now());
    let (tasks, due) = (HashMap::new(), BinaryHeap::new());
    let alarms = Alarms::new().ok();
    let mut thread = Thread { clock, alarms, tasks, due, last: Tai::default() };
    loop {
        let command = if thread.tasks.is_empty() {
            match commands.recv() {
                Ok(command) => Some(command),
                Err(_) => return,
            }
        } else {
            match commands.try_recv() {
                Ok(command) => Some(command),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            }
        };
        if let Some(command) = command {
            thread.obey(command);
            continue;
        }
        guard.check(thread.work());
    }
}

impl Thread {
    fn obey(&mut self, command: Command<dyn SendTask>) {
        match command {
            Command::Add(id, task) => {
                self.tasks.insert(id, task);
                self.due.push(Reverse(Due::now(self.clock.now(), id)));
            }
            Command::Remove(id, done) => {
                if let Some(mut task) = self.tasks.remove(&id) {
                    task.over(Over::Stopped);
                    discard(task);
                }
                self.due.retain(|Reverse(due)| due.id != id);
                if let Some(done) = done {
                    done.send(()).ok();
                }
            }
        }
    }

    /// Serves the session that is due, or sleeps until one is.
    fn work(&mut self) -> Tai {
        let now = self.clock.now();
        if now < self.last {
            // The clock was set back: the sessions see to it themselves.
            self.due = self.tasks.keys().map(|id| Reverse(Due::now(now, *id))).collect();
        }
        self.last = now;
        let Some(mut first) = self.due.peek_mut() else { return now };
        let Reverse(due) = *first;
        if due.at > now {
            drop(first);
            self.sleep(due);
            return now;
        }
        let Some(task) = self.tasks.get_mut(&due.id) else { return now };
        // A panic of a feed is the end of its session and of no other. The session is not used
        // again.
        let over = match catch_unwind(AssertUnwindSafe(|| task.run(now))) {
            Ok(Wake::At(next)) => {
                // In place: the heap moves it to where it belongs.
                *first = Reverse(due.again(next));
                return now;
            }
            Ok(Wake::End) => Over::Ended,
            Err(_) => Over::Panicked,
        };
        std::collections::binary_heap::PeekMut::pop(first);
        if let Some(mut task) = self.tasks.remove(&due.id) {
            task.over(over);
            discard(task);
        }
        now
    }

    /// Sleeps until the first session is due.
    fn sleep(&mut self, first: Due) {
        let Some(alarms) = &mut self.alarms else {
            return sleep_until(&*self.clock, first.at, LONGEST);
        };
        // The next to sleep for is the session itself, or one of those that stand below it in the
        // heap.
        let others = self.due.as_slice().iter().skip(1).take(2).map(|Reverse(due)| due.at);
        let again = first.at.checked_add(Duration::from_nanos(first.step));
        let then = others.chain(again).filter(|then| *then > first.at).min();
        alarms.sleep(&*self.clock, first.at, then, LONGEST);
    }
}

/// Drops a session. Feeds and sinks are others' code: if it panics, that is the end of nothing
/// else.
pub(super) fn discard<T: ?Sized>(task: Box<T>) {
    if catch_unwind(AssertUnwindSafe(|| drop(task))).is_err() {
        log::error!("a feed or sink of an ST 2110 session panicked when it was dropped");
    }
}
