//! Bridges over a long distance: large round-trip times, with loss.

mod common;

use common::group::{FIRST_TAI_NS, Frame, Receiver, Sender, TAI_STEP_NS, payload};
use common::hosts::Hosts;
use common::way::Weather;
use common::{inet, ready};
use fabric::Provider;
use fabric::bridge::wire_layout::WireLayout;
use fabric::bridge::{Extended, LinkKey, LinkOptions, LinkState};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use testkit::wait::until;

fn link(local: &str, endpoints: usize, payload_size: usize, extended: bool) -> LinkOptions {
    let extended = extended.then_some(Extended { key: LinkKey([5; 32]), sealed: false });
    let layout = WireLayout { payload_size, metadata_size: 0 };
    LinkOptions { provider: Provider::Tcp, local: inet(local), endpoints, layout, extended }
}

/// Waits until nothing is lost any more because one end is not there yet.
fn ready_to_carry(sender: &Sender, receiver: &Receiver, extended: bool) {
    if extended {
        until("a session", || sender.status.link() == LinkState::Up);
    } else {
        until("open endpoints", || receiver.held.load(Relaxed) > 0);
    }
}

/// Carries frames over a way; none may be missing.
fn carry(weather: Weather, endpoints: usize, size: usize, frames: u64, extended: bool) {
    let Some(hosts) = Hosts::apart(weather).filter(|_| ready()) else { return };
    let at = link("10.88.0.2:9100", endpoints, size, extended);
    let out = link("10.88.0.1:0", endpoints, size, extended);
    let receiver = Receiver::start_in(&at, 16, 1000, hosts.file(1));
    let sender = Sender::try_start(&out, &at.local, hosts.file(0)).expect("an egress");
    ready_to_carry(&sender, &receiver, extended);
    for number in 0..frames {
        sender.put(Frame::new(&out.layout, number, size, 0));
    }
    for number in 0..frames {
        let frame = receiver.next_in(Duration::from_secs(400)).unwrap_or_else(|| {
            panic!("frame {number}: {:?}, {:?}", sender.status, receiver.status)
        });
        assert!(
            frame.payload[..] == payload(number, size)[..],
            "frame {number}: {:?}, {:?}",
            sender.status,
            receiver.status
        );
    }
    let (sent, received) = (sender.status.counts(), receiver.status.counts());
    assert_eq!((sent.losses, received.losses, received.gaps), (0, 0, 0), "{sent:?} {received:?}");
    assert_eq!((sent.unsent, received.foreign), (0, 0), "{sent:?} {received:?}");
}

/// The first frame takes more round trips than the silence may last after which the other side
/// counts as lost.
#[test]
fn large_frames_arrive_over_a_long_way() {
    let weather = Weather { delay: Duration::from_millis(100), lost: 0 };
    carry(weather, 1, 2_000_000, 5, true);
}

#[test]
fn large_frames_arrive_over_a_long_way_in_the_plain_form() {
    let weather = Weather { delay: Duration::from_millis(100), lost: 0 };
    carry(weather, 1, 2_000_000, 5, false);
}

#[test]
fn large_frames_arrive_over_a_long_way_that_loses_packets() {
    let weather = Weather { delay: Duration::from_millis(150), lost: 10_000 };
    carry(weather, 1, 400_000, 4, true);
}

/// Frames that come later than others through another endpoint are not skipped.
#[test]
fn frames_of_several_endpoints_stay_whole_over_a_long_way() {
    let weather = Weather { delay: Duration::from_millis(60), lost: 2_000 };
    carry(weather, 4, 900_000, 30, true);
}

/// A connection may be given up before patience is long enough, and frames with it; but then they
/// flow.
#[test]
fn frames_arrive_though_every_fifth_packet_is_lost() {
    let weather = Weather { delay: Duration::from_millis(2), lost: 200_000 };
    let Some(hosts) = Hosts::apart(weather).filter(|_| ready()) else { return };
    let (at, out) = (link("10.88.0.2:9100", 2, 60_000, true), link("10.88.0.1:0", 2, 60_000, true));
    let receiver = Receiver::start_in(&at, 16, 1000, hosts.file(1));
    let sender = Sender::try_start(&out, &at.local, hosts.file(0)).expect("an egress");
    let (mut seen, mut newest) = (0, None);
    for number in 0..2_000 {
        sender.put(Frame::new(&out.layout, number, 60_000, 0));
        while let Some(frame) = receiver.next_in(Duration::from_millis(100)) {
            let number = (frame.arrival.tai_ns.expect("a time") - FIRST_TAI_NS) / TAI_STEP_NS;
            assert!(Some(number) > newest, "{number} after {newest:?}");
            assert!(frame.payload[..] == payload(number, 60_000)[..], "frame {number}");
            (seen, newest) = (seen + 1, Some(number));
        }
        if seen >= 5 {
            return;
        }
    }
    panic!("{seen} frames: {:?}, {:?}", sender.status, receiver.status);
}

/// Slow start and lost packets: minutes for each.
#[test]
#[ignore = "takes five minutes and is in no suite: run it by hand"]
fn frames_of_1080p_arrive_over_a_long_way_that_loses_packets() {
    let weather = Weather { delay: Duration::from_millis(150), lost: 10_000 };
    carry(weather, 1, 8_294_400, 2, true);
}
