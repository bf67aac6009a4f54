//! Signals that a daemon handles.

use log::info;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end a daemon, and those that would if it did not take them.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user_1: Signal,
    user_2: Signal,
}

impl Signals {
    /// Takes the signals from now on. Within a runtime only.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
        })
    }

    /// Waits for one that ends the daemon, and returns its name. A terminal that is closed
    /// (SIGHUP), and signals that other daemons have a meaning for, do not end it.
    pub async fn end(&mut self) -> &'static str {
        loop {
            let name = tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hang_up.recv() => "SIGHUP",
                _ = self.user_1.recv() => "SIGUSR1",
                _ = self.user_2.recv() => "SIGUSR2",
            };
            info!("{name} has no effect; SIGTERM or SIGINT end this program");
        }
    }
}
