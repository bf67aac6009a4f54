//! The machine's FFmpeg with the plugin, installed into a folder of the test, and a proxy.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part")]

use mcm_tests::agent::Agent;
use mcm_tests::control::Control;
use mcm_tests::host::Host;
use mcm_tests::net::Net;
use mcm_tests::process::Process;
use mcm_tests::proxy::Proxy;
use mcm_tests::run::Run;
use mcm_tests::{program, wait};
use proto::control::Group;
use rustix::process::Signal;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// Stall time for a busy machine.
pub const PATIENT: &str = "-stall_timeout 60000";

pub struct Mesh {
    pub run: Run,
    pub proxy: Proxy,
    pub control: Control,
    /// The host that all of this is on, unless it is this machine.
    host: Option<(Arc<Net>, usize)>,
    /// Arguments of the proxy.
    arguments: Vec<String>,
}

/// Two hosts with a mesh each, on one network: 10.77.0.1 and 10.77.0.2.
pub struct Hosts {
    pub a: Mesh,
    pub b: Mesh,
    pub net: Arc<Net>,
}

impl Hosts {
    /// Runs a test on such hosts, where there can be any; see [`mcm_tests::drops::on_hosts`].
    pub fn test(test: impl Fn(&mut Self)) {
        mcm_tests::drops::on_hosts(Self::new, test);
    }

    fn new() -> Option<Self> {
        let net = Arc::new(Net::new(2)?);
        let mesh = |host: usize| {
            let address = format!("10.77.0.{host}");
            Mesh::on(Some((Arc::clone(&net), host)), &["-i", &address])
        };
        Some(Self { a: mesh(1), b: mesh(2), net })
    }
}

/// The same two hosts as one mesh, with an agent on the first.
pub struct Pair {
    pub a: Mesh,
    pub b: Mesh,
    pub agent: Agent,
    pub net: Arc<Net>,
}

impl Pair {
    /// `None` where there can be no hosts.
    pub fn new() -> Option<Self> {
        let net = Arc::new(Net::new(2)?);
        let agent = Agent::start(|program| net.command(1, program), ["--allow=10.77.0.0/24"]);
        let mesh =
            |host: usize| Mesh::on(Some((Arc::clone(&net), host)), &["-a", "10.77.0.1:50051"]);
        let (a, b) = (mesh(1), mesh(2));
        Some(Self { a, b, agent, net })
    }
}

impl mcm_tests::host::Hosts for Hosts {
    fn hosts(&self) -> Vec<&Host> {
        self.net.hosts()
    }
}

impl Mesh {
    pub fn new() -> Self {
        Self::on(None, &[])
    }

    /// One whose proxy sends and receives ST 2110 on the loopback interface.
    pub fn on_loopback() -> Self {
        Self::on(None, &["-i", "127.0.0.1"])
    }

    fn on(host: Option<(Arc<Net>, usize)>, arguments: &[&str]) -> Self {
        let run = Run::new();
        install(run.outside());
        let mut command = command(&host, program::media_proxy());
        command.args(arguments);
        let proxy = Proxy::start_by(command, &run);
        let control = proxy.control();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { run, proxy, control, host, arguments }
    }

    /// Ends the proxy by a signal, and starts its successor.
    pub fn restart_proxy(&mut self, signal: Signal) {
        self.proxy.end(signal);
        let mut command = command(&self.host, program::media_proxy());
        command.args(&self.arguments);
        self.proxy.start_again_by(command);
        self.control = self.proxy.control();
    }

    /// One group, if it exists.
    pub fn group(&mut self, name: &str) -> Option<Group> {
        let control = &mut self.control;
        match &self.host {
            Some((net, host)) => net.on(*host, || control.group(name)),
            None => control.group(name),
        }
    }

    /// The description of a stream that is sent.
    pub fn sdp(&mut self, group: &str) -> String {
        let control = &mut self.control;
        let sdp = match &self.host {
            Some((net, host)) => net.on(*host, || control.sdp(group)),
            None => control.sdp(group),
        };
        sdp.unwrap_or_else(|error| panic!("{group}: {error}"))
    }

    /// A file of the test.
    pub fn file(&self, name: &str) -> PathBuf {
        self.run.outside().join(name)
    }

    /// One of the wrappers, with arguments separated by blanks. It runs in the test's folder.
    pub fn wrapper(&self, name: &str, arguments: &str) -> Command {
        let mut command = command(&self.host, self.file("bin").join(name));
        command.args(arguments.split_whitespace()).current_dir(self.run.outside());
        command.env("MCM_RUN_DIR", self.run.path());
        command
    }

