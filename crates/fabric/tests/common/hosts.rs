//! Two hosts, 10.88.0.1 and 10.88.0.2, joined by a cable or by a long way.

use super::way::{Way, Weather};
use std::fs::File;
use testkit::host::Host;

/// The hosts; gone when this is dropped.
pub struct Hosts {
    /// Ends before the hosts do.
    _way: Option<Way>,
    hosts: [Host; 2],
}

impl Hosts {
    /// With a cable between them. `None`, after saying why, where there cannot be any.
    pub fn new() -> Option<Self> {
        let hosts = unconnected()?;
        let [a, b] = &hosts;
        a.join("cable", b, "cable").expect("a cable");
        for (host, address) in [(a, "10.88.0.1/24"), (b, "10.88.0.2/24")] {
            host.ip(&["link", "set", "cable", "mtu", "9000", "up"]);
            host.ip(&["address", "add", address, "dev", "cable"]);
        }
        Some(Self { _way: None, hosts })
    }

    /// Far from each other. Where MCM_NETEM is set, the kernel delays and loses the packets of
    /// their cable.
    pub fn apart(weather: Weather) -> Option<Self> {
        if std::env::var_os("MCM_NETEM").is_some() {
            let hosts = Self::new()?;
            let netem = weather.netem();
            let netem: Vec<&str> = netem.iter().map(String::as_str).collect();
            for host in &hosts.hosts {
                // One packet at a time, as on a real cable, and not the many that one send makes.
                host.ip(&["link", "set", "cable", "mtu", "1500", "gso_max_segs", "1"]);
                let qdisc = ["qdisc", "replace", "dev", "cable", "root", "netem"];
                host.run("tc", &[&qdisc[..], &netem].concat());
            }
            return Some(hosts);
        }
        let hosts = unconnected()?;
        let file = |host: &Host| host.namespace().expect("a namespace");
        let ends = hosts.each_ref().map(|host| Way::device(file(host), "way"));
        for (host, [own, other]) in
            hosts.iter().zip([["10.88.0.1", "10.88.0.2"], ["10.88.0.2", "10.88.0.1"]])
        {
            host.ip(&["address", "add", own, "peer", other, "dev", "way"]);
            host.ip(&["link", "set", "way", "txqueuelen", "20000", "up"]);
            // The simplest there is, which namespaces may have everywhere: they begin with the
            // machine's.
            let set = "echo reno >/proc/sys/net/ipv4/tcp_congestion_control";
            host.run("sh", &["-c", set]);
        }
        Some(Self { _way: Some(Way::between(ends, weather)), hosts })
    }

    /// A host's namespace.
    pub fn file(&self, host: usize) -> Option<File> {
        Some(self.hosts[host].namespace().expect("a namespace"))
    }

    /// From now on nothing arrives at the second host.
    pub fn cut(&self) {
        self.hosts[1].filter(
            "table inet cut {\nchain input {\ntype filter hook input priority 0; policy drop;\n}\n}\n",
        );
    }

    pub fn mend(&self) {
        self.hosts[1].filter("delete table inet cut\n");
    }
}

fn unconnected() -> Option<[Host; 2]> {
    match (Host::new("a"), Host::new("b")) {
        (Ok(a), Ok(b)) => Some([a, b]),
        (Err(reason), _) | (_, Err(reason)) => {
            testkit::skip(&format!("network namespaces: {reason}"));
            None
        }
    }
}
