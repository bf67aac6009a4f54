//! What one proxy receives from another: frames, control messages, in any order, from anybody.
#![no_main]

use fabric::bridge::LinkKey;
use fabric::bridge::wire_layout::WireLayout;
use fabric::bridge::sequence::{Sequencer, Start};
use fabric::bridge::session::{CallState, Caller, Listener, Patience, Terms};
use libfuzzer_sys::fuzz_target;
use std::time::{Duration, Instant};

const TERMS: Terms = Terms { payload_size: 64, metadata_size: 8, endpoints: 2, sealed: false };

fuzz_target!(|data: &[u8]| {
    let layout = WireLayout { payload_size: 64, metadata_size: 8 };
    if let Ok((sysdata, _)) = layout.plain(data) {
        assert!(sysdata.payload_len <= 64 && sysdata.metadata_len <= 8);
    }
    if let Ok((body, _)) = layout.extended(data)
        && let Ok(sysdata) = layout.opened(body)
    {
        assert!(layout.used(sysdata.payload_len, sysdata.metadata_len) == body.len());
    }

    let mut now = Instant::now();
    let address = "127.0.0.1:9000".parse().unwrap();
    let patience = Patience::new(Duration::ZERO);
    let mut caller = Caller::new(&LinkKey([1; 32]), TERMS, address, [2; 24], patience, 0, now);
    let mut listener = Listener::new(LinkKey([1; 32]), TERMS, patience);
    let mut order = Sequencer::new(Start::Anywhere, 2);
    let mut next = None;
    let mut rest = data;
    while let Some((&what, tail)) = rest.split_first() {
        let (chunk, tail) = tail.split_at(tail.len().min(usize::from(what) % 128));
        rest = tail;
        now += Duration::from_millis(u64::from(what) / 8);
        match what % 4 {
            // Strangers, who never know the key.
            0 => {
                assert!(listener.receive(chunk, [3; 16], now).is_err());
                assert!(caller.receive(chunk, now).is_err());
            }
            // The two proxies, with a message spoilt at times.
            1 => {
                if what >= 192 {
                    caller.end_stream(now);
                }
                if let Some(mut message) = caller.transmit(0, now) {
                    let spoilt = chunk.first().is_some_and(|at| {
                        message[usize::from(*at) % 96] ^= 1;
                        true
                    });
                    let heard = listener.receive(&message, [what; 16], now);
                    assert!(!spoilt || heard.is_err());
                }
                if let Some((_, message)) = listener.transmit(u64::from(what), now) {
                    let _ = caller.receive(&message, now);
                }
                assert!(listener.stream_end().is_none_or(|end| end == 0), "nothing was sent");
                if let CallState::Up { credit } = caller.state(now) {
                    assert!(credit <= 255);
                }
            }
            2 => {
                let sequence =
                    chunk.first_chunk().map_or(u64::from(what), |b| u64::from_le_bytes(*b));
                let _ = order.arrived(chunk.len() % 3, sequence, sequence, now);
            }
            _ => {
                while let Some((skipped, frame)) = order.ready(now) {
                    // Numbers rise by what is told, unless another sender has begun.
                    if let Some(next) = next
                        && frame >= next
                    {
                        assert!(frame - next >= skipped);
                    }
                    next = Some(frame + 1);
                }
                assert!(order.waiting() <= 1024);
            }
        }
    }
});
