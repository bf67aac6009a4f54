//! A proxy that is stopped, killed or restarted: frames flow on, and the proxy recovers its
//! connections.

use mcm_tests::proxy::Proxy;
use mcm_tests::role::{Report, Role, Spec};
use mcm_tests::run::Run;
use mcm_tests::{config, wait};
use rustix::process::Signal;

/// Patience with a proxy that is away for a while, in milliseconds.
const PATIENCE: u64 = 60_000;

/// A source and two receivers.
struct Stream {
    run: Run,
    proxy: Proxy,
    source: Role,
    receivers: Vec<Role>,
}

impl Stream {
    fn new() -> Self {
        let run = Run::new();
        let proxy = Proxy::start(&run);
        let source = source(&run, 1).ready();
        let receivers = (0..2).map(|_| receiver(&run).ready()).collect();
        let mut stream = Self { run, proxy, source, receivers };
        stream.flows();
        stream
    }

    /// Frames arrive at every receiver.
    #[track_caller]
    fn flows(&mut self) {
        for receiver in &mut self.receivers {
            receiver.progress(100);
        }
    }

    /// The connections that the proxy lists, by identifier.
    fn listed(&self) -> Vec<String> {
        let group = self.proxy.control().group("stream").expect("the group");
        let members = group.source.into_iter().chain(group.receivers);
        let mut ids: Vec<_> = members.map(|member| member.conn_id).collect();
        ids.sort();
        ids
    }

    /// Ends all roles, and checks that no receiver has missed a frame.
    fn end(self) {
        for receiver in self.receivers {
            whole(&receiver.end());
        }
        assert_eq!(self.source.end().error, 0);
    }
}

fn source(run: &Run, id: u64) -> Role {
    let config = (config::client(&run.socket()), config::blob("stream", 2000));
    Role::start(&Spec::source(config.0, config.1, id).pause(1000).patience(PATIENCE))
}

fn receiver(run: &Run) -> Role {
    let config = (config::client(&run.socket()), config::blob("stream", 2000));
    Role::start(&Spec::receiver(config.0, config.1).patience(PATIENCE))
}

#[track_caller]
fn whole(report: &Report) {
    assert_eq!(report.error, 0, "{report:?}");
    assert_eq!((report.missed, report.told_missed), (0, 0), "{report:?}");
}

#[test]
fn frames_flow_past_a_proxy_that_stands_still() {
    let mut stream = Stream::new();
    stream.proxy.process().stop();
    for _ in 0..5 {
        stream.flows();
    }
    // A client that comes meanwhile has to wait, but is served once the proxy goes on.
    let newcomer = receiver(&stream.run);
    stream.flows();
    assert!(!newcomer.report().created);
    stream.proxy.process().go_on();
    stream.receivers.push(newcomer.ready());
    stream.flows();
    stream.end();
}

fn flows_across_a_restart(signal: Signal) {
    let mut stream = Stream::new();
    let before = stream.listed();
    assert_eq!(before.len(), 3);
    for _ in 0..3 {
        let status = stream.proxy.end(signal);
        assert_eq!(status.success(), signal == Signal::TERM, "{status}");
        stream.flows();
        stream.proxy.start_again();
        let mut control = stream.proxy.control();
        wait::until("the new proxy lists everybody", || control.is_complete("stream", 2));
        assert_eq!(stream.listed(), before);
        stream.flows();
    }
    stream.receivers.push(receiver(&stream.run).ready());
    stream.flows();
    let mut control = stream.proxy.control();
    assert!(control.is_complete("stream", 3));
    // Those who leave are forgotten by the proxy that never saw them come.
    let leaver = stream.receivers.remove(0);
    whole(&leaver.end());
    wait::until("the leaver is gone", || control.is_complete("stream", 2));
    stream.flows();
    stream.end();
}

#[test]
fn frames_flow_across_sigkill_and_a_new_proxy() {
    flows_across_a_restart(Signal::KILL);
}

#[test]
fn frames_flow_across_sigterm_and_a_new_proxy() {
    flows_across_a_restart(Signal::TERM);
}

#[test]
fn a_source_that_dies_while_the_proxy_is_away_is_replaced() {
    let mut stream = Stream::new();
    stream.proxy.end(Signal::KILL);
    stream.source.process_mut().kill();
    let successor = source(&stream.run, 2);
    stream.proxy.start_again();
    stream.source = successor.ready();
    for receiver in &mut stream.receivers {
        receiver.until("a frame of the new source", |report| report.source == 2);
    }
    stream.flows();
    stream.end();
}

#[test]
fn a_source_that_is_replaced_under_a_proxy_is_read_from_its_first_frame() {
    let mut stream = Stream::new();
    for id in 2..6 {
        if id % 2 == 0 {
            stream.source.process_mut().kill();
            stream.source = source(&stream.run, id);
        } else {
            let old = std::mem::replace(&mut stream.source, source(&stream.run, id));
            // It may have come before the old one has left, and is refused then; patience helps.
            assert_eq!(old.end().error, 0);
        }
        for receiver in &mut stream.receivers {
            let report = receiver.until("a frame of the new source", |report| report.source == id);
            assert_eq!(report.first, Some(0), "{report:?}");
        }
    }
    stream.end();
}

#[test]
fn a_receiver_that_dies_while_the_proxy_is_away_holds_nothing_up() {
    let mut stream = Stream::new();
    stream.proxy.end(Signal::KILL);
    stream.receivers[0].process_mut().kill();
    stream.receivers.remove(0);
    stream.flows();
    stream.proxy.start_again();
    let mut control = stream.proxy.control();
    wait::until("only the living are listed", || control.is_complete("stream", 1));
    stream.flows();
    stream.end();
}

#[test]
fn the_socket_stays_for_clients_and_goes_without() {
    let run = Run::new();
    let mut proxy = Proxy::start(&run);
    let client = proxy.client();
    let config = config::blob("stream", 10).to_string();
    let kept = client.receiver(&config).unwrap();
    assert!(proxy.end(Signal::TERM).success());
    assert!(run.socket().exists());
    proxy.start_again();
    let mut control = proxy.control();
    wait::until("the client is back", || control.info().connections == 1);
    drop(kept);
    drop(client);
    wait::until("the client is gone", || control.info().clients == 0);
    drop(control);
    assert!(proxy.end(Signal::TERM).success());
    assert!(!run.socket().exists());
}
