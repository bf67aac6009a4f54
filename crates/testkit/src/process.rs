//! A child process whose output is kept, and which never outlives its test.

use crate::wait;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Lines that a process has written. A process that writes for ever keeps its last ones only.
#[derive(Debug, Default)]
struct Output {
    lines: Mutex<Vec<String>>,
}

const KEPT_LINES: usize = 4000;
/// How often the state of a process is looked at.
const PAUSE: Duration = Duration::from_millis(1);

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

/// A running process. It is killed on drop, and when the thread that started it ends.
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
    /// Starts a command. Lines of its standard output for which `line` is true are taken, and not
    /// kept as output.
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
                // A test that is killed leaves no process behind.
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

    /// Waits until it has written a line with this part, and returns the line.
    ///
    /// # Panics
    /// If it ends before, or writes no such line.
    #[track_caller]
    pub fn until_line(&mut self, part: &str) -> String {
        let find =
            |process: &Self| process.output.lock().iter().find(|line| line.contains(part)).cloned();
        wait::some(&format!("{} writes {part:?}", self.name), || {
            // What a process wrote before it ended may still be in its pipe.
            let ended = self.has_ended();
            if ended {
                self.wait();
            }
            let found = find(self);
            assert!(found.is_some() || !ended, "{} has ended:\n{}", self.name, self.output());
            found
        })
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

    /// Waits until it ends by itself, and all that it wrote is kept.
    ///
    /// # Panics
    /// If it does not end, or a process that it started goes on and holds its output open.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        while !self.has_ended() {
            let late = start.elapsed() >= wait::DEADLINE;
            assert!(!late, "{} does not end:\n{}", self.name, self.output());
            std::thread::sleep(PAUSE);
        }
        for reader in self.readers.drain(..) {
            while !reader.is_finished() {
                let late = start.elapsed() >= 2 * wait::DEADLINE;
                assert!(!late, "{} has ended, and another process holds its output", self.name);
                std::thread::sleep(PAUSE);
            }
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
