//! Bridges between each other in one process, over TCP.

mod common;

use common::group::{Frame, Receiver, Sender, metadata, payload};
use common::{Set, content, inet, options, ready};
use fabric::bridge::wire_layout::{Origin, Trailer, WireLayout};
use fabric::bridge::{Extended, LinkKey, LinkOptions, LinkState};
use fabric::{Address, Provider};
use std::time::Duration;
use testkit::ports::free_block;
use testkit::wait::until;

const LAYOUT: WireLayout = WireLayout { payload_size: 300_000, metadata_size: 100 };

fn extended(sealed: bool) -> Option<Extended> {
    Some(Extended { key: LinkKey([7; 32]), sealed })
}

/// The two ends of a link on the loopback interface.
fn ends(
    layout: WireLayout,
    endpoints: usize,
    extended: Option<Extended>,
) -> (LinkOptions, LinkOptions) {
    let link = |port| LinkOptions {
        provider: Provider::Tcp,
        local: inet(&format!("127.0.0.1:{port}")),
        endpoints,
        layout,
        extended: extended.clone(),
    };
    (link(0), link(free_block()))
}

/// Frames of several lengths.
fn lengths(number: u64) -> (usize, usize) {
    let payload = [300_000, 1, 70_000, 0, 299_999][(number % 5) as usize];
    (payload, [0, 100, 1][(number % 3) as usize])
}

fn put(sender: &Sender, number: u64) {
    let (payload, metadata) = lengths(number);
    sender.put(Frame::new(&LAYOUT, number, payload, metadata));
}

fn expect(receiver: &Receiver, number: u64, exact_time: bool) {
    let frame = receiver.next();
    let (payload_len, metadata_len) = lengths(number);
    assert!(frame.payload[..] == payload(number, payload_len)[..], "payload of frame {number}");
    assert!(frame.metadata[..] == metadata(number, metadata_len)[..], "metadata {number}");
    let time = 1_700_000_000_000_000_000 + number * 1_000_003;
    let time = if exact_time { time } else { time / 1_000_000 * 1_000_000 };
    assert_eq!(frame.arrival.tai_ns, Some(time));
    // What existing peers do not tell.
    let origin = exact_time.then_some(Origin { mark: 7, sequence: u64::MAX - number });
    let incomplete = exact_time && number % 7 == 3;
    assert_eq!((frame.arrival.origin, frame.arrival.incomplete), (origin, incomplete));
}

fn carry(endpoints: usize, form: Option<Extended>) {
    if !ready() {
        return;
    }
    let exact = form.is_some();
    let (out, at) = ends(LAYOUT, endpoints, form);
    let receiver = Receiver::start(&at, 10, 100);
    let mut sender = Sender::start(&out, &at.local);
    for number in 0..100 {
        put(&sender, number);
    }
    for number in 0..100 {
        expect(&receiver, number, exact);
    }
    sender.end();
    sender.join();
    let (sent, received) = (sender.status.counts(), receiver.status.counts());
    assert_eq!((received.frames, received.bytes, sent.unsent), (100, sent.bytes, 0));
    assert_eq!((received.gaps, received.malformed, received.foreign), (0, 0, 0));
    assert_eq!((sent.frames, sent.connects, received.connects), (100, 1, 1));
    if exact {
        until("the goodbye", || receiver.status.link() == LinkState::Down);
    }
}

#[test]
fn frames_arrive_in_the_plain_form() {
    carry(1, None);
}

#[test]
fn frames_arrive_in_the_plain_form_over_several_endpoints() {
    carry(3, None);
}

#[test]
fn frames_arrive_in_the_extended_form() {
    carry(1, extended(false));
}

#[test]
fn frames_arrive_in_the_extended_form_over_several_endpoints() {
    carry(8, extended(false));
}

#[test]
fn frames_arrive_encrypted() {
    carry(2, extended(true));
}

#[test]
fn what_was_put_before_the_end_arrives() {
    if !ready() {
        return;
    }
    // Without sessions the receiver gives a frame up that is 100 ms behind one of another endpoint,
    // as happens in such a burst. One endpoint keeps the order.
    for (endpoints, form) in [(1, None), (3, extended(false))] {
        let exact = form.is_some();
        let (out, at) = ends(LAYOUT, endpoints, form);
        let receiver = Receiver::start(&at, 8, 100);
        let sender = Sender::start(&out, &at.local);
        put(&sender, 0);
        expect(&receiver, 0, exact);
        for number in 1..50 {
            put(&sender, number);
        }
        drop(sender);
        for number in 1..50 {
            expect(&receiver, number, exact);
        }
    }
}

