//! Threads that serve many sessions.
//!
//! An [`Engine`] has up to one sending and one receiving thread per core, started when there is
//! work for them. Sessions are added and removed from any thread while others run. What a session
//! does on its thread is bounded, so that one whose feed has nothing, whose sink has no room or
//! whose socket is flooded harms no other.

mod alarm;
mod clock;
mod guard;
mod pool;
mod priority;
mod receiving;
mod sending;
mod watched;

use std::{num::NonZero, sync::Arc, thread, time::Duration};

pub use clock::{Clock, SystemClock};
pub(crate) use clock::{SharedClock, ahead_of_monotonic};
pub use pool::Session;
pub use priority::Priority;
pub(crate) use receiving::{Moment, Outcome, ReceiveTask};
pub use sending::Over;
pub(crate) use sending::{SendTask, Wake};

use pool::{Kind, Pool};

/// How an engine works.
#[derive(Clone)]
pub struct EngineOptions {
    /// Sending threads at most, and receiving threads at most.
    pub threads: usize,
    /// Whether the threads ask for real-time priority. Where that is not permitted they go on
    /// without.
    pub real_time: bool,
    /// How long a receiving thread lets packets gather after it has read some. Times of arrival are
    /// the kernel's, so they do not suffer; longer costs less CPU time and more latency and receive
    /// buffer.
    pub gather: Duration,
    /// Whether the kernel is to hold the packets of video back until they are to leave, on paths
    /// where it can and may ([`KernelPacing`](crate::socket::KernelPacing)).
    pub kernel_pacing: bool,
    /// The time that streams follow.
    pub clock: Arc<dyn Clock>,
}

impl Default for EngineOptions {
    /// A thread per core, real time where permitted, 500 µs, no pacing by the kernel, the system's
    /// clock.
    fn default() -> Self {
        Self {
            threads: thread::available_parallelism().map_or(1, NonZero::get),
            real_time: true,
            gather: Duration::from_micros(500),
            kernel_pacing: false,
            clock: Arc::new(SystemClock),
        }
    }
}

impl std::fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineOptions")
            .field("threads", &self.threads)
            .field("real_time", &self.real_time)
            .field("gather", &self.gather)
            .field("kernel_pacing", &self.kernel_pacing)
            .finish_non_exhaustive()
    }
}

/// Threads that send and receive. Dropping it ends all of its sessions.
pub struct Engine {
    options: EngineOptions,
    sending: Arc<Pool<dyn SendTask>>,
    receiving: Arc<Pool<dyn ReceiveTask>>,
}

/// Above sending threads stand few things; receiving has the socket's buffer to fall back on.
const SENDING_PRIORITY: u8 = 40;
const RECEIVING_PRIORITY: u8 = 30;

impl Engine {
    /// An engine without sessions, and so without threads.
    pub fn new(options: EngineOptions) -> Self {
        let threads = options.threads.max(1);
        let priority = |priority| options.real_time.then_some(priority);
        Self {
            sending: Pool::new(Kind::Sending, threads, priority(SENDING_PRIORITY)),
            receiving: Pool::new(Kind::Receiving, threads, priority(RECEIVING_PRIORITY)),
            options,
        }
    }

    /// The time that streams follow.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.options.clock
    }

    /// Whether the kernel is to pace video where it can.
    pub(crate) fn kernel_pacing(&self) -> bool {
        self.options.kernel_pacing
    }

    /// The priority that sending threads and receiving threads have got; `None` while there is
    /// none.
    pub fn priorities(&self) -> [Option<Priority>; 2] {
        [self.sending.priority(), self.receiving.priority()]
    }

    /// Threads at present: those that send, and those that receive.
    pub fn threads(&self) -> [usize; 2] {
        [self.sending.threads(), self.receiving.threads()]
    }

    /// CPU time used so far: by threads that send, and by those that receive.
    pub fn cpu_time(&self) -> [Duration; 2] {
        [self.sending.cpu_time(), self.receiving.cpu_time()]
    }

    /// Adds a session that sends about `rate` packets a second.
    pub(crate) fn add_sender(
        &self,
        task: Box<dyn SendTask>,
        rate: u64,
    ) -> Result<Session, crate::Error> {
        let clock = self.options.clock.clone();
        self.sending.add(task, rate, move |start| sending::run(clock, start))
    }

    /// Adds a session that receives about `rate` packets a second.
    pub(crate) fn add_receiver(
        &self,
        task: Box<dyn ReceiveTask>,
        rate: u64,
    ) -> Result<Session, crate::Error> {
        let (clock, gather) = (self.options.clock.clone(), self.options.gather);
        self.receiving.add(task, rate, move |start| receiving::run(clock, gather, start))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.sending.close();
        self.receiving.close();
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("options", &self.options)
            .field("threads", &self.threads())
            .finish()
    }
}
