//! What a proxy and an agent say to each other, and what stands in the agents' store: read, and
//! read again from what it was written as.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mesh::topology::{Decides, ProxyId, SessionKey, Topology};
use mesh::wire;
use prost::Message;
use proto::mediaproxy as pb;
use std::time::{Instant, UNIX_EPOCH};

fuzz_target!(|data: &[u8]| {
    let proxy = ProxyId::from("p");
    if let Ok(message) = pb::ApplyConfigRequest::decode(data) {
        let (desired, _errors) = wire::desired(&proxy, &message, message.generation);
        let (again, errors) =
            wire::desired(&proxy, &wire::apply_config(&desired), desired.generation);
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!(again.bridges, desired.bridges);
    }
    if let Ok(message) = pb::RegisterMediaProxyRequest::decode(data) {
        let mut topology = Topology::new(Decides::Here, || SessionKey([0; 32]));
        let Ok(registered) = wire::proxy(proxy.clone(), &message, UNIX_EPOCH) else { return };
        let extension = message.extension.unwrap_or_default();
        let running = extension.running.iter().filter_map(|b| wire::bridge(&proxy, b, None).ok());
        topology.register_proxy(registered, running.collect(), Instant::now());
        for request in extension.connections {
            let request = pb::RegisterConnectionRequest { proxy_id: "p".into(), ..request };
            let Ok(id) = wire::identifier("connId", &request.conn_id) else { continue };
            if let Ok(connection) = wire::connection(id.into(), &request, UNIX_EPOCH) {
                // Refused or not: it must not do harm.
                let _refused = topology.register_connection(connection);
            }
        }
        let desired = topology.desired(&proxy).expect("it is registered");
        let (again, _) = wire::desired(&proxy, &wire::apply_config(&desired), desired.generation);
        assert_eq!(again.groups.len(), desired.groups.len());
    }
    if let Ok(message) = pb::Metric::decode(data) {
        let metric = wire::metric(message);
        let _ = wire::metric_message(&metric);
    }
});