/// Both ends are told to stop at the same time, the one that receives first; and receivers are
/// slow.
#[test]
fn both_ends_may_be_stopped_at_once() {
    if !ready() {
        return;
    }
    for (endpoints, sealed) in [(1, false), (3, true)] {
        let (out, at) = ends(LAYOUT, endpoints, extended(sealed));
        let receiver = Receiver::start(&at, 8, 4);
        let sender = Sender::start(&out, &at.local);
        put(&sender, 0);
        expect(&receiver, 0, true);
        for number in 1..40 {
            put(&sender, number);
        }
        receiver.end();
        let ending = std::thread::spawn(move || drop(sender));
        for number in 1..40 {
            expect(&receiver, number, true);
        }
        ending.join().unwrap();
        until("the end", || receiver.has_ended());
        let counts = receiver.status.counts();
        assert_eq!((counts.frames, counts.losses, counts.gaps), (40, 0, 0), "{counts:?}");
    }
}

/// A sender that goes on does not keep an ingress for ever, and an immediate stop waits for
/// nothing.
#[test]
fn an_ingress_ends_though_the_sender_goes_on() {
    if !ready() {
        return;
    }
    let (out, at) = ends(LAYOUT, 1, extended(false));
    let receiver = Receiver::start(&at, 8, 4);
    let sender = Sender::start(&out, &at.local);
    put(&sender, 0);
    expect(&receiver, 0, true);
    receiver.end();
    until("the end", || receiver.has_ended());
    until("the egress notices", || sender.status.link() == LinkState::Down);
}

#[test]
fn a_slow_receiver_loses_nothing_and_holds_the_sender_back() {
    if !ready() {
        return;
    }
    for endpoints in [1, 3] {
        let (out, at) = ends(LAYOUT, endpoints, extended(false));
        let receiver = Receiver::start(&at, 4, 2);
        let sender = Sender::start(&out, &at.local);
        for number in 0..60 {
            put(&sender, number);
        }
        // Two are published, four in slots, and as many as may be under way are held: the rest
        // stays in the ring.
        until("the first two", || receiver.status.counts().frames == 2);
        assert!(sender.left() >= 60 - 2 - 4 - 6, "{} are left", sender.left());
        for number in 0..60 {
            expect(&receiver, number, true);
        }
        assert_eq!(sender.status.counts().unsent, 0);
    }
}

#[test]
fn an_egress_waits_for_an_ingress_that_comes_soon() {
    if !ready() {
        return;
    }
    for form in [None, extended(false)] {
        let exact = form.is_some();
        let (out, at) = ends(LAYOUT, 1, form);
        let sender = Sender::start(&out, &at.local);
        for number in 0..10 {
            put(&sender, number);
        }
        std::thread::sleep(Duration::from_millis(50));
        let receiver = Receiver::start(&at, 8, 100);
        for number in 0..10 {
            expect(&receiver, number, exact);
        }
    }
}

/// Puts frames from a number on until one of them arrives; returns its number.
fn until_one_arrives(sender: &Sender, receiver: &Receiver, first: u64) -> u64 {
    for number in first..first + 3_000 {
        put(sender, number);
        if let Some(frame) = receiver.next_in(Duration::from_millis(20)) {
            let known = |n: &u64| {
                let (payload_len, metadata_len) = lengths(*n);
                frame.payload[..] == payload(*n, payload_len)[..]
                    && frame.metadata[..] == metadata(*n, metadata_len)[..]
            };
            // Others are from before.
            if let Some(number) = (first..=number).rev().find(known) {
                return number;
            }
        }
    }
    panic!("nothing arrives");
}

#[test]
fn an_ingress_that_goes_and_comes_back_is_found_again() {
    if !ready() {
        return;
    }
    for form in [None, extended(false)] {
        let exact = form.is_some();
        let (out, at) = ends(LAYOUT, 2, form);
        let receiver = Receiver::start(&at, 8, 100);
        let sender = Sender::start(&out, &at.local);
        put(&sender, 0);
        expect(&receiver, 0, exact);
        drop(receiver);
        // Without a peer frames are skipped, and the group does not wait.
        let mut number = 1;
        until("the loss", || {
            put(&sender, number);
            number += 1;
            sender.status.link() == LinkState::Down
        });
        until("frames pass", || sender.left() == 0);
        let receiver = Receiver::start(&at, 8, 100);
        until_one_arrives(&sender, &receiver, number);
        until("the connection", || sender.status.link() == LinkState::Up);
        let counts = sender.status.counts();
        assert!(counts.losses >= 1 && counts.connects >= 2 && counts.unsent > 0, "{counts:?}");
    }
}

