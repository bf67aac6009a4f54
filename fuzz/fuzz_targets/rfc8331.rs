//! RTP packets and blocks with ancillary data.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media::{FrameRate, Scan};
use st2110::ancillary::{Block, Collector, FieldMark, Payloads};
use st2110::rtp::Header;

const LIMIT: usize = 4096;

fuzz_target!(|data: &[u8]| {
    if let Ok(block) = Block::parse(data) {
        for field in [FieldMark::First, FieldMark::Second] {
            let Ok(mut payloads) = Payloads::new(&block, field, 1440) else { continue };
            let mut payload = [0; 1440];
            while payloads.write(0, &mut payload).is_some() {}
        }
    }
    let mut collector = Collector::new(FrameRate::default(), Scan::Interlaced, LIMIT);
    let mut rest = data;
    let mut out = [0; LIMIT];
    while let Some((head, tail)) = rest.split_first_chunk::<5>() {
        let header = Header {
            marker: head[0] & 1 == 1,
            sequence: u16::from(head[1]),
            timestamp: u32::from(head[2]) * 750 / u32::from(head[3] % 4 + 1),
            ..Header::default()
        };
        let (payload, next) = tail.split_at(usize::from(head[4]).min(tail.len()));
        let _ = collector.push(&header, payload);
        while let Some(frame) = collector.pop(&mut out).expect("room") {
            Block::parse(&out[..frame.len]).expect("a block that was collected");
        }
        rest = next;
    }
});
