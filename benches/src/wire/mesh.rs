//! A ring on the first host, and bridges to rings on its neighbours.

use super::rings::{RingFrames, RingSlots};
use super::{Arrivals, Cpu, PATIENCE, Round, round};
use crate::crew::new_source;
use crate::error::BenchError;
use crate::hosts::Hosts;
use fabric::bridge::wire_layout::WireLayout;
use fabric::bridge::{
    BridgeStatus, Egress, Extended, Ingress, LinkKey, LinkOptions, LinkState, Stop,
};
use fabric::{Address, FabricError, Provider};
use rustix::event::{EventfdFlags, eventfd};
use shm::{Deadline, Reader, Receiver, Seat, Source};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Frames in each queue.
const CAPACITY: usize = 8;
/// Port on which neighbours receive.
const PORT: u16 = 9100;

/// Bridges to so many neighbours.
#[derive(Debug)]
pub(crate) struct Mesh {
    source: Source,
    arrivals: Vec<Arrivals>,
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
}

fn failed(error: FabricError) -> BenchError {
    BenchError::Receiver(error.to_string())
}

impl Mesh {
    pub(crate) fn start(
        hosts: &Arc<Hosts>,
        neighbours: usize,
        frame: usize,
        sealed: bool,
    ) -> Result<Self, BenchError> {
        let source = new_source(frame, CAPACITY)?;
        let layout = WireLayout { payload_size: frame, metadata_size: 0 };
        let mut mesh =
            Self { source, arrivals: Vec::new(), stop: Stop::new()?, threads: Vec::new() };
        let mut statuses = Vec::new();
        for neighbour in 1..=neighbours {
            let [near, far] = hosts.addresses(neighbour);
            let link = |ip: Ipv4Addr, port| LinkOptions {
                provider: Provider::Tcp,
                local: Address::Inet(SocketAddrV4::new(ip, port)),
                endpoints: 1,
                layout,
                extended: Some(Extended { key: LinkKey([1; 32]), sealed }),
            };
            let at = link(far, PORT + neighbour as u16);
            let arrivals = Arrivals::default();
            let sink = RingSlots {
                source: new_source(frame, CAPACITY)?,
                layout,
                arrivals: arrivals.clone(),
                never: eventfd(0, EventfdFlags::CLOEXEC).map_err(BenchError::system("eventfd"))?,
            };
            let remote = at.local.clone();
            let status = BridgeStatus::new("ingress");
            let ingress = Ingress::new(at, sink, status).map_err(failed)?;
            mesh.spawn(hosts, neighbour, move |stop| {
                ingress.run(stop);
            })?;
            let frames = RingFrames::new(mesh.join(neighbour)?, layout)?;
            let status = BridgeStatus::new("egress");
            let egress = Egress::new(link(near, 0), remote, frames, status.clone());
            let egress = egress.map_err(failed)?;
            mesh.spawn(hosts, 0, move |stop| egress.run(stop))?;
            mesh.arrivals.push(arrivals);
            statuses.push(status);
        }
        let deadline = Instant::now() + PATIENCE;
        while statuses.iter().any(|status| status.link() != LinkState::Up) {
            if Instant::now() > deadline {
                return Err(BenchError::Late { seconds: PATIENCE.as_secs(), what: "links" });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // Slots that were never written are one page of zeros.
        for number in 0..4 * CAPACITY {
            let mut slot = mesh.source.get(Deadline::after(PATIENCE))?;
            slot.payload_mut().fill(number as u8 + 1);
            let put = mesh.source.put(slot, Deadline::after(PATIENCE), || 0);
            put.map_err(|(_, error)| error)?;
        }
        mesh.arrivals.iter().try_for_each(|a| a.wait(4 * CAPACITY).map(drop))?;
        Ok(mesh)
    }

    /// A receiver in the source's ring.
    fn join(&self, number: usize) -> Result<Arc<Receiver>, BenchError> {
        let seat = Seat::new()?;
        let theirs = seat.fd().try_clone_to_owned()?;
        let start = self.source.join(number as u64, theirs, false)?;
        let (pool, board) = (self.source.pool_fd(), self.source.board_fd());
        let pool = pool.try_clone_to_owned()?;
        let reader = Reader::open(&pool, board.try_clone_to_owned()?, seat, start)?;
        let receiver = Receiver::new(None);
        receiver.offer(reader);
        Ok(Arc::new(receiver))
    }

    fn spawn(
        &mut self,
        hosts: &Arc<Hosts>,
        host: usize,
        work: impl FnOnce(&Stop) + Send + 'static,
    ) -> Result<(), BenchError> {
        let name = if host == 0 { Cpu::SENDER } else { Cpu::RECEIVER };
        let (stop, hosts) = (self.stop.clone(), Arc::clone(hosts));
        let run = move || match hosts.enter(host) {
            Ok(()) => work(&stop),
            Err(error) => eprintln!("{error}"),
        };
        self.threads.push(shm::quiet_thread(name, run)?);
        Ok(())
    }

    pub(crate) fn round(
        &self,
        count: usize,
        period: Option<Duration>,
    ) -> Result<Round, BenchError> {
        round(&self.arrivals, count, period, || {
            let slot = self.source.get(Deadline::after(PATIENCE))?;
            let put = self.source.put(slot, Deadline::after(PATIENCE), || 0);
            put.map_err(|(_, error)| error.into())
        })
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        self.stop.stop();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
