//! A real `media_proxy`.

use crate::host::Host;
use crate::process::Process;
use crate::run::Run;
use crate::scrape::Scrape;
use crate::{config, control::Control, program, wait};
use mcm::Client;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// A proxy that serves a run directory, on ports that the system chose.
#[derive(Debug)]
pub struct Proxy {
    process: Process,
    run_dir: PathBuf,
    /// Port of the gRPC service for programs.
    pub sdk_port: u16,
    /// Port of the gRPC service for operators and tools.
    pub grpc_port: u16,
    /// Port for Prometheus, if it was started with one.
    pub metrics_port: Option<u16>,
}

const SDK_LINE: &str = "TCP Server listening on ";
const GRPC_LINE: &str = "gRPC Server listening on ";
const METRICS_LINE: &str = "Prometheus metrics at http://";

impl Proxy {
    /// Starts a proxy, and waits until it serves.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn start(run: &Run) -> Self {
        Self::start_at(&run.path(), 0, 0)
    }

    /// Starts a proxy with these options on a host.
    #[must_use]
    pub fn on(host: &Host, run: &Run, options: &[&str]) -> Self {
        let mut command = host.command(program::media_proxy());
        command.args(options);
        Self::start_by(command, run)
    }

    /// Starts a proxy as the given command, which the arguments are added to.
    #[must_use]
    pub fn start_by(command: Command, run: &Run) -> Self {
        Self::launch(command, &run.path(), 0, 0)
    }

    fn start_at(run_dir: &Path, sdk_port: u16, grpc_port: u16) -> Self {
        Self::launch(Command::new(program::media_proxy()), run_dir, sdk_port, grpc_port)
    }

    fn launch(mut command: Command, run_dir: &Path, sdk_port: u16, grpc_port: u16) -> Self {
        command.args(["-t", &sdk_port.to_string(), "-g", &grpc_port.to_string()]);
        command.arg("--run-dir").arg(run_dir);
        let mut process = Process::start("media_proxy", command, |_| false);
        let (sdk_port, grpc_port, metrics_port) = wait::some("media_proxy serves", || {
            let output = process.output();
            let port = |line| {
                let rest = output.split_once(line)?.1.lines().next()?;
                rest.trim().trim_end_matches("/metrics").rsplit_once(':')?.1.parse().ok()
            };
            assert!(!process.has_ended(), "media_proxy has ended:\n{output}");
            // The line of the metrics comes before those of the ports.
            Some((port(SDK_LINE)?, port(GRPC_LINE)?, port(METRICS_LINE)))
        });
        Self { process, run_dir: run_dir.to_owned(), sdk_port, grpc_port, metrics_port }
    }

    /// Ends it by a signal, and returns what it ended with.
    pub fn end(&mut self, signal: Signal) -> ExitStatus {
        self.process.signal(signal);
        self.process.wait()
    }

    /// Starts a successor of one that has ended, as the given command.
    pub fn start_again_by(&mut self, command: Command) {
        *self = Self::launch(command, &self.run_dir, self.sdk_port, self.grpc_port);
    }

    /// Starts a successor of one that has ended, on the same ports.
    pub fn start_again(&mut self) {
        *self = Self::start_at(&self.run_dir, self.sdk_port, self.grpc_port);
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its process.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        media::run_dir::socket_path(&self.run_dir)
    }

    /// A client in this process.
    ///
    /// # Panics
    /// If there cannot be one.
    #[must_use]
    pub fn client(&self) -> Client {
        config::build(&config::client(&self.socket()))
    }

    /// Its measurements, as Prometheus on its host gets them.
    ///
    /// # Panics
    /// If it was started without a port for that, or its answer is not as it should be.
    #[must_use]
    pub fn scrape(&self) -> Scrape {
        Scrape::of(self.metrics_port.expect("a port for Prometheus"))
    }

    /// Its control service.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(self.grpc_port)
    }
}
