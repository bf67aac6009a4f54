//! The worker's side: runs one bridge until the proxy ends it.

use super::super::Wires;
use super::messages::{Job, Report, STOP, State};
use crate::bridge::client::BridgeClient;
use crate::bridge::engine::{Alarm, What};
use crate::bridge::status::Figures;
use crate::placement::Input;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// Interval of reports of changed counters.
const REPORT: Duration = Duration::from_millis(200);

/// Runs a worker to its end.
pub(crate) fn run() -> ExitCode {
    keep_to_the_proxy();
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("bridge worker: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Ignores signals to the proxy's process group: they are for the proxy, which then stops its
/// workers.
fn keep_to_the_proxy() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2] {
        // SAFETY: no handler is installed, and no other thread runs yet.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

fn work() -> Result<(), String> {
    let failed = |error: std::io::Error| format!("its socket to the proxy: {error}");
    let socket = std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
    let mut out = UnixStream::from(socket);
    let mut input = BufReader::new(out.try_clone().map_err(failed)?);
    let job = Job::read(&mut input).ok_or("only a media_proxy starts this, with a job")?;
    let client = Arc::new(BridgeClient::new(job.socket));
    let wires = Wires::for_worker(client, job.ip, job.sealed);
    let (events, inbox) = channel();
    let alarm = Alarm { events, bridge: job.spec.id.clone(), attempt: 1 };
    let bridge = match wires.start_here(&job.spec, &job.link, alarm) {
        Ok(bridge) => bridge,
        Err(reason) => return Report::Failed(reason).write(&mut out).map_err(failed),
    };
    let (connection, local) = (bridge.connection(), bridge.figures().local());
    Report::Started { connection, local }.write(&mut out).map_err(failed)?;
    let orders = listen(input)?;
    // An error means that the proxy is gone, which also ends the orders.
    let mut say = |report: Report| drop(report.write(&mut out));
    let mut last = None;
    loop {
        let order = orders.recv_timeout(REPORT);
        if let Ok(Input::Bridge(event)) = inbox.try_recv() {
            match event.what {
                What::Broken(reason) => say(Report::Broken(reason)),
                What::Over => say(Report::Over),
                What::Started(_) | What::Stopped => {}
            }
        }
        let now = state(&*bridge.figures());
        if last.as_ref() != Some(&now) {
            say(Report::State(Box::new(now.clone())));
            last = Some(now);
        }
        match order {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) => {
                let figures = bridge.figures();
                bridge.stop();
                say(Report::State(Box::new(state(&*figures))));
                return Ok(());
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn state(figures: &dyn Figures) -> State {
    State {
        statistics: figures.statistics(),
        cpu_ns: figures.cpu_time().map_or(0, |time| time.as_nanos() as u64),
        no_link: figures.no_link(),
    }
}

/// An order to stop, or the end of the channel when the proxy has gone.
fn listen(input: BufReader<UnixStream>) -> Result<Receiver<()>, String> {
    let (orders, inbox) = channel();
    let listener = std::thread::Builder::new().name("orders".into()).spawn(move || {
        for line in input.lines() {
            if line.is_ok_and(|line| line == STOP) {
                let _ = orders.send(());
            }
        }
    });
    listener.map(|_| inbox).map_err(|error| format!("no thread: {error}"))
}
