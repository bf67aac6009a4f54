//! Simulated ancillary data, and frames with varying numbers of packets.

use media::Ancillary;
use st2110::{
    analyser::Expectation,
    pacing::{self, Raster, SenderType},
    time::FrameClock,
};

use super::{FRAMES, KINDS, rates, run};
use crate::{
    send::{
        AncillarySender, Identity,
        frames::Parts,
        outgoing::{Outgoing, Rtp},
        paths::Paths,
        pictures::{read_schedule, schedule_of},
        planned::{Planned, Start},
    },
    socket::SenderOptions,
};

#[test]
fn ancillary_data_take_their_period() {
    for rate in rates() {
        for (scan, units) in [(media::Scan::Progressive, 1), (media::Scan::Interlaced, 2)] {
            let sender = AncillarySender {
                ancillary: Ancillary { rate, scan },
                identity: Identity { payload_type: 100, ssrc: 1, sequence: 0xFFF0 },
                paths: vec![SenderOptions::new("239.0.0.1:5004".parse().unwrap())],
            };
            let raster = Some(Raster { height: 1080, fields: units == 2 });
            let packets = Some(1);
            let expected =
                Expectation { frame_rate: Some(rate), raster, packets, ..Expectation::default() };
            // A block without anything in it is one packet a field.
            let outcome =
                run(&[], expected, |feed, paths, clock| sender.parts(feed, paths, clock).unwrap());
            let fault = outcome.fault(SenderType::NarrowLinear, rate, &vec![1; units]);
            assert_eq!(fault, None, "{rate}, {units} fields");
        }
    }
}

/// Frames of as many packets as chance has it, of lengths that it has too, like codestreams.
struct Uneven {
    planned: Planned,
    random: u64,
    most: u32,
}

impl Uneven {
    fn below(&mut self, limit: u32) -> u32 {
        // Marsaglia: xorshift.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % u64::from(limit)) as u32
    }
}

impl Outgoing for Uneven {
    fn units(&self) -> usize {
        1
    }

    fn begin(&mut self, _: &[u8], _: &[u8]) -> bool {
        self.planned.clear();
        for _ in 0..=self.below(self.most) {
            let length = 20 + self.below(1400) as usize;
            assert!(self.planned.push(0, length, |_| Some(length)));
        }
        true
    }

    fn packets(&self, unit: usize) -> u32 {
        self.planned.count(unit) as u32
    }

    fn send(
        &mut self,
        _: &[u8],
        unit: usize,
        first: u32,
        most: u32,
        rtp: &mut Rtp,
        paths: &mut Paths,
    ) -> u32 {
        self.planned.send(unit, first as usize, most as usize, rtp, paths) as u32
    }
}

#[test]
fn frames_of_any_number_of_packets_take_their_period() {
    for (index, rate) in rates().into_iter().enumerate() {
        for (most, kind) in [1, 2, 4, 20, 300].into_iter().flat_map(|n| KINDS.map(|k| (n, k))) {
            let raster = Raster { height: 1080, fields: false };
            let outcome = run(&[], Expectation::default(), |feed, paths, clock| {
                let schedule = schedule_of(kind, raster, rate);
                let random = 88_172_645_463_325_252 ^ (index as u64 * 15 + u64::from(most));
                Parts {
                    feed,
                    essence: Uneven { planned: Planned::new(Start::Payload), random, most },
                    paths,
                    rtp: Rtp::new(Identity { payload_type: 96, ssrc: 1, sequence: 0 }),
                    clock: clock.clone(),
                    pacing: pacing::Sender::new(kind, schedule, most, None),
                    read: read_schedule(kind, raster, rate),
                    frames: FrameClock::frames(rate),
                    segmented: false,
                }
            });
            let fault = outcome.slow();
            assert_eq!(fault, None, "{rate}, up to {most} packets, {kind}");
            assert!(outcome.in_order && outcome.ends.len() as u64 == FRAMES);
        }
    }
}
