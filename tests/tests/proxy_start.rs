//! Start of `media_proxy`: its first lines, defaults that give way, signals, the log.
//!
//! The defaults are ports and a directory of the whole host, so each test has a network and a /run
//! of its own.

use mcm_tests::program;
use mcm_tests::run::Run;
use std::process::Command;

/// Functions for the scripts: `start NAME ARGUMENTS` starts a proxy and waits until it serves or
/// has ended, `tell NAME` prints its lines.
const PRELUDE: &str = r#"
set -u
mount -t tmpfs none /run && ip link set lo up || exit 1
start() {
    local name=$1 i
    shift
    "$proxy" "$@" >"$dir/$name" 2>&1 &
    pid=$!
    for ((i = 0; i < 400; i++)); do
        ! grep -q 'run directory' "$dir/$name" || return 0
        kill -0 $pid 2>/dev/null || return 0
        sleep 0.05
    done
    echo "$name does not start"
}
tell() { cat "$dir/$1"; }
"#;

/// Output of a script; `None` where there are no namespaces, which in continuous integration is a
/// failure.
fn script(body: &str) -> Option<String> {
    let run = Run::new();
    let able = Command::new("unshare").args(["-Urmn", "true"]).output();
    if !able.as_ref().is_ok_and(|output| output.status.success()) {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{able:?}");
        eprintln!("SKIPPED, since there are no namespaces here: {able:?}");
        return None;
    }
    let text = format!(
        "proxy={}; dir={}\n{PRELUDE}\n{body}\nkill -9 $(jobs -p) 2>/dev/null\nexit 0",
        program::media_proxy().display(),
        run.outside().display()
    );
    let mut command = Command::new("unshare");
    command.args(["-Urmn", "bash", "-c", &text]);
    for variable in ["MCM_RUN_DIR", "MCM_LOG", "MCM_LOG_FORMAT", "XDG_RUNTIME_DIR"] {
        command.env_remove(variable);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    Some(text)
}

#[test]
fn the_first_lines_say_where_it_is() {
    let Some(text) = script("start a; tell a") else { return };
    let lines: Vec<_> = text.lines().take(3).collect();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        lines,
        [
            "INFO: TCP Server listening on 0.0.0.0:8002",
            "INFO: gRPC Server listening on 0.0.0.0:8001",
            &format!("INFO: media_proxy {version}, run directory /run/mcm"),
        ]
    );
}

#[test]
fn a_port_that_is_only_a_default_gives_way() {
    let Some(text) = script("start a -t 8001; tell a") else { return };
    for line in [
        "INFO: TCP Server listening on 0.0.0.0:8001",
        "INFO: gRPC Server listening on 0.0.0.0:8004",
        "WARN: port 8001 is taken, so the gRPC services for people and tools are at 8004: mcm list -s 127.0.0.1:8004",
    ] {
        assert!(text.contains(line), "{line} is missing:\n{text}");
    }
}

#[test]
fn a_second_proxy_has_ports_and_a_directory_of_its_own() {
    let Some(text) = script("start a -t 8002; start b -t 8003; tell b; ls /run/mcm-8003") else {
        return;
    };
    for part in [
        "TCP Server listening on 0.0.0.0:8003",
        "gRPC Server listening on 0.0.0.0:8004",
        "run directory /run/mcm is that of another media_proxy (pid ",
        "so this one has /run/mcm-8003: programs find it by \"Server=127.0.0.1; Port=8003\" or MCM_RUN_DIR=/run/mcm-8003",
        "media_proxy.sock",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

#[test]
fn what_was_asked_for_is_had_or_refused_with_all_that_is_needed() {
    let body = r#"
        start a
        start twice; wait $pid; echo "twice: $?"; tell twice
        start grpc -t 0 -g 8001; wait $pid; echo "grpc: $?"; tell grpc
        start dir -t 0 --run-dir /run/mcm; wait $pid; echo "dir: $?"; tell dir"#;
    let Some(text) = script(body) else { return };
    for part in [
        "twice: 1",
        "--tcp 0.0.0.0:8002: Address already in use (os error 98), by media_proxy (pid ",
        "needs a port of its own: -t PORT. Its gRPC port and run directory then follow by themselves, or are chosen with -g PORT and --run-dir PATH",
        "grpc: 1",
        "--grpc 0.0.0.0:8001: Address already in use",
        "dir: 1",
        "run directory /run/mcm: another media_proxy",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    // Both outputs go to one place: the reason stands there once.
    assert_eq!(text.matches("--tcp 0.0.0.0:8002: Address").count(), 1, "{text}");
}

#[test]
fn only_sigterm_and_sigint_end_it() {
    let body = r#"
        start a
        for signal in HUP USR1 USR2; do
            kill -$signal $pid
            for ((i = 0; i < 400; i++)); do
                ! grep -q "SIG$signal has no effect" "$dir/a" || break
                sleep 0.05
            done
        done
        tell a; kill -TERM $pid; wait $pid; echo "status $?""#;
    let Some(text) = script(body) else { return };
    for part in
        ["SIGHUP has no effect", "SIGUSR1 has no effect", "SIGUSR2 has no effect", "status 0"]
    {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

#[test]
fn the_log_survives_a_slip_and_has_times_if_asked() {
    let body = r#"
        MCM_LOG=inof start slip; tell slip; kill -9 $pid; wait $pid
        MCM_LOG_FORMAT=json start json; sed 's/^/json: /' "$dir/json"; kill -9 $pid; wait $pid
        start time --log-format=time; sed 's/^/time: /' "$dir/time""#;
    let Some(text) = script(body) else { return };
    assert!(text.contains("WARN: MCM_LOG: found \"inof\", ignored"), "{text}");
    assert!(text.contains("\nINFO: TCP Server listening on 0.0.0.0:8002"), "{text}");
    let lines = |name| text.lines().filter_map(move |line| line.strip_prefix(name));
    let first: serde_json::Value = serde_json::from_str(lines("json: ").next().unwrap()).unwrap();
    assert_eq!(first["message"], "TCP Server listening on 0.0.0.0:8002", "{text}");
    assert!(first["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{text}");
    let first = lines("time: ").next().unwrap();
    assert!(first.contains("Z INFO: TCP Server listening"), "{text}");
}

#[test]
fn the_socket_belongs_to_the_group_that_was_asked_for() {
    // In a namespace of a single user there is one group.
    let body = r#"start a --group 0; stat -c '%g %a' /run/mcm /run/mcm/media_proxy.sock
        start b -t 0 --group 'no such'; wait $pid; echo "status $?"; tell b"#;
    let Some(text) = script(body) else { return };
    assert!(text.contains("0 2770\n0 660\n"), "{text}");
    assert!(
        text.contains("status 2") && text.contains("invalid value 'no such' for '--group <GROUP>'"),
        "{text}"
    );
}
