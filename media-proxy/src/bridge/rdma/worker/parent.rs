//! The proxy's side of a bridge in a worker.

use super::messages::{Job, Report, STOP, State};
use super::{ARGUMENT, Workers};
use crate::bridge::engine::{Alarm, Bridge};
use crate::bridge::statistics::BridgeStatistics;
use crate::bridge::status::Figures;
use daemon::logger;
use std::io::{BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time-out for a worker to join its group and open its endpoints.
const START: Duration = Duration::from_secs(20);
/// Time-out for a worker's end: it has two seconds for frames in flight.
const END: Duration = Duration::from_secs(4);

/// A bridge in a process of its own.
#[derive(Debug)]
struct Remote {
    connection: String,
    figures: Arc<RemoteFigures>,
    socket: UnixStream,
    shared: Arc<Shared>,
    /// Ends with the worker.
    ended: Receiver<()>,
}

#[derive(Debug)]
struct Shared {
    worker: Mutex<Child>,
    /// It was told to end.
    stopping: AtomicBool,
}

impl Shared {
    fn worker(&self) -> MutexGuard<'_, Child> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a worker for a bridge.
///
/// # Errors
/// Why it cannot start.
pub(in super::super) fn start(
    job: &Job,
    workers: &Workers,
    alarm: Alarm,
) -> Result<Box<dyn Bridge>, String> {
    let failed = |error: std::io::Error| format!("process for the bridge: {error}");
    let (socket, theirs) = UnixStream::pair().map_err(failed)?;
    let mut command = Command::new("/proc/self/exe");
    // Tools show it by this name, and programs that see it in the group do.
    command.arg0("media_proxy").arg(ARGUMENT).stdin(Stdio::from(OwnedFd::from(theirs)));
    if let Some(format) = workers.log_format {
        command.env(logger::FORMAT, format.word());
    }
    let worker = command.envs(fabric::wanted_environment()).spawn().map_err(failed)?;
    // This process's copy of the worker's end.
    drop(command);
    let pid = worker.id();
    workers.add(pid);
    let shared = Arc::new(Shared { worker: Mutex::new(worker), stopping: AtomicBool::new(false) });
    let lost = || {
        let mut worker = shared.worker();
        let _ = worker.kill();
        workers.remove(pid);
        match worker.wait() {
            Ok(status) => format!("its process {}", in_words(status)),
            Err(error) => format!("its process: {error}"),
        }
    };
    let first = socket.try_clone().and_then(|reader| {
        reader.set_read_timeout(Some(START))?;
        job.write(&mut &socket)?;
        Ok(BufReader::new(reader))
    });
    let Ok(mut input) = first else { return Err(lost()) };
    let (connection, local) = match Report::read(&mut input) {
        Some(Report::Started { connection, local }) => (connection, local),
        Some(Report::Failed(reason)) => {
            lost();
            return Err(reason);
        }
        _ => return Err(lost()),
    };
    if let Err(error) = input.get_ref().set_read_timeout(None) {
        lost();
        return Err(failed(error));
    }
    let figures = Arc::new(RemoteFigures { local, state: Mutex::default() });
    let (end, ended) = channel();
    let (counted, own, list) = (Arc::clone(&figures), Arc::clone(&shared), workers.clone());
    let follow = move || {
        follow(input, &counted, &alarm);
        list.remove(pid);
        let mut worker = own.worker();
        // A worker that has closed its socket has ended, or is useless.
        let _ = worker.kill();
        let status = worker.wait();
        drop(worker);
        if !own.stopping.load(SeqCst) {
            let status = status.map_or_else(|error| error.to_string(), in_words);
            alarm.raise(format!("its process {status}"));
        }
        drop(end);
    };
    if let Err(error) = std::thread::Builder::new().name("bridge-worker".into()).spawn(follow) {
        lost();
        return Err(failed(error));
    }
    Ok(Box::new(Remote { connection, figures, socket, shared, ended }))
}

/// Handles the worker's reports until it ends.
fn follow(mut input: BufReader<UnixStream>, figures: &RemoteFigures, alarm: &Alarm) {
    while let Some(report) = Report::read(&mut input) {
        match report {
            Report::State(state) => *figures.lock() = *state,
            Report::Broken(reason) => alarm.raise(reason),
            Report::Over => alarm.over(),
            Report::Started { .. } | Report::Failed(_) => {}
        }
    }
}

/// Describes how a process has ended.
fn in_words(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(libc::SIGSEGV), _) => "has crashed (SIGSEGV)".into(),
        (Some(libc::SIGBUS), _) => "has crashed (SIGBUS)".into(),
        (Some(libc::SIGABRT), _) => "has given up (SIGABRT)".into(),
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, code) => format!("has ended with status {}", code.unwrap_or(-1)),
    }
}

impl Remote {
    /// Waits until the worker has ended.
    fn end(&mut self) {
        if matches!(self.ended.recv_timeout(END), Err(std::sync::mpsc::RecvTimeoutError::Timeout)) {
            log::warn!("the process of a bridge does not end, and is killed");
            let _ = self.shared.worker().kill();
            let _ = self.ended.recv();
        }
    }
}

impl Bridge for Remote {
    fn connection(&self) -> String {
        self.connection.clone()
    }

    fn figures(&self) -> Arc<dyn Figures> {
        Arc::clone(&self.figures) as Arc<dyn Figures>
    }

    fn stop(mut self: Box<Self>) {
        self.shared.stopping.store(true, SeqCst);
        // It may have ended already.
        let _ = writeln!(self.socket, "{STOP}");
        self.end();
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.shared.stopping.store(true, SeqCst);
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
        self.end();
    }
}

/// The worker's last report.
#[derive(Debug)]
struct RemoteFigures {
    local: String,
    state: Mutex<State>,
}

impl RemoteFigures {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Figures for RemoteFigures {
    fn local(&self) -> String {
        self.local.clone()
    }

    fn statistics(&self) -> BridgeStatistics {
        self.lock().statistics.clone()
    }

    fn no_link(&self) -> Option<String> {
        self.lock().no_link.clone()
    }

    fn cpu_time(&self) -> Option<Duration> {
        Some(Duration::from_nanos(self.lock().cpu_ns))
    }

    fn sdp(&self) -> Option<String> {
        None
    }
}
