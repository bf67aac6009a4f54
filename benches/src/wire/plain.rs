//! Bare TCP, the floor.

use super::rings::Signal;
use super::{Arrivals, Cpu, PATIENCE, Round, round};
use crate::error::BenchError;
use crate::hosts::Hosts;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Buffers at each end, used in turn.
const BUFFERS: usize = 4;

/// Connections to so many neighbours.
#[derive(Debug)]
pub(crate) struct Plain {
    arrivals: Vec<Arrivals>,
    orders: Vec<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Plain {
    pub(crate) fn start(
        hosts: &Arc<Hosts>,
        neighbours: usize,
        frame: usize,
    ) -> Result<Self, BenchError> {
        let buffers: Arc<[Vec<u8>]> = (0..BUFFERS).map(|n| vec![n as u8 + 1; frame]).collect();
        let mut plain = Self { arrivals: Vec::new(), orders: Vec::new(), threads: Vec::new() };
        for neighbour in 1..=neighbours {
            let [_, far] = hosts.addresses(neighbour);
            let arrivals = Arrivals::default();
            plain.arrivals.push(arrivals.clone());
            let address = Arc::new(Mutex::new(None));
            let listening = Signal::default();
            let (told, ready) = (Arc::clone(&address), listening.clone());
            plain.spawn(hosts, neighbour, move || {
                let listener = TcpListener::bind((far, 0))?;
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener.local_addr()?);
                ready.give();
                read(listener.accept()?.0, frame, &arrivals)
            })?;
            let late = BenchError::Late { seconds: PATIENCE.as_secs(), what: "a listener" };
            if !listening.wait(PATIENCE) {
                return Err(late);
            }
            let address = *address.lock().unwrap_or_else(PoisonError::into_inner);
            let address: SocketAddr = address.ok_or(late)?;
            let (order, orders) = channel();
            plain.orders.push(order);
            let buffers = Arc::clone(&buffers);
            plain
                .spawn(hosts, 0, move || write(&TcpStream::connect(address)?, &buffers, &orders))?;
        }
        Ok(plain)
    }

    fn spawn(
        &mut self,
        hosts: &Arc<Hosts>,
        host: usize,
        work: impl FnOnce() -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), BenchError> {
        let name = if host == 0 { Cpu::SENDER } else { Cpu::RECEIVER };
        let hosts = Arc::clone(hosts);
        self.threads.push(shm::quiet_thread(name, move || {
            let done = hosts.enter(host).and_then(|()| Ok(work()?));
            if let Err(error) = done {
                eprintln!("{error}");
            }
        })?);
        Ok(())
    }

    pub(crate) fn round(
        &self,
        count: usize,
        period: Option<Duration>,
    ) -> Result<Round, BenchError> {
        round(&self.arrivals, count, period, || {
            let gone = |_| BenchError::Receiver("a TCP connection has ended".into());
            self.orders.iter().try_for_each(|order| order.send(()).map_err(gone))
        })
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        // Ends the writers, and so the readers.
        self.orders.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn write(mut to: &TcpStream, buffers: &[Vec<u8>], orders: &Receiver<()>) -> std::io::Result<()> {
    to.set_nodelay(true)?;
    for buffer in buffers.iter().cycle() {
        if orders.recv().is_err() {
            break;
        }
        to.write_all(buffer)?;
    }
    Ok(())
}

fn read(mut from: TcpStream, frame: usize, arrivals: &Arrivals) -> std::io::Result<()> {
    let mut buffers = vec![vec![1; frame]; BUFFERS];
    for number in 0.. {
        match from.read_exact(&mut buffers[number % BUFFERS]) {
            Ok(()) => arrivals.now(),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
