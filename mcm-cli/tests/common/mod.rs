//! What the tests of `mcm` as a program share.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use testkit::random::Random;
use testkit::wait;

pub(crate) fn mcm(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcm"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    mcm(arguments).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A directory of its own, removed with its contents.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mcm-cli-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An even UDP port that nobody has at present.
pub(crate) fn free_port() -> u16 {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        if port.is_multiple_of(2) {
            return port;
        }
    }
}

/// Waits until a program has bound the UDP port.
pub(crate) fn wait_for_port(child: &mut Child, port: u16) {
    let wanted = format!(":{port:04X} ");
    wait::until(&format!("port {port} is bound"), || {
        assert!(child.try_wait().unwrap().is_none(), "the receiver has ended");
        let table = std::fs::read_to_string("/proc/net/udp").unwrap();
        table.lines().any(|line| {
            line.split_once(": ").is_some_and(|(_, rest)| rest[8..].starts_with(&wanted))
        })
    });
}

pub(crate) fn noise(len: usize) -> Vec<u8> {
    Random::new(1).bytes(len)
}
