//! Two hosts, which are network namespaces: 10.88.0.1 and 10.88.0.2, joined by a cable or by a long way.

use super::way::{Way, Weather};
use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

/// The hosts; gone when this is dropped.
pub struct Hosts {
    names: [String; 2],
    way: Option<Way>,
}

impl Hosts {
    /// With a cable between them. `None`, after saying why, where there cannot be any.
    pub fn new(test: &str) -> Option<Self> {
        let hosts = Self::unconnected(test)?;
        let [a, b] = &hosts.names;
        assert!(ip(&[
            "link", "add", "cable", "netns", a, "type", "veth", "peer", "name", "cable", "netns", b
        ]));
        for (host, address) in [(a, "10.88.0.1/24"), (b, "10.88.0.2/24")] {
            assert!(ip(&["-n", host, "link", "set", "cable", "mtu", "9000", "up"]));
            assert!(ip(&["-n", host, "address", "add", address, "dev", "cable"]));
        }
        Some(hosts)
    }

    /// Far from each other. Where MCM_NETEM is set, the kernel delays and loses the packets of their cable.
    pub fn apart(test: &str, weather: Weather) -> Option<Self> {
        if std::env::var_os("MCM_NETEM").is_some() {
            let hosts = Self::new(test)?;
            let netem = weather.netem();
            let netem: Vec<&str> = netem.iter().map(String::as_str).collect();
            for host in &hosts.names {
                // One packet at a time, as on a real cable, and not the many that one send makes.
                let plain = ["mtu", "1500", "gso_max_segs", "1"];
                assert!(ip(&[&["-n", host, "link", "set", "cable"], &plain[..]].concat()));
                let tc = ["netns", "exec", host, "tc", "qdisc", "replace", "dev", "cable", "root"];
                assert!(ip(&[&tc[..], &["netem"], &netem].concat()), "netem");
            }
            return Some(hosts);
        }
        let mut hosts = Self::unconnected(test)?;
        let ends = [0, 1].map(|host| Way::device(hosts.file(host).expect("a namespace"), "way"));
        for (host, [own, other]) in
            hosts.names.iter().zip([["10.88.0.1", "10.88.0.2"], ["10.88.0.2", "10.88.0.1"]])
        {
            assert!(ip(&["-n", host, "address", "add", own, "peer", other, "dev", "way"]));
            assert!(ip(&["-n", host, "link", "set", "way", "txqueuelen", "20000", "up"]));
            // The simplest there is, which namespaces may have everywhere: they begin with what the machine has.
            let set = "echo reno >/proc/sys/net/ipv4/tcp_congestion_control";
            assert!(ip(&["netns", "exec", host, "sh", "-c", set]));
        }
        hosts.way = Some(Way::between(ends, weather));
        Some(hosts)
    }

    fn unconnected(test: &str) -> Option<Self> {
        let names = ["a", "b"].map(|host| format!("mcm-{}-{test}-{host}", std::process::id()));
        let hosts = Self { names, way: None };
        let [a, b] = &hosts.names;
        let made = ip(&["netns", "add", a]) && ip(&["netns", "add", b]);
        if !made || Command::new("nft").arg("-v").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "no network namespaces, or no nft");
            eprintln!("skipped: this needs root, ip (iproute2) and nft (nftables)");
            return None;
        }
        for host in &hosts.names {
            assert!(ip(&["-n", host, "link", "set", "lo", "up"]));
        }
        Some(hosts)
    }

    /// A host's namespace.
    pub fn file(&self, host: usize) -> Option<File> {
        Some(File::open(format!("/run/netns/{}", self.names[host])).expect("a namespace"))
    }

    /// From now on nothing arrives at the second host.
    pub fn cut(&self) {
        self.nft(
            "table inet cut {\nchain input {\ntype filter hook input priority 0; policy drop;\n}\n}\n",
        );
    }

    pub fn mend(&self) {
        self.nft("delete table inet cut\n");
    }

    fn nft(&self, rules: &str) {
        let mut nft = Command::new("ip")
            .args(["netns", "exec", &self.names[1], "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("ip");
        nft.stdin.take().expect("input").write_all(rules.as_bytes()).expect("rules");
        assert!(nft.wait().expect("nft").success());
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.way = None;
        for host in &self.names {
            ip(&["netns", "delete", host]);
        }
    }
}

fn ip(arguments: &[&str]) -> bool {
    let status = Command::new("ip").args(arguments).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
