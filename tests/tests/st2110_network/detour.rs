//! A long delay on one of two paths.

use crate::{PORT, prefer_this_thread};
use mcm_tests::pair::Pair;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A host between the two on the second network, which passes packets on after a while.
pub(crate) struct Detour {
    stop: Arc<AtomicBool>,
    pub(crate) passed: Arc<AtomicU64>,
    /// The most that a packet left later than it should, in microseconds.
    late_us: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Detour {
    /// Passes packets on after `delay`.
    pub(crate) fn start(pair: &Pair, delay: Duration) -> Self {
        let socket = pair.net.on(3, || {
            let socket = UdpSocket::bind(("10.78.0.3", PORT)).expect("a port");
            rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 8 << 20)
                .expect("a large buffer, as these tests are root");
            socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
            socket
        });
        let stop = Arc::new(AtomicBool::new(false));
        let passed = Arc::new(AtomicU64::new(0));
        let (sender, receiver) = std::sync::mpsc::channel::<(Instant, Vec<u8>)>();
        let out = socket.try_clone().expect("a second handle");
        let late_us = Arc::new(AtomicU64::new(0));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&passed));
        let late = Arc::clone(&late_us);
        let input = std::thread::spawn(move || {
            prefer_this_thread();
            let mut datagram = [0; 2048];
            while !stopped.load(Relaxed) {
                if let Ok(len) = socket.recv(&mut datagram) {
                    let _ = sender.send((Instant::now() + delay, datagram[..len].to_vec()));
                }
            }
        });
        let output = std::thread::spawn(move || {
            prefer_this_thread();
            for (due, datagram) in receiver {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                late.fetch_max(due.elapsed().as_micros() as u64, Relaxed);
                out.send_to(&datagram, ("10.78.0.2", PORT)).expect("a way to host 2");
                count.fetch_add(1, Relaxed);
            }
        });
        Self { stop, passed, late_us, threads: vec![input, output] }
    }

    /// Counts anew.
    pub(crate) fn forget(&self) {
        self.passed.store(0, Relaxed);
        self.late_us.store(0, Relaxed);
    }

    /// The most that a packet left later than it should.
    pub(crate) fn late(&self) -> Duration {
        Duration::from_micros(self.late_us.load(Relaxed))
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
