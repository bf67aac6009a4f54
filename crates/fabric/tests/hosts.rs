//! Bridges on two hosts, which are network namespaces, and a network between them that fails.

mod common;

use common::group::{Frame, Receiver, Sender, eventually, payload};
use common::{inet, ready};
use fabric::Provider;
use fabric::bridge::image::Image;
use fabric::bridge::{Extended, LinkKey, LinkOptions, LinkState};
use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

const IMAGE: Image = Image { payload_size: 400_000, metadata_size: 0 };

/// Two hosts with a cable between them: 10.88.0.1 and 10.88.0.2.
struct Hosts([String; 2]);

impl Hosts {
    /// `None`, after saying why, where there cannot be any.
    fn new(test: &str) -> Option<Self> {
        let names = ["a", "b"].map(|host| format!("mcm-{}-{test}-{host}", std::process::id()));
        let hosts = Self(names);
        let [a, b] = &hosts.0;
        let made = ip(&["netns", "add", a]) && ip(&["netns", "add", b]);
        if !made || Command::new("nft").arg("-v").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "no network namespaces, or no nft");
            eprintln!("skipped: this needs root, ip (iproute2) and nft (nftables)");
            return None;
        }
        assert!(ip(&[
            "link", "add", "cable", "netns", a, "type", "veth", "peer", "name", "cable", "netns", b
        ]));
        for (host, address) in [(a, "10.88.0.1/24"), (b, "10.88.0.2/24")] {
            assert!(ip(&["-n", host, "link", "set", "lo", "up"]));
            assert!(ip(&["-n", host, "link", "set", "cable", "mtu", "9000", "up"]));
            assert!(ip(&["-n", host, "address", "add", address, "dev", "cable"]));
        }
        Some(hosts)
    }

    fn file(&self, host: usize) -> Option<File> {
        Some(File::open(format!("/run/netns/{}", self.0[host])).expect("a namespace"))
    }

    /// From now on nothing arrives at the second host.
    fn cut(&self) {
        self.nft(
            "table inet cut {\nchain input {\ntype filter hook input priority 0; policy drop;\n}\n}\n",
        );
    }

    fn mend(&self) {
        self.nft("delete table inet cut\n");
    }

    fn nft(&self, rules: &str) {
        let mut nft = Command::new("ip")
            .args(["netns", "exec", &self.0[1], "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("ip");
        nft.stdin.take().expect("input").write_all(rules.as_bytes()).expect("rules");
        assert!(nft.wait().expect("nft").success());
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in &self.0 {
            ip(&["netns", "delete", host]);
        }
    }
}

fn ip(arguments: &[&str]) -> bool {
    let status = Command::new("ip").args(arguments).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn link(local: &str, form: Option<Extended>) -> LinkOptions {
    LinkOptions {
        provider: Provider::Tcp,
        local: inet(local),
        endpoints: 2,
        image: IMAGE,
        extended: form,
    }
}

fn put(sender: &Sender, number: u64) {
    sender.put(Frame::new(&IMAGE, number, IMAGE.payload_size, 0));
}

#[test]
fn a_network_that_fails_is_noticed_and_links_come_back_by_themselves() {
    if !ready() {
        return;
    }
    for (name, form) in
        [("plain", None), ("extended", Some(Extended { key: LinkKey([5; 32]), sealed: true }))]
    {
        let extended = form.is_some();
        let Some(hosts) = Hosts::new(name) else { return };
        let at = link("10.88.0.2:9100", form.clone());
        let receiver = Receiver::start_in(&at, 8, 1000, hosts.file(1));
        let out = link("10.88.0.1:0", form);
        let sender = Sender::try_start(&out, &at.local, hosts.file(0)).expect("an egress");
        for number in 0..20 {
            put(&sender, number);
        }
        for number in 0..20 {
            assert!(receiver.next().payload[..] == payload(number, IMAGE.payload_size)[..]);
        }

        hosts.cut();
        let mut number = 20;
        eventually("the egress notices", || {
            put(&sender, number);
            number += 1;
            sender.status.link() == LinkState::Down
        });
        if extended {
            eventually("the ingress notices", || receiver.status.link() == LinkState::Down);
        }
        // While it lasts, frames pass.
        eventually("nobody is kept waiting", || sender.left() == 0);

        hosts.mend();
        eventually("a connection", || {
            put(&sender, number);
            number += 1;
            std::thread::sleep(Duration::from_millis(5));
            sender.status.link() == LinkState::Up
        });
        let first = number;
        eventually("a frame put after the failure", || {
            put(&sender, number);
            number += 1;
            receiver.next_in(Duration::from_millis(50)).is_some_and(|frame| {
                (first..number).any(|n| frame.payload[..] == payload(n, IMAGE.payload_size)[..])
            })
        });
        assert!(sender.status.counts().losses >= 1);
    }
}