    /// Starts FFmpeg with the devices.
    pub fn start(&self, name: &str, arguments: &str) -> Process {
        let arguments = format!("-hide_banner -nostdin -nostats -y {arguments}");
        Process::start(name, self.wrapper("mcm-ffmpeg", &arguments), |_| false)
    }

    /// Runs FFmpeg with the devices, and returns what it says.
    pub fn output(&self, arguments: &str) -> (bool, String) {
        let arguments = format!("-hide_banner -nostdin -v error -y {arguments}");
        said(self.wrapper("mcm-ffmpeg", &arguments))
    }

    /// Runs the plain FFmpeg, which must succeed.
    pub fn plain(&self, arguments: &str) -> String {
        let mut command = Command::new("ffmpeg");
        command.args(["-hide_banner", "-nostdin", "-v", "error", "-y"]);
        command.args(arguments.split_whitespace()).current_dir(self.run.outside());
        let (success, output) = said(command);
        assert!(success, "ffmpeg {arguments}: {output}");
        output
    }

    /// Compiles a program of the folder `tests` that uses FFmpeg's libraries, and returns the
    /// command that runs it with the devices.
    pub fn compiled(&self, name: &str) -> Command {
        let program = self.file(name);
        let source = format!("{}/tests/{name}.c", env!("CARGO_MANIFEST_DIR"));
        let mut compiler = Command::new("cc");
        compiler.args(["-Wall", "-Wextra", &source, "-o"]).arg(&program);
        compiler.args(["-lavdevice", "-lavformat", "-lavcodec", "-lavutil"]);
        assert!(compiler.status().expect("cc").success());
        let mut command = Command::new(program);
        command.env("MCM_RUN_DIR", self.run.path());
        command.env("LD_PRELOAD", self.file("lib/libmcm_avdevice.so"));
        command
    }

    /// Waits until a group has so many receivers.
    pub fn wait_for_receivers(&mut self, group: &str, count: usize) {
        wait::until(&format!("{count} receivers of {group}"), || {
            self.group(group).is_some_and(|it| it.receivers.len() == count)
        });
    }

    /// Waits until a group has a source.
    pub fn wait_for_source(&mut self, group: &str) {
        wait::until(&format!("a source of {group}"), || {
            self.group(group).is_some_and(|it| it.source.is_some())
        });
    }

    /// A clip of so many seconds, H.264 and AAC in MP4. Its sound does not end with a packet of the
    /// mesh.
    pub fn clip(&self, size: &str, seconds: u32) {
        self.plain(&format!(
            "-f lavfi -i testsrc2=size={size}:rate=25:duration={seconds} \
             -f lavfi -i sine=sample_rate=48000:duration={seconds} \
             -c:v libx264 -preset ultrafast -c:a aac clip.mp4"
        ));
    }

    /// The lines of a file with checksums that tell of frames.
    pub fn sums(&self, name: &str) -> Vec<String> {
        let text =
            std::fs::read_to_string(self.file(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }
}

/// A command on a host.
fn command(host: &Option<(Arc<Net>, usize)>, program: impl AsRef<OsStr>) -> Command {
    match host {
        Some((net, host)) => net.command(*host, program),
        None => Command::new(program),
    }
}

/// Runs a program to its end, and returns whether it succeeded and what it has written, on both
/// streams.
pub fn said(command: Command) -> (bool, String) {
    let mut process = Process::start("program", command, |_| false);
    let status = process.wait();
    (status.success(), process.output())
}

/// Waits for an FFmpeg to end well.
pub fn finish(mut process: Process) {
    let status = process.wait();
    assert!(status.success(), "{status}: {}", process.output());
}

/// Puts everything where `make install` puts it.
fn install(root: &Path) {
    let [plugin, mesh] = program::ffmpeg_libraries();
    for folder in ["bin", "lib"] {
        std::fs::create_dir(root.join(folder)).expect("a folder");
    }
    std::fs::copy(plugin, root.join("lib/libmcm_avdevice.so")).expect("the plugin");
    std::fs::copy(mesh, root.join("lib/libmcm_dp.so.1")).expect("libmcm_dp");
    let wrapper = include_str!("../../wrapper/mcm-ffmpeg.in").replace("@bin_to_lib@", "../lib");
    for name in ["mcm-ffmpeg", "mcm-ffprobe", "mcm-ffplay", "mcm-mpv"] {
        let path = root.join("bin").join(name);
        std::fs::write(&path, &wrapper).expect("the wrapper");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("its mode");
    }
}
