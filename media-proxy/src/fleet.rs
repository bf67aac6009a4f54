//! This proxy's control plane: embedded, or that of a fleet.

use crate::args::Args;
use crate::error::ProxyError;
use crate::observe::control::Identity;
use crate::run::{DEFAULT_DEVICE, DEFAULT_ST2110_IP};
use log::{info, warn};
use mesh::plane::remote::Agents;
use mesh::plane::{AgentAddress, ControlPlane, Embedded, Listener, Remote};
use mesh::topology::{Proxy, RdmaDevice, St2110Device};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::time::SystemTime;

/// Starts the control plane that the command line asks for.
///
/// # Errors
/// Credentials that cannot be used, or no thread to be had.
pub(crate) fn plane(
    args: &Args,
    identity: &Identity,
    listener: Arc<dyn Listener>,
) -> Result<Arc<dyn ControlPlane>, ProxyError> {
    let proxy = describe(args, identity);
    if args.agents.is_empty() {
        return Ok(Arc::new(Embedded::new(proxy, listener)));
    }
    let names: Vec<_> = args.agents.iter().map(ToString::to_string).collect();
    match &proxy.rdma {
        Some(RdmaDevice { dataplane_ip, ports }) => info!(
            "mesh agent {}; streams from other hosts arrive at {dataplane_ip}, ports {ports}",
            names.join(", ")
        ),
        None => match unresolved(&args.agents) {
            Some(why) => warn!(
                "{why}; without an agent's address there is none for streams from and to other hosts: give one with --rdma_ip"
            ),
            None => warn!(
                "mesh agent {}; no address for streams from and to other hosts: give one with --rdma_ip",
                names.join(", ")
            ),
        },
    }
    let agents = Agents { addresses: args.agents.clone(), tls: args.tls.clone() };
    Ok(Arc::new(Remote::new(proxy, agents, listener)?))
}

/// This proxy as the control plane knows it.
fn describe(args: &Args, identity: &Identity) -> Proxy {
    let ip = args.st2110_ip.unwrap_or(DEFAULT_ST2110_IP);
    let device =
        args.device.as_ref().map_or_else(|| DEFAULT_DEVICE.to_owned(), ToString::to_string);
    let rdma = args.rdma_ip.filter(|_| !args.agents.is_empty());
    Proxy {
        id: identity.proxy_id.clone().into(),
        sdk_api_port: identity.sdk_port,
        st2110: Some(St2110Device { dataplane_ip: ip, device }),
        rdma: rdma.map(|dataplane_ip| RdmaDevice { dataplane_ip, ports: args.rdma_ports.clone() }),
        extended: true,
        registered_at: SystemTime::now(),
    }
}

/// The address for streams between hosts where none was given: the one that leads to an agent, else
/// that of ST 2110. `None` if there is no agent, or other hosts could not use it.
pub(crate) fn address_towards(
    agents: &[AgentAddress],
    st2110_ip: Option<IpAddr>,
) -> Option<IpAddr> {
    let usable = |ip: &IpAddr| ip.is_ipv4() && !ip.is_loopback() && !ip.is_unspecified();
    let leads = |agent: &AgentAddress| {
        // A name that is not known yet is not waited for: the address cannot be told later.
        let addresses = agent.to_string().to_socket_addrs().ok()?;
        addresses.filter(SocketAddr::is_ipv4).find_map(|agent| local_address(agent).filter(usable))
    };
    if agents.is_empty() {
        return None;
    }
    agents.iter().find_map(leads).or(st2110_ip.filter(usable))
}

/// Why no agent's name can be resolved, if that is so.
fn unresolved(agents: &[AgentAddress]) -> Option<String> {
    let resolve = |agent: &AgentAddress| agent.to_string().to_socket_addrs().err();
    let errors: Option<Vec<_>> =
        agents.iter().map(|agent| Some((agent, resolve(agent)?))).collect();
    let (agent, error) = errors?.into_iter().next()?;
    Some(format!("mesh agent {agent}: its name cannot be resolved: {error}"))
}

/// The address that the system would send from. Nothing is sent.
fn local_address(remote: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agents(address: &str) -> Vec<AgentAddress> {
        vec![address.parse().unwrap()]
    }

    #[test]
    fn a_name_that_cannot_be_resolved_is_told() {
        assert_eq!(unresolved(&agents("127.0.0.1:50051")), None);
        let told = unresolved(&agents("no-such-host.invalid:1")).unwrap();
        assert!(told.starts_with("mesh agent no-such-host.invalid:1: its name cannot"), "{told}");
    }

    #[test]
    fn an_address_that_others_cannot_reach_is_not_told() {
        let ip = Some([10, 0, 0, 1].into());
        assert_eq!(address_towards(&[], ip), None);
        assert_eq!(address_towards(&agents("127.0.0.1:50051"), None), None);
        assert_eq!(address_towards(&agents("127.0.0.1:50051"), ip), ip);
        assert_eq!(address_towards(&agents("[::1]:50051"), Some([127, 0, 0, 1].into())), None);
    }
}
