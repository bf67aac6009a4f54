//! The examples of the Rust client run as they stand, against a real proxy.

use mcm_tests::process::Process;
use mcm_tests::program;
use mcm_tests::proxy::Proxy;
use mcm_tests::run::Run;
use std::process::Command;

const FRAMES: u64 = 20;

fn example(run: &Run, name: &str, arguments: &[&str]) -> Process {
    let mut command = Command::new(program::example(name));
    command.args(arguments).env("MCM_RUN_DIR", run.path());
    Process::start(name, command, |_| false)
}

fn succeeds(mut process: Process) -> String {
    let status = process.wait();
    let output = process.output();
    assert!(status.success(), "{status}: {output}");
    output
}

#[test]
fn a_stream_is_sent_copied_and_received() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let receiver = example(&run, "receive", &["copy"]);
    let bridge = example(&run, "bridge", &["picture", "copy"]);
    let source = example(&run, "send", &["picture", &FRAMES.to_string()]);
    let sent = succeeds(source);
    assert!(sent.contains(&format!("sent {FRAMES} frames")), "{sent}");
    assert!(succeeds(bridge).contains(&format!("copied {FRAMES} frames")));
    let received = succeeds(receiver);
    for number in 0..FRAMES {
        let frame = format!("frame {number}: 230400 bytes, \"picture {number}\"");
        assert!(received.contains(&frame), "{frame} in {received}");
    }
    assert!(received.contains(&format!("received {FRAMES} frames, missed 0")), "{received}");
    drop(proxy);
}

#[test]
fn without_a_proxy_an_example_says_where_it_looked() {
    let run = Run::new();
    let mut receiver = example(&run, "receive", &["nothing"]);
    assert!(!receiver.wait().success());
    let output = receiver.output();
    assert!(output.contains(run.path().to_str().unwrap()), "{output}");
}