#[test]
fn an_egress_that_is_replaced_goes_on_at_once() {
    if !ready() {
        return;
    }
    for form in [None, extended(true)] {
        let exact = form.is_some();
        let (out, at) = ends(LAYOUT, 2, form);
        let receiver = Receiver::start(&at, 8, 100);
        for round in 0..3u64 {
            let sender = Sender::start(&out, &at.local);
            if exact {
                for number in 0..20 {
                    put(&sender, number);
                }
                for number in 0..20 {
                    expect(&receiver, number, true);
                }
            } else {
                // A newcomer without a session is believed after a silence.
                until_one_arrives(&sender, &receiver, 10_000 * round);
            }
        }
    }
}

#[test]
fn ends_that_do_not_agree_say_so() {
    if !ready() {
        return;
    }
    let (mut out, at) = ends(LAYOUT, 1, extended(false));
    let _receiver = Receiver::start(&at, 8, 8);
    out.layout.metadata_size = 0;
    let sender = Sender::start(&out, &at.local);
    until("a reason", || {
        let reason = sender.status.problem();
        reason.as_deref()
            == Some("the other proxy refuses: the sizes of payload or metadata differ")
    });
    out.layout = LAYOUT;
    out.extended = Some(Extended { key: LinkKey([8; 32]), sealed: false });
    let sender = Sender::start(&out, &at.local);
    until("a reason", || {
        let problem = sender.status.problem().unwrap_or_default();
        problem.starts_with("nothing is heard of the other proxy") && problem.contains("firewall")
    });
    assert!(_receiver.status.counts().foreign > 0);
}

#[test]
fn a_missing_local_address_is_told_and_tried_again() {
    if !ready() {
        return;
    }
    let (_, mut at) = ends(LAYOUT, 1, None);
    at.local = inet("198.51.100.1:9000");
    let receiver = Receiver::start(&at, 8, 8);
    until("a reason", || {
        receiver
            .status
            .problem()
            .is_some_and(|reason| reason.starts_with("198.51.100.1:9000 is not"))
    });
}

/// Messages as strangers would send them.
fn strange(layout: &WireLayout, number: u64) -> Vec<u8> {
    let mut full = vec![0x5a; layout.size() + 8];
    match number % 6 {
        // No frame at all.
        0 => content(1 + (number as usize * 37) % 5_000, number).to_vec(),
        // Too long for any slot.
        1 => vec![1; layout.size() + 4096],
        // A payload that does not fit.
        2 => full,
        // A number from nowhere.
        3 => {
            full[..24].fill(0);
            let at = layout.size();
            full[at..].copy_from_slice(&(1u64 << 50).to_le_bytes());
            full
        }
        // A frame that was there before.
        4 => {
            full[..24].fill(0);
            let at = layout.size();
            full[at..].copy_from_slice(&0u64.to_le_bytes());
            full
        }
        // The extended form, of a session that is not.
        _ => {
            let mut message = vec![0; 24];
            let origin = Origin::default();
            let trailer =
                Trailer { sequence: number, tai_ns: 1, session: 1, origin, incomplete: false };
            message.extend(trailer.bytes());
            message
        }
    }
}

