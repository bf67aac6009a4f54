//! Receivers join the session's sources, and leave them.

use super::Session;
use crate::entry::Entry;
use crate::peer::{Peer, SourcePeer};
use proto::exchange::{Join, Part};
use std::os::fd::OwnedFd;
use std::sync::Arc;

impl Session {
    /// Puts a receiver into the ring of one of the sources, and answers the proxy.
    ///
    /// The ring wakes a program that waits for this receiver, and the program may put all that it
    /// has and close before the session's thread goes on. The proxy drops a source at its goodbye,
    /// and gives its ring only to receivers whose join was answered before. So the state stays
    /// locked from the join to the answer: a goodbye waits for the same lock.
    pub(crate) fn join(&self, socket: &Arc<OwnedFd>, join: Join, seat: OwnedFd, process: OwnedFd) {
        let state = self.state.lock();
        let Some(entry) = state.entries.get(&join.key) else { return };
        if let Some(peer) = source(entry) {
            self.transmit(socket, peer.join(join, seat, process));
        }
    }

    /// The proxy says that a receiver of one of the sources is gone.
    pub(crate) fn part(&self, part: &Part) {
        let entry = self.entry(part.key);
        if let Some(peer) = entry.as_deref().and_then(source) {
            peer.part(part);
        }
    }
}

fn source(entry: &Entry) -> Option<&SourcePeer> {
    match &entry.peer {
        Peer::Source(peer) => Some(peer),
        Peer::Receiver(_) => {
            log::error!("the media proxy takes connection {} for a source", entry.key());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Client, Timeout};
    use proto::datagram::{MAX_LEN, decode_from_client};
    use proto::exchange::from_client::Body;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use rustix::process::{PidfdFlags, getpid, pidfd_open, setpriority_process};
    use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity};

    const CONFIG: &str = r#"{
        "connection": {"multipointGroup": {"urn": "few"}},
        "payload": {"blob": {}},
        "maxPayloadSize": 64,
        "options": {"waitForReceivers": 1}
    }"#;

    /// Keeps this thread, and those that it starts from now on, on one CPU.
    fn stay_on_one_cpu() {
        let allowed = sched_getaffinity(None).unwrap();
        let first = (0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu)).unwrap();
        let mut one = CpuSet::new();
        one.set(first);
        sched_setaffinity(None, &one).unwrap();
    }

    /// The next message that the session sends on the socket.
    fn next(proxy: &OwnedFd) -> Body {
        loop {
            let mut buffer = vec![0; MAX_LEN];
            match proto::socket::try_recv::<std::os::fd::OwnedFd>(proxy, &mut buffer) {
                Ok((len, fds)) => return decode_from_client(&buffer[..len], fds.len()).unwrap(),
                Err(error) => assert!(error.would_block(), "{error}"),
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// The program runs as soon as the receiver sits in the ring: the thread that lets the receiver
    /// in shares its CPU, and has the least weight.
    #[test]
    fn a_join_is_answered_before_the_goodbye_of_a_source_that_leaves_at_once() {
        stay_on_one_cpu();
        let client = Client::builder().build().unwrap();
        let session = client.session();
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, proxy) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let ours = Arc::new(ours);
        session.link_up(&ours);
        for _ in 0..20 {
            let program = {
                let client = client.clone();
                std::thread::spawn(move || {
                    let source = client.source(CONFIG).unwrap();
                    let frame = source.frame(Timeout::Infinite).unwrap();
                    frame.publish_within(Timeout::Infinite).unwrap();
                    source.shutdown();
                })
            };
            let Body::Announce(announce) = next(&proxy) else { panic!("no announcement") };
            let key = announce.key;
            session.created(&session.entry(key).unwrap(), "source".into());
            // The program blocks in its get meanwhile.
            std::thread::sleep(std::time::Duration::from_millis(5));
            let control = {
                let (session, ours) = (Arc::clone(session), Arc::clone(&ours));
                std::thread::spawn(move || {
                    setpriority_process(Some(gettid()), 19).unwrap();
                    let seat = shm::Seat::new().unwrap().fd().try_clone_to_owned().unwrap();
                    let process = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
                    let join = Join { key, seat: 1, receiver: "receiver".into(), live: false };
                    session.join(&ours, join, seat, process);
                })
            };
            let (first, second) = (next(&proxy), next(&proxy));
            program.join().unwrap();
            control.join().unwrap();
            let in_order = matches!((&first, &second), (Body::Joined(_), Body::Goodbye(_)));
            assert!(in_order, "{first:?}, then {second:?}");
        }
    }
}
