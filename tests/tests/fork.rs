//! A forked child takes no part in its parent's connections and leaves them alone. This program has
//! one test, so that the fork happens at a known state.

use mcm::{Client, Receiver, Source, Timeout};
use mcm_tests::config;
use mcm_tests::proxy::Proxy;
use mcm_tests::run::Run;
use std::sync::Arc;
use std::time::Duration;

fn put(source: &Source) {
    let buffer = source.frame(Timeout::Default).unwrap();
    buffer.publish().unwrap();
}

/// The child's checks; the number of the first that fails, or 0.
fn child(client: &Client, source: Arc<Source>, receiver: Arc<Receiver>, config: &str) -> i32 {
    let now = Duration::ZERO;
    let refused = |code: Option<i32>| code == Some(1015);
    let tries = [
        refused(source.frame(now).err().map(|error| error.code())),
        refused(receiver.recv(Timeout::Infinite).err().map(|error| error.code())),
        refused(client.receiver(config).err().map(|error| error.code())),
        refused(source.event_fd().err().map(|error| error.code())),
    ];
    if let Some(wrong) = tries.iter().position(|refused| !refused) {
        return 1 + wrong as i32;
    }
    source.shutdown();
    receiver.cancel();
    drop((source, receiver));
    if client.connections() == 0 { 0 } else { 5 }
}

#[test]
fn a_child_is_refused_and_disturbs_nobody() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let client = proxy.client();
    let config = config::blob("fork", 100).to_string();
    let receiver = Arc::new(client.receiver(&config).unwrap());
    let source = Arc::new(client.source(&config).unwrap());
    put(&source);
    let held = receiver.recv(Timeout::Default).unwrap().unwrap();
    for _ in 0..5 {
        let copies = (Arc::clone(&source), Arc::clone(&receiver));
        // SAFETY: the child calls the library, which is what this is about, and allocates, which
        // the C library allows after a fork; it ends without running anything of the test
        // framework.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            let result = child(&client, copies.0, copies.1, &config);
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(result) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        assert_eq!((waited, status), (pid, 0), "the child says {}", libc::WEXITSTATUS(status));
        put(&source);
    }
    assert_eq!(held.info().sequence, 0);
    for expected in 1..=5 {
        let info = receiver.recv(Timeout::Default).unwrap().unwrap().info();
        assert_eq!((info.sequence, info.missed), (expected, 0));
    }
    assert!(proxy.control().is_complete("fork", 1));
}
