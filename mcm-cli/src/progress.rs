//! What a command that receives says while it runs: that it waits, and on a terminal how far it is.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How long it is silent before it says what it waits for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the line on a terminal is written anew.
const REFRESH: Duration = Duration::from_millis(500);

/// Words on standard error.
pub(crate) struct Progress {
    began: Instant,
    /// What it waits for, until that has been said or something came.
    waits_for: Option<String>,
    terminal: bool,
    written: Option<Instant>,
}

impl Progress {
    /// Of a command that waits for `what`.
    pub(crate) fn new(what: String) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { began: Instant::now(), waits_for: Some(what), terminal, written: None }
    }

    /// Looks at the time. `came`: how much has come, `None` for nothing.
    pub(crate) fn look(&mut self, came: Option<impl FnOnce() -> String>) {
        let elapsed = self.began.elapsed();
        let Some(came) = came else {
            if elapsed >= PATIENCE
                && let Some(what) = self.waits_for.take()
            {
                eprintln!("mcm: waiting for {what}");
            }
            return;
        };
        self.waits_for = None;
        if self.terminal && self.written.is_none_or(|at| at.elapsed() >= REFRESH) {
            self.written = Some(Instant::now());
            // The rest of a longer line is deleted.
            eprint!("\r{:.0} s: {}\x1b[K", elapsed.as_secs_f64(), came());
            let _ = std::io::stderr().flush();
        }
    }

    /// Clears the line, for something else to be written there.
    pub(crate) fn clear(&mut self) {
        if self.written.take().is_some() {
            eprint!("\r\x1b[K");
            let _ = std::io::stderr().flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
