//! Bridges between two network namespaces whose network fails.

mod common;

use common::group::{Frame, Receiver, Sender, payload};
use common::hosts::Hosts;
use common::{inet, ready};
use fabric::Provider;
use fabric::bridge::wire_layout::WireLayout;
use fabric::bridge::{Extended, LinkKey, LinkOptions, LinkState};
use std::time::Duration;
use testkit::wait::until;

const LAYOUT: WireLayout = WireLayout { payload_size: 400_000, metadata_size: 0 };

fn link(local: &str, form: Option<Extended>) -> LinkOptions {
    LinkOptions {
        provider: Provider::Tcp,
        local: inet(local),
        endpoints: 2,
        layout: LAYOUT,
        extended: form,
    }
}

fn put(sender: &Sender, number: u64) {
    sender.put(Frame::new(&LAYOUT, number, LAYOUT.payload_size, 0));
}

#[test]
fn a_network_that_fails_is_noticed_and_links_come_back_by_themselves() {
    if !ready() {
        return;
    }
    for form in [None, Some(Extended { key: LinkKey([5; 32]), sealed: true })] {
        let extended = form.is_some();
        let Some(hosts) = Hosts::new() else { return };
        let at = link("10.88.0.2:9100", form.clone());
        let receiver = Receiver::start_in(&at, 8, 1000, hosts.file(1));
        let out = link("10.88.0.1:0", form);
        let sender = Sender::try_start(&out, &at.local, hosts.file(0)).expect("an egress");
        for number in 0..20 {
            put(&sender, number);
        }
        for number in 0..20 {
            assert!(receiver.next().payload[..] == payload(number, LAYOUT.payload_size)[..]);
        }

        hosts.cut();
        let mut number = 20;
        until("the egress notices", || {
            put(&sender, number);
            number += 1;
            sender.status.link() == LinkState::Down
        });
        if extended {
            until("the ingress notices", || receiver.status.link() == LinkState::Down);
        }
        // While it lasts, frames pass.
        until("nobody is kept waiting", || sender.left() == 0);

        hosts.mend();
        until("a connection", || {
            put(&sender, number);
            number += 1;
            std::thread::sleep(Duration::from_millis(5));
            sender.status.link() == LinkState::Up
        });
        let first = number;
        until("a frame put after the failure", || {
            put(&sender, number);
            number += 1;
            receiver.next_in(Duration::from_millis(50)).is_some_and(|frame| {
                (first..number).any(|n| frame.payload[..] == payload(n, LAYOUT.payload_size)[..])
            })
        });
        assert!(sender.status.counts().losses >= 1);
    }
}
