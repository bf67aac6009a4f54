//! A child process whose output is kept, and which never outlives its test.

use crate::wait;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// Lines that a process has written. A process that writes for ever keeps its last ones only.
#[derive(Debug, Default)]
struct Output {
    lines: Mutex<Vec<String>>,
}

const KEPT_LINES: usize = 4000;

impl Output {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn push(&self, line: String) {
        let mut lines = self.lock();
        if lines.len() >= KEPT_LINES {
            lines.drain(..KEPT_LINES / 2);
        }
        lines.push(line);
    }
}

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<Output>,
    readers: Vec<JoinHandle<()>>,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts a command. Lines on its standard output for which `line` is true are taken, and not kept as output.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(
        name: &str,
        mut command: Command,
        mut line: impl FnMut(&str) -> bool + Send + 'static,
    ) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // SAFETY: prctl is async-signal-safe, and touches nothing of this process.
        unsafe {
            command.pre_exec(|| {
                // Should the test be killed, nothing of it stays behind.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let output = Arc::new(Output::default());
        let stdout = child.stdout.take().map(|stream| {
            let output = Arc::clone(&output);
            follow(stream, move |text| {
                if !line(&text) {
                    output.push(text);
                }
            })
        });
        let stderr = child.stderr.take().map(|stream| {
            let output = Arc::clone(&output);
            follow(stream, move |text| output.push(text))
        });
        let readers = stdout.into_iter().chain(stderr).collect();
        let stdin = child.stdin.take();
        Self { name: name.to_owned(), child, stdin, output, readers, ended: None }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written so far, on both streams.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().join("\n")
    }

    /// Writes a line to its standard input. A process that is gone does not mind.
    pub fn tell(&mut self, line: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = writeln!(stdin, "{line}").and_then(|()| stdin.flush());
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            // A process that has just ended need not hear it.
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }

    /// Stops it, and waits until it stands still.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        wait::until(&format!("{} stops", self.name), || self.state() == Some('T'));
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// The letter with which `/proc` names its state.
    fn state(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("status of a child");
        }
        self.ended.is_some()
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait(&mut self) -> ExitStatus {
        let start = std::time::Instant::now();
        while !self.has_ended() {
            assert!(
                start.elapsed() < wait::DEADLINE,
                "{} does not end:\n{}",
                self.name,
                self.output()
            );
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        self.ended.unwrap_or_default()
    }

    /// Kills it, and waits until it is dead.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        if self.ended.is_none() {
            self.ended = Some(self.child.wait().expect("status of a child"));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let lines = self.output.lock();
            let last = &lines[lines.len().saturating_sub(30)..];
            eprintln!("--- {} (pid {}):\n{}", self.name, self.child.id(), last.join("\n"));
        }
    }
}

fn follow(
    stream: impl Read + Send + 'static,
    mut each: impl FnMut(String) + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for text in BufReader::new(stream).lines() {
            let Ok(text) = text else { break };
            each(text);
        }
    })
}
