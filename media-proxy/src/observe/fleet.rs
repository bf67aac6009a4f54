//! Groups of other hosts in the control service's messages.

use crate::broker::exchange::format_text;
use mesh::plane::ControlPlane;
use mesh::topology::{FleetGroup, GroupId};
use proto::control::{Group, GroupHost};
use std::sync::Arc;
use tokio::sync::oneshot;

/// The control plane, for questions about the whole fleet.
pub(crate) struct Fleet(pub(crate) Arc<dyn ControlPlane>);

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fleet")
    }
}

impl Fleet {
    /// Adds what the fleet knows of its groups, one or all, to those that this host knows.
    pub(crate) async fn add_to(&self, groups: &mut Vec<Group>, wanted: Option<String>) {
        let (sender, answer) = oneshot::channel();
        let tell = move |found| {
            // Whoever asked may have gone.
            let _ = sender.send(found);
        };
        self.0.find_groups(wanted.map(GroupId::from), Box::new(tell));
        let found = answer.await.ok().flatten().unwrap_or_default();
        merge(groups, found);
    }
}

fn merge(groups: &mut Vec<Group>, found: Vec<FleetGroup>) {
    for of_fleet in found {
        let hosts = of_fleet.hosts.into_iter().map(|host| GroupHost {
            proxy_id: host.proxy.to_string(),
            address: host.address,
            source: host.source,
            receivers: host.receivers.try_into().unwrap_or(u32::MAX),
        });
        let hosts = hosts.collect();
        if let Some(known) = groups.iter_mut().find(|group| group.id == of_fleet.id.as_str()) {
            known.hosts = hosts;
            continue;
        }
        groups.push(Group {
            id: of_fleet.id.to_string(),
            format: format_text(&of_fleet.config),
            stream_id: of_fleet.stream.map(|stream| stream.to_string()).unwrap_or_default(),
            hosts,
            ..Default::default()
        });
    }
    groups.sort_by(|a, b| a.id.cmp(&b.id));
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::{ConnectionConfig, Endpoint};
    use media::Payload;

    #[test]
    fn groups_of_other_hosts_stand_among_those_of_this_one() {
        let endpoint = Endpoint::MultipointGroup { urn: "b".into() };
        let mut config = ConnectionConfig::new(endpoint, Payload::Blob);
        config.max_payload_size = 100;
        let config = Arc::new(config);
        let of_fleet = |id: &str| FleetGroup {
            id: id.into(),
            kind: proto::Kind::Source,
            config: Arc::clone(&config),
            stream: Some("s".into()),
            hosts: vec![mesh::topology::GroupHost {
                proxy: "p".into(),
                address: "10.0.0.1".into(),
                source: true,
                receivers: 2,
            }],
        };
        let mut groups =
            vec![Group { id: "b".into(), format: "as here".into(), ..Default::default() }];
        merge(&mut groups, vec![of_fleet("a"), of_fleet("b"), of_fleet("c")]);
        let seen: Vec<_> =
            groups.iter().map(|group| (group.id.as_str(), group.format.as_str())).collect();
        assert_eq!(seen, [("a", "blob 100 bytes"), ("b", "as here"), ("c", "blob 100 bytes")]);
        assert!(groups.iter().all(|group| group.hosts[0].source && group.hosts[0].receivers == 2));
        assert_eq!(groups[0].stream_id, "s");
    }
}
