//! A reference stream that other programs must not disturb.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part")]

use mcm_tests::proxy::Proxy;
use mcm_tests::role::{Role, Spec};
use mcm_tests::run::Run;
use mcm_tests::{config, resources, wait};
use proto::Kind;
use serde_json::json;

/// More than the proxy's anonymous memory may grow by, whatever happens, in KiB.
const BOUND_KIB: u64 = 64 * 1024;

/// A proxy, a source and a receiver, each in a process of its own, and frames that flow.
pub struct Stream {
    pub run: Run,
    pub proxy: Proxy,
    source: Role,
    receiver: Role,
    memory_kib: u64,
}

/// A busy machine may keep the receiver from running for a while; that is not what these tests are
/// about.
fn blob() -> serde_json::Value {
    let patient = json!({ "options": { "stallTimeoutMilliseconds": 60_000 } });
    config::with(config::blob("stream", 1000), patient)
}

impl Stream {
    pub fn new() -> Self {
        let run = Run::new();
        let proxy = Proxy::start(&run);
        let client = config::client(&run.socket());
        let receiver = Role::start(&Spec::receiver(client.clone(), blob())).ready();
        let source = Role::start(&Spec::source(client, blob(), 1).pause(1000)).ready();
        let memory_kib = resources::anonymous_kib(proxy.pid());
        let mut stream = Self { run, proxy, source, receiver, memory_kib };
        stream.flows();
        stream
    }

    /// The configuration of the stream's group, for the wire.
    pub fn config(&self, kind: Kind) -> proto::sdk::ConnectionConfig {
        let config = ::config::ConnectionConfig::from_json(&blob().to_string(), kind).unwrap();
        config.to_sdk_of(kind)
    }

    /// Frames arrive.
    #[track_caller]
    pub fn flows(&mut self) {
        self.receiver.progress(50);
    }

    /// The proxy's memory has not grown out of bounds.
    #[track_caller]
    pub fn memory_is_bounded(&self) {
        let now = resources::anonymous_kib(self.proxy.pid());
        assert!(now < self.memory_kib + BOUND_KIB, "{} KiB have become {now} KiB", self.memory_kib);
    }

    /// Checks that the stream has lost no frame, that the proxy is the same and answers, and that
    /// only the stream's connections are left.
    #[track_caller]
    pub fn unharmed(mut self) {
        self.flows();
        self.memory_is_bounded();
        let mut control = self.proxy.control();
        wait::until("the proxy lists the stream alone", || {
            control.is_complete("stream", 1) && control.try_groups().is_ok_and(|all| all.len() == 1)
        });
        let report = self.receiver.end();
        assert_eq!((report.missed, report.error), (0, 0), "{report:?}");
        assert_eq!(self.source.end().error, 0);
        assert!(!self.proxy.process_mut().has_ended(), "the proxy has ended");
    }
}
