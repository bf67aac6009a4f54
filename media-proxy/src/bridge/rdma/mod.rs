//! Bridges to other proxies over libfabric: RDMA where there is hardware for it, TCP anywhere.
//!
//! Frames are sent straight from the slots of the group's ring, and received straight into those of
//! the ring on the other host.

mod address;
mod end;
mod figures;
mod frames;
mod layout;
mod slots;
mod worker;

use super::client::BridgeClient;
use super::engine::{Alarm, Bridge};
use crate::args::Args;
use address::local_address;
use config::{ConnectionConfig, Options, RdmaProvider};
use end::{End, Member};
use fabric::bridge::{BridgeStatus, Egress, Extended, Finished, Ingress, LinkKey, LinkOptions};
use fabric::{Address, Provider};
use mesh::topology::{BridgeSpec, Direction, RdmaLink};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use worker::Job;
pub(crate) use worker::{ARGUMENT, Workers, run};

/// Starts bridges over libfabric.
pub(crate) struct Wires {
    client: Arc<BridgeClient>,
    /// Local address of streams, if configured.
    ip: Option<IpAddr>,
    /// Whether frames over TCP are encrypted: if certificates are configured.
    sealed: bool,
    workers: Workers,
    /// Whether all bridges run in processes of their own, and not only those whose provider may
    /// crash.
    all_apart: bool,
}

/// Set to 1, it has all bridges between hosts run in processes of their own.
const ALL_APART: &str = "MCM_BRIDGE_PROCESSES";

impl Wires {
    pub(crate) fn new(args: &Args, client: Arc<BridgeClient>, workers: Workers) -> Self {
        let all_apart = std::env::var_os(ALL_APART).is_some_and(|value| value == "1");
        Self { client, ip: args.rdma_ip, sealed: args.tls.is_some(), workers, all_apart }
    }

    /// Bridges of a worker, in this process.
    fn for_worker(client: Arc<BridgeClient>, ip: Option<IpAddr>, sealed: bool) -> Self {
        Self { client, ip, sealed, workers: Workers::default(), all_apart: false }
    }

    /// Starts a bridge.
    ///
    /// # Errors
    /// Why it cannot start.
    pub(crate) fn start(
        &self,
        spec: &BridgeSpec,
        link: &RdmaLink,
        alarm: Alarm,
    ) -> Result<Box<dyn Bridge>, String> {
        if !self.all_apart && spec.config.options.rdma.provider != RdmaProvider::Verbs {
            return self.start_here(spec, link, alarm);
        }
        let job = Job {
            socket: self.client.socket().to_owned(),
            spec: spec.clone(),
            link: link.clone(),
            ip: self.ip,
            sealed: self.sealed,
        };
        worker::start(&job, &self.workers, alarm)
    }

    /// Starts a bridge in this process.
    fn start_here(
        &self,
        spec: &BridgeSpec,
        link: &RdmaLink,
        alarm: Alarm,
    ) -> Result<Box<dyn Bridge>, String> {
        fabric::library_version().map_err(|error| error.to_string())?;
        let remote = v4(link.remote_ip)?;
        let local = match self.ip {
            Some(ip) => v4(ip)?,
            None => local_address(remote)?,
        };
        let port = match spec.direction {
            Direction::Egress => 0,
            Direction::Ingress => link.port,
        };
        let options = self.options(spec, link, SocketAddrV4::new(local, port));
        let status =
            BridgeStatus::new(&format!("rdma bridge {} of group {:?}", spec.id, spec.group));
        let end = match spec.direction {
            Direction::Egress => {
                let remote = Address::Inet(SocketAddrV4::new(remote, link.port));
                self.egress(&spec.config, options, remote, status, alarm)
            }
            Direction::Ingress => self.ingress(&spec.config, options, status, alarm),
        }?;
        Ok(Box::new(end))
    }

    fn options(&self, spec: &BridgeSpec, link: &RdmaLink, local: SocketAddrV4) -> LinkOptions {
        let rdma = spec.config.options.rdma;
        let provider = match rdma.provider {
            RdmaProvider::Tcp => Provider::Tcp,
            RdmaProvider::Verbs => Provider::Verbs,
        };
        let sealed = self.sealed && provider == Provider::Tcp;
        let key = link.session_key.as_ref();
        LinkOptions {
            provider,
            local: Address::Inet(local),
            endpoints: usize::from(rdma.num_endpoints),
            layout: layout::of(&spec.config),
            extended: key.map(|key| Extended { key: LinkKey(key.0), sealed }),
        }
    }

    fn egress(
        &self,
        config: &ConnectionConfig,
        link: LinkOptions,
        remote: Address,
        status: BridgeStatus,
        alarm: Alarm,
    ) -> Result<End, String> {
        // It stays when the source closes, and passes the end on: there may be another source, and
        // the control plane ends the bridge.
        let options = Options { delivery: None, wait_for_receivers: 0, ..config.options };
        let config = ConnectionConfig { options, ..config.clone() };
        let follower =
            self.client.follow(&config).map_err(|error| format!("egress bridge: {error}"))?;
        let follower = Arc::new(follower);
        let source = frames::RingFrames::new(Arc::clone(&follower), &config);
        let egress = Egress::new(link.clone(), remote, source, status.clone());
        let mut egress = egress.map_err(|error| error.to_string())?;
        egress.open().map_err(|error| error.to_string())?;
        End::start(Member::Follower(follower), status, &link, alarm, move |stop| {
            egress.run(stop);
            Finished::Stopped
        })
    }

    fn ingress(
        &self,
        config: &ConnectionConfig,
        link: LinkOptions,
        status: BridgeStatus,
        alarm: Alarm,
    ) -> Result<End, String> {
        let options = Options { wait_for_receivers: 0, ..config.options };
        // Each endpoint has slots of its own.
        let least = u16::from(config.options.rdma.num_endpoints) * 2;
        let queue_capacity = config.queue_capacity.max(least);
        let config = ConnectionConfig { options, queue_capacity, ..config.clone() };
        let source =
            self.client.relay(&config).map_err(|error| format!("ingress bridge: {error}"))?;
        let source = Arc::new(source);
        let sink = slots::RingSlots::new(Arc::clone(&source), &config);
        let ingress = Ingress::new(link.clone(), sink, status.clone());
        let mut ingress = ingress.map_err(|error| error.to_string())?;
        ingress.open().map_err(|error| error.to_string())?;
        End::start(Member::Source(source), status, &link, alarm, move |stop| ingress.run(stop))
    }
}

fn v4(ip: IpAddr) -> Result<Ipv4Addr, String> {
    match ip {
        IpAddr::V4(ip) => Ok(ip),
        IpAddr::V6(ip) => Err(format!("streams between proxies use IPv4 addresses, not {ip}")),
    }
}

#[cfg(test)]
mod tests;
