//! The program `mesh-agent`: options, start and end.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_mesh-agent"))
}

#[test]
fn help_version_and_mistakes() {
    let help = program().arg("-h").output().unwrap();
    assert!(help.status.success());
    assert!(String::from_utf8(help.stdout).unwrap().contains("--store"));
    let version = program().arg("-V").output().unwrap();
    assert!(String::from_utf8(version.stdout).unwrap().starts_with("mesh-agent "));
    let wrong = program().arg("--nothing").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("--help"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let failed = program().args(["--listen=127.0.0.1", "-c", "0", "-p", &port]).output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8(failed.stderr).unwrap().contains("--proxy 127.0.0.1"));
}

#[test]
fn it_serves_until_it_is_told_to_end() {
    let mut child = program()
        // As the original's agent is started in its documents.
        .args(["-v", "--listen=127.0.0.1", "-p", "0", "-c", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut rest = None;
    for line in lines.map(Result::unwrap) {
        if let Some(address) = line.strip_prefix("INFO: listening on ")
            && let Some(address) = address.strip_suffix(" for REST")
        {
            rest = Some(address.parse().unwrap());
            break;
        }
    }
    let (status, body) = common::request(rest.expect("the address in the log"), "GET", "/health");
    assert_eq!((status, &body["healthy"]), (200, &true.into()));
    let pid = child.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}