#[test]
fn strangers_are_refused_and_counted_and_the_stream_stays_whole() {
    if !ready() {
        return;
    }
    for form in [None, extended(false), extended(true)] {
        let exact = form.is_some();
        let (out, at) = ends(LAYOUT, 1, form);
        let receiver = Receiver::start(&at, 10, 1000);
        let sender = Sender::start(&out, &at.local);
        // Far from the beginning, so that old numbers are old.
        for number in 0..10 {
            put(&sender, number);
        }
        for number in 0..10 {
            expect(&receiver, number, exact);
        }
        let mut stranger = Set::open(options(Provider::Tcp, inet("127.0.0.1:0"))).unwrap();
        let peer = stranger.insert(&at.local).unwrap();
        let mut said = 0;
        let mut speak = |number| {
            let message = strange(&LAYOUT, number);
            let len = message.len();
            said += u64::from(stranger.send(0, peer, message.into(), len, &[]).is_ok());
            let _ = stranger.send_control(0, peer, &content(96, number));
            let _ = stranger.poll();
            said
        };
        for number in 10..200 {
            put(&sender, number);
            speak(number);
        }
        for number in 10..200 {
            expect(&receiver, number, exact);
        }
        // Some providers take longer to connect than all that lasts.
        let mut number = 200;
        until("refusals", || {
            number += 1;
            let said = speak(number);
            let counts = receiver.status.counts();
            let refused = counts.malformed + counts.replayed + counts.wild + counts.foreign;
            refused > 0 && said > 0
        });
        let counts = receiver.status.counts();
        assert_eq!((counts.frames, counts.gaps), (200, 0), "{counts:?}");
    }
}

#[test]
fn what_cannot_be_is_refused_at_the_start() {
    if !ready() {
        return;
    }
    let (mut out, at) = ends(LAYOUT, 1, None);
    out.endpoints = 9;
    assert_eq!(try_start(&out, &at.local), "number of endpoints is 9, accepted are 1 to 8");
    out.endpoints = 8;
    assert!(try_start(&out, &inet("127.0.0.1:65535")).starts_with("the last endpoint's port"));
    out.layout.payload_size = 1 << 33;
    assert!(try_start(&out, &at.local).starts_with("size of a frame"));
}

fn try_start(link: &LinkOptions, remote: &Address) -> String {
    Sender::try_start(link, remote, None).map(|_| ()).unwrap_err().to_string()
}

/// A source closes while its last frames still wait for room: its receivers get these, and then the
/// end.
#[test]
fn the_end_of_a_stream_comes_behind_its_last_frame() {
    if !ready() {
        return;
    }
    for (endpoints, form) in [(1, extended(false)), (3, extended(true))] {
        let (out, at) = ends(LAYOUT, endpoints, form);
        let receiver = Receiver::start(&at, 8, 100);
        let sender = Sender::start(&out, &at.local);
        (0..40).for_each(|number| put(&sender, number));
        sender.end_stream();
        assert_eq!(receiver.stream_ended(), (true, 40));
        // The next source's frames wait for the next session.
        (0..10).for_each(|number| put(&sender, number));
        let receiver = Receiver::start(&at, 8, 100);
        (0..10).for_each(|number| expect(&receiver, number, true));
        assert_eq!(sender.status.counts().unsent, 0);
        // The bridge is stopped behind a close, as when the agent removes it.
        sender.end_stream();
        sender.stop();
        receiver.end();
        assert_eq!(receiver.stream_ended(), (true, 0));
    }
}

/// Whatever else happens to a bridge is no end.
#[test]
fn a_bridge_that_is_stopped_or_lost_is_no_end() {
    if !ready() {
        return;
    }
    let (out, at) = ends(LAYOUT, 1, extended(false));
    let receiver = Receiver::start(&at, 8, 100);
    let sender = Sender::start(&out, &at.local);
    put(&sender, 0);
    expect(&receiver, 0, true);
    // As when the proxy of the source ends; and then another one comes.
    drop(sender);
    until("the goodbye", || receiver.status.link() == LinkState::Down);
    let sender = Sender::start(&out, &at.local);
    put(&sender, 1);
    expect(&receiver, 1, true);
    receiver.end();
    sender.stop();
    assert_eq!(receiver.stream_ended(), (false, 0));
}

/// The source ends while the other side is away. It is told when it is back, before the next
/// source's frames come.
#[test]
fn an_end_that_nobody_heard_is_told_later() {
    if !ready() {
        return;
    }
    let (out, at) = ends(LAYOUT, 1, extended(false));
    let receiver = Receiver::start(&at, 8, 100);
    let sender = Sender::start(&out, &at.local);
    put(&sender, 0);
    expect(&receiver, 0, true);
    drop(receiver);
    until("the loss", || sender.status.link() == LinkState::Down);
    sender.end_stream();
    until("the end is taken", || sender.left() == 0);
    let receiver = Receiver::start(&at, 8, 100);
    assert_eq!(receiver.stream_ended(), (true, 0));
    put(&sender, 1);
    let receiver = Receiver::start(&at, 8, 100);
    expect(&receiver, 1, true);
}
