//! Options that are accepted for compatibility and have no effect. Programs of the established API
//! set them, so they are reported as warnings instead of errors.

use config::St2110;
use st2110::sdp::remarks;
use std::net::IpAddr;

/// Of a stream that is sent.
pub(super) fn of_sender(endpoint: &St2110) -> Vec<String> {
    // A session description names the stream's own sender, for those who receive it.
    if endpoint.sdp.is_some() {
        return Vec::new();
    }
    let ignored = |(path, source, _)| {
        format!(
            "{path} {source} is ignored: a source filter is for receivers, this connection sends"
        )
    };
    filters(endpoint).map(ignored).collect()
}

/// Of a stream that is received.
pub(super) fn of_receiver(endpoint: &St2110) -> Vec<String> {
    let unicast = filters(endpoint).filter(|(_, source, ip)| !ip.is_multicast() && source != ip);
    let ignored = |(path, source, ip)| {
        format!(
            "{path} {source} is ignored: a source filter is for multicast groups, and of unicast only packets of ipAddr {ip} are accepted"
        )
    };
    let described = endpoint.sdp.as_deref().map(remarks).unwrap_or_default();
    let described = described.iter().map(|remark| format!("session description, {remark}"));
    unicast.map(ignored).chain(described).collect()
}

/// The source filters of both paths, by their place in the configuration, with the address of the
/// path.
fn filters(endpoint: &St2110) -> impl Iterator<Item = (&'static str, IpAddr, IpAddr)> {
    let first = endpoint
        .mcast_sip_addr
        .map(|source| ("connection.st2110.multicastSourceIpAddr", source, endpoint.ip_addr));
    let second = endpoint.second_path.and_then(|path| {
        let place = "connection.st2110.secondPath.multicastSourceIpAddr";
        path.mcast_sip_addr.map(|source| (place, source, path.ip_addr))
    });
    first.into_iter().chain(second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::SecondPath;

    fn stream(ip: &str, second: &str) -> St2110 {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let source = Some(address("10.0.0.9"));
        let second_path = Some(SecondPath {
            ip_addr: address(second),
            port: 5004,
            mcast_sip_addr: source,
            interface_ip_addr: None,
            skew: SecondPath::DEFAULT_SKEW,
        });
        St2110 { mcast_sip_addr: source, second_path, ..St2110::new(address(ip), 5004) }
    }

    #[test]
    fn a_source_filter_without_effect_is_remarked_on() {
        let sent = of_sender(&stream("239.0.0.1", "239.0.0.2"));
        assert_eq!(sent.len(), 2);
        assert!(sent[0].starts_with("connection.st2110.multicastSourceIpAddr 10.0.0.9 is ignored"));
        let received = of_receiver(&stream("239.0.0.1", "10.1.0.1"));
        assert!(received.len() == 1 && received[0].contains("secondPath"), "{received:?}");
        assert!(of_receiver(&stream("239.0.0.1", "10.0.0.9")).is_empty(), "both say the same");
        let described = St2110 { sdp: Some("v=0".into()), ..stream("239.0.0.1", "239.0.0.2") };
        assert!(of_sender(&described).is_empty(), "its own address, for others");
    }
}
