//! The command-line tool beside a running media proxy: its output, its actions, its errors, and its
//! use of certificates.

use mcm_tests::certificates::Authority;
use mcm_tests::process::Process;
use mcm_tests::proxy::Proxy;
use mcm_tests::run::Run;
use mcm_tests::{config, program, wait};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn mcm(arguments: &[&str]) -> Output {
    Command::new(program::mcm()).args(arguments).output().expect("mcm runs")
}

#[track_caller]
fn succeeds(arguments: &[&str]) -> String {
    let output = mcm(arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Standard error of a command that fails with status 1.
#[track_caller]
fn fails(arguments: &[&str]) -> String {
    let output = mcm(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn connections_are_shown_and_ended() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let server = format!("127.0.0.1:{}", proxy.grpc_port);
    let info = succeeds(&["info", "-s", &server]);
    let run_dir = run.path().display().to_string();
    for text in [env!("CARGO_PKG_VERSION"), &run_dir, &proxy.pid().to_string(), "groups         0"]
    {
        assert!(info.contains(text), "{text} is missing:\n{info}");
    }
    let client = proxy.client();
    let shape = config::blob("studio 1", 1000).to_string();
    let receiver = client.receiver(&shape).expect("a receiver");
    let list = succeeds(&["list", "-s", &server, "--json", "studio 1"]);
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list["groups"][0]["receivers"][0]["conn_id"], receiver.id().as_str());
    let info: serde_json::Value =
        serde_json::from_str(&succeeds(&["info", "-s", &server, "--json"])).expect("JSON");
    assert_eq!((&info["groups"], &info["connections"]), (&1.into(), &1.into()));

    assert_eq!(succeeds(&["delete", "-s", &server, &receiver.id()]), "");
    let error = receiver.recv(wait::DEADLINE).expect_err("it is over");
    assert!(error.to_string().contains("closed"), "{error}");
    let error = fails(&["delete", "-s", &server, &receiver.id()]);
    assert!(error.contains(&format!("there is no connection \"{}\"", receiver.id())), "{error}");
}

#[test]
fn failures_say_what_to_do() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let server = format!("127.0.0.1:{}", proxy.grpc_port);
    let error = fails(&["list", "-s", &server, "stduio"]);
    assert_eq!(error, "mcm: there is no group \"stduio\"\n");
    // Nothing listens on this port as long as it is only bound.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().unwrap().port();
    let nowhere = format!("127.0.0.1:{port}");
    let error = fails(&["list", "-s", &nowhere]);
    assert!(
        error.contains("Connection refused") && error.contains("is media_proxy running?"),
        "{error}"
    );
    let error = fails(&["graph", "-a", &nowhere]);
    assert!(
        error.contains("Connection refused") && error.contains("is mesh-agent running?"),
        "{error}"
    );
    let programs = format!("127.0.0.1:{}", proxy.sdk_port);
    let error = fails(&["list", "-s", &programs]);
    assert!(error.contains("another port") && error.contains("8001"), "{error}");
    let error = mcm(&["list", "-s", &server, "-a", "localhost"]);
    assert_eq!(error.status.code(), Some(2));
}

#[test]
fn certificates_are_shown_and_checked() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (proxys, own) =
        (authority.files("proxy", "127.0.0.1"), authority.files("mcm", "localhost"));
    let run = Run::new();
    let mut command = Command::new(program::media_proxy());
    command.arg("--tls-cert").arg(&proxys.cert).arg("--tls-key").arg(&proxys.key);
    command.arg("--tls-ca").arg(authority.ca());
    let proxy = Proxy::start_by(command, &run);
    let server = format!("127.0.0.1:{}", proxy.grpc_port);
    let text = |path: &Path| path.to_str().expect("text").to_owned();
    let with = |authority: &Authority| {
        let files = [text(&own.cert), text(&own.key), text(&authority.ca())];
        ["--tls-cert", "--tls-key", "--tls-ca"].map(str::to_owned).into_iter().zip(files)
    };
    let arguments = |command: &str, authority: &Authority| -> Vec<String> {
        let start = [command, "-s", &server].map(str::to_owned).into_iter();
        start.chain(with(authority).flat_map(|(option, file)| [option, file])).collect()
    };
    for command in ["info", "list", "graph"] {
        let arguments = arguments(command, &authority);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        assert!(!succeeds(&arguments).is_empty(), "{command}");
    }
    // A server whose certificate another authority has signed is not believed.
    let arguments = arguments("info", &other);
    let error = fails(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(error.contains("TLS: invalid peer certificate"), "{error}");
}

#[test]
fn expired_certificates_are_named_at_the_start() {
    let authority = Authority::new();
    let own = authority.files_until("own", "127.0.0.1", 2020);
    let tls = |command: &mut Command| {
        command.arg("--tls-cert").arg(&own.cert).arg("--tls-key").arg(&own.key);
        command.arg("--tls-ca").arg(authority.ca());
    };
    let named = format!(
        "--tls-cert {}: valid not after 2020-01-01 00:00:00 UTC, and it is ",
        own.cert.display()
    );
    let run = Run::new();
    let mut command = Command::new(program::media_proxy());
    tls(&mut command);
    // It starts: programs of its host need no certificate.
    let proxy = Proxy::start_by(command, &run);
    let told = proxy.process().output();
    assert!(told.contains(&named), "{told}");
    let _client = proxy.client();

    let mut command = Command::new(program::mesh_agent());
    command.args(["-p", "0", "-c", "0"]);
    tls(&mut command);
    let agent = Process::start("mesh-agent", command, |_| false);
    wait::until("mesh-agent names it", || agent.output().contains(&named));

    let mut command = Command::new(program::mcm());
    command.args(["info", "-s", &format!("127.0.0.1:{}", proxy.grpc_port)]);
    tls(&mut command);
    let output = command.output().expect("mcm runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains(&named), "{told}");
}
