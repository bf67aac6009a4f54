//! The program `media_proxy`: command line, log and signals.

mod common;

use common::{DEADLINE, Proxy};
use rustix::process::Signal;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_media_proxy")).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn help_version_and_mistakes() {
    let (code, out, _) = run(&["-h"]);
    assert_eq!(code, Some(0));
    assert!(
        out.contains("Usage: media_proxy [OPTIONS]") && out.contains("-t, --tcp <PORT>"),
        "{out}"
    );
    let (code, out, _) = run(&["--version"]);
    assert_eq!((code, out), (Some(0), format!("media_proxy {}\n", env!("CARGO_PKG_VERSION"))));
    let (code, out, err) = run(&["--tcp=many"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(
        err.starts_with("error: invalid value 'many' for '--tcp <PORT>': accepted is"),
        "{err}"
    );
}

#[test]
fn service_manager_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let notify = UnixDatagram::bind(&path).unwrap();
    notify.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut child = Proxy::command(&dir.path().join("run"))
        .env("NOTIFY_SOCKET", &path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut buffer = [0; 64];
    let mut next = || {
        let len = notify.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    };
    assert_eq!(next(), "READY=1");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(next(), "STOPPING=1");
    assert!(child.wait().unwrap().success());
}

/// A log that cannot grow, here by the limit of a file's size, costs lines and not the daemon.
#[test]
fn it_lives_on_when_its_log_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let notify = UnixDatagram::bind(&path).unwrap();
    notify.set_read_timeout(Some(DEADLINE)).unwrap();
    let proxy = Proxy::command(&dir.path().join("run"));
    // One block is 512 or 1024 bytes, as the shell has it.
    let log = dir.path().join("log");
    std::fs::write(&log, [b'\n'; 1024]).unwrap();
    let full = std::fs::File::options().append(true).open(&log).unwrap();
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""])
        .arg(proxy.get_program())
        .args(proxy.get_args())
        .env("NOTIFY_SOCKET", &path)
        .stderr(full.try_clone().unwrap())
        .stdout(full)
        .spawn()
        .unwrap();
    let mut buffer = [0; 64];
    let len = notify.recv(&mut buffer).expect("it serves");
    assert_eq!(&buffer[..len], b"READY=1");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_way_to_other_hosts_is_told() {
    let dir = tempfile::tempdir().unwrap();
    // A port without a listener.
    let args = ["-a", "127.0.0.1:1", "-r", "10.0.0.1", "-p", "9100-9199,9300"];
    let mut proxy = Proxy::start_with(dir.path(), &args);
    proxy.wait_log(
        "mesh agent 127.0.0.1:1; streams from other hosts arrive at 10.0.0.1, ports 9100-9199,9300",
    );
    proxy.wait_log("the mesh agent cannot be reached: what runs goes on");
}
