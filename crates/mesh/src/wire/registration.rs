//! Registrations of proxies and connections in messages.

use super::{invalid, ip, kind, kind_word};
use crate::error::AgentError;
use crate::topology::{Connection, ConnectionId, Proxy, ProxyId, RdmaDevice, St2110Device};
use config::ConnectionConfig;
use prost::Message;
use proto::Kind;
use proto::mediaproxy as pb;
use std::sync::Arc;
use std::time::SystemTime;

/// A proxy, as it registers with an id that it has been given or has chosen.
pub fn proxy(
    id: ProxyId,
    request: &pb::RegisterMediaProxyRequest,
    registered_at: SystemTime,
) -> Result<Proxy, AgentError> {
    let st2110 = request.st2110_config.as_ref().filter(|c| !c.dataplane_ip_addr.is_empty());
    let rdma = request.rdma_config.as_ref().filter(|c| !c.dataplane_ip_addr.is_empty());
    Ok(Proxy {
        id,
        sdk_api_port: u16::try_from(request.sdk_api_port).map_err(|_| {
            invalid("sdkApiPort", &request.sdk_api_port.to_string(), "a port number, 0 to 65535")
        })?,
        st2110: st2110
            .map(|config| -> Result<_, AgentError> {
                Ok(St2110Device {
                    dataplane_ip: ip("st2110.dataplaneIpAddr", &config.dataplane_ip_addr)?,
                    device: config.dev_port_bdf.clone(),
                })
            })
            .transpose()?,
        rdma: rdma
            .map(|config| -> Result<_, AgentError> {
                Ok(RdmaDevice {
                    dataplane_ip: ip("rdma.dataplaneIpAddr", &config.dataplane_ip_addr)?,
                    ports: config.dataplane_local_ports.parse()?,
                })
            })
            .transpose()?,
        extended: request.extension.as_ref().is_some_and(|extension| extension.rdma_session),
        registered_at,
    })
}

/// The request with which a proxy registers, without what it has.
#[must_use]
pub fn proxy_request(proxy: &Proxy) -> pb::RegisterMediaProxyRequest {
    pb::RegisterMediaProxyRequest {
        sdk_api_port: proxy.sdk_api_port.into(),
        st2110_config: proxy.st2110.as_ref().map(|device| pb::St2110ProxyConfig {
            dataplane_ip_addr: device.dataplane_ip.to_string(),
            dev_port_bdf: device.device.clone(),
        }),
        rdma_config: proxy.rdma.as_ref().map(|device| pb::RdmaProxyConfig {
            dataplane_ip_addr: device.dataplane_ip.to_string(),
            dataplane_local_ports: device.ports.to_string(),
        }),
        extension: Some(pb::ProxyExtension {
            proxy_id: proxy.id.to_string(),
            rdma_session: proxy.extended,
            ..Default::default()
        }),
    }
}

/// A connection, as its proxy registers it.
pub fn connection(
    id: ConnectionId,
    request: &pb::RegisterConnectionRequest,
    registered_at: SystemTime,
) -> Result<Connection, AgentError> {
    let kind = kind(&request.kind)?;
    if request.config.is_empty() {
        return Err(invalid("config", "nothing", "a connection's configuration"));
    }
    let config = ConnectionConfig::decode(&request.config)?;
    Ok(Connection {
        id,
        proxy: ProxyId::from(request.proxy_id.as_str()),
        kind,
        config: Arc::new(config),
        registered_at,
    })
}

/// The request with which a proxy registers a connection.
#[must_use]
pub fn connection_request(
    proxy: &ProxyId,
    id: &str,
    kind: Kind,
    config: &ConnectionConfig,
) -> pb::RegisterConnectionRequest {
    pb::RegisterConnectionRequest {
        proxy_id: proxy.to_string(),
        kind: kind_word(kind).to_owned(),
        config: config.to_sdk_of(kind).encode_to_vec(),
        conn_id: id.to_owned(),
    }
}
