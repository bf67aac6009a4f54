//! A forked child takes no part in its parent's connections and leaves them alone. This program has
//! one test, so that the fork happens at a known state.

use mcm::{Client, Connection, Direction, Timeout};
use mcm_tests::config;
use mcm_tests::proxy::Proxy;
use mcm_tests::run::Run;
use std::sync::Arc;
use std::time::Duration;

fn put(source: &Connection) {
    let buffer = source.get(Timeout::Default).unwrap();
    Connection::put(buffer, Timeout::Default).map_err(|(_, error)| error).unwrap();
}

/// The child's checks; the number of the first that fails, or 0.
fn child(
    client: &Arc<Client>,
    source: Arc<Connection>,
    receiver: Arc<Connection>,
    config: &str,
) -> i32 {
    let now = Timeout::After(Duration::ZERO);
    let refused = |error: Option<mcm::Error>| error.is_some_and(|e| e.code() == 1015);
    let tries = [
        refused(source.get(now).err()),
        refused(receiver.get(Timeout::Infinite).err()),
        refused(client.connect(Direction::Receive, config).err()),
        refused(source.event_fd().err()),
    ];
    if let Some(wrong) = tries.iter().position(|refused| !refused) {
        return 1 + wrong as i32;
    }
    source.shutdown();
    receiver.cancel();
    drop((source, receiver));
    if client.close().is_err() {
        return 5;
    }
    0
}

#[test]
fn a_child_is_refused_and_disturbs_nobody() {
    let run = Run::new();
    let proxy = Proxy::start(&run);
    let client = proxy.client();
    let config = config::blob("fork", 100).to_string();
    let receiver = client.connect(Direction::Receive, &config).unwrap();
    let source = client.connect(Direction::Send, &config).unwrap();
    put(&source);
    let held = receiver.get(Timeout::Default).unwrap();
    for _ in 0..5 {
        let copies = (Arc::clone(&source), Arc::clone(&receiver));
        // SAFETY: the child calls the library, which is what this is about, and allocates, which the C library allows after a
        // fork; it ends without running anything of the test framework.
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
        let info = receiver.get(Timeout::Default).unwrap().info();
        assert_eq!((info.sequence, info.missed), (expected, 0));
    }
    assert!(proxy.control().is_complete("fork", 1));
}
