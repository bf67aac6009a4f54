//! Analysis of packets that arrived together, all at once.

use std::ops::Range;

use media::Tai;

use super::{UnitReport, VideoAnalyser};
use crate::rtp::Run;

impl VideoAnalyser {
    /// Takes in packets that arrived at once, as [`VideoAnalyser::packet`] would one after the
    /// other. `report` is called for each unit that has ended.
    pub fn run(&mut self, arrival: Tai, run: &Run<'_>, mut report: impl FnMut(UnitReport)) {
        let mut index = 0;
        while let (Some((header, _)), Some(datagram)) =
            (run.packet(index), run.datagrams().get(index))
        {
            self.packet(arrival, &header, datagram.len()).into_iter().for_each(&mut report);
            index += 1;
            let inner = index..run.before_marker();
            if self.inner(arrival, run, inner.clone()).is_some() {
                index = inner.end;
            }
        }
    }

    /// Takes in those packets of a run behind the one that was taken in last, if they are within
    /// its unit and all that is to be learnt of them follows from that one: they are the next in
    /// number and have no marker. `None` if not; then nothing was taken in.
    fn inner(&mut self, arrival: Tai, run: &Run<'_>, inner: Range<usize>) -> Option<()> {
        let (header, part) = (run.header(), run.datagrams().part(inner.clone())?);
        let unit = self.unit.as_mut()?;
        let judged = self.model.is_some() && unit.n.is_some();
        // Without an agreed offset each packet has a say in it.
        let agreed = self.offsets.iter().all(|offset| offset.agreed.is_some());
        let read = unit.read.filter(|(at, _)| agreed && *at == arrival).map(|(_, read)| read);
        if unit.timestamp.0 != header.timestamp || judged && read.is_none() {
            return None;
        }
        let (count, sequence) = (part.count() as u32, header.sequence);
        let number = u32::from(sequence.wrapping_add(inner.start as u16));
        let first = self.tracker.feed_next(arrival, header.ssrc, number, count)?;
        unit.received += count;
        unit.highest = first + u64::from(count) - 1;
        if let Some(read) = read.filter(|_| judged) {
            let index = |number| u32::try_from(number - unit.base).unwrap_or(u32::MAX);
            let (low, high) = (index(first), index(unit.highest));
            unit.levels(low, read);
            unit.levels(high, read);
        }
        self.traffic(arrival, count, part.octets(), part.longest());
        self.count(arrival, count);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use media::FrameRate;
    use proptest::prelude::*;

    use super::*;
    use crate::analyser::Expectation;
    use crate::pacing::Raster;
    use crate::rtp::{Datagrams, Header};
    use crate::sequence::NumberWidth;

    /// What comes next of a stream.
    #[derive(Clone, Debug)]
    struct Step {
        kind: u8,
        count: usize,
        leap: i16,
        wait: u64,
        cut: usize,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = (0_u8..48, 1_usize..30, -20_i16..20, 0_u64..900, 0_usize..9);
        prop::collection::vec(
            step.prop_map(|(kind, count, leap, wait, cut)| Step { kind, count, leap, wait, cut }),
            1..200,
        )
    }

    fn analyser(known: u8) -> VideoAnalyser {
        let is = |bit: u8| known >> bit & 1 != 0;
        VideoAnalyser::new(Expectation {
            frame_rate: is(0).then_some(FrameRate { num: 50, den: 1 }),
            raster: is(1).then_some(Raster { height: 1080, fields: is(2) }),
            packets: is(3).then_some(120),
            offset: is(4).then_some(Duration::from_micros(500)),
            ..Expectation::default()
        })
    }

    proptest! {
        #[test]
        fn a_run_is_as_its_packets_one_after_the_other(known: u8, start: u16, steps in steps()) {
            let (mut whole, mut single) = (analyser(known), analyser(known));
            let mut header = Header { sequence: start, payload_type: 96, ..Header::default() };
            let mut time = 2_000_000_000;
            let mut in_frame = 0;
            for Step { kind, count, leap, wait, cut } in steps {
                // Mostly what follows, in units of about 120 packets; now and then a leap, a copy,
                // a stranger, a clock that goes back.
                header.sequence = match kind {
                    0 | 1 => header.sequence.wrapping_add_signed(leap),
                    2 => header.sequence.wrapping_add(12_000),
                    _ => header.sequence,
                };
                header.ssrc = u32::from(kind == 3 || kind == 4);
                time = if kind == 5 { time - wait * 1000 } else { time + wait * 2000 };
                in_frame += count;
                let marker = in_frame > 110 && kind != 6;
                let mut bytes = Vec::new();
                for index in 0..count {
                    let marker = marker && index + 1 == count;
                    bytes.extend(Header { marker, ..header }.to_bytes());
                    bytes.extend([0; 8]);
                    header.sequence = header.sequence.wrapping_add(1);
                }
                bytes.truncate(bytes.len() - cut);
                if in_frame > 110 {
                    (in_frame, header.timestamp) = (0, header.timestamp.wrapping_add(1800));
                }
                let arrival = Tai::from_nanos(time);
                let (mut reports, mut expected) = (Vec::new(), Vec::new());
                for run in Run::all(Datagrams::new(&bytes, 20), NumberWidth::Bits16) {
                    let run = run.unwrap();
                    whole.run(arrival, &run, |report| reports.push(report));
                    for (index, (header, _)) in run.packets().enumerate() {
                        let size = run.datagrams().get(index).unwrap().len();
                        expected.extend(single.packet(arrival, &header, size));
                    }
                }
                prop_assert_eq!(reports, expected);
                prop_assert_eq!(whole.summary(), single.summary());
            }
            // All that is remembered, not only what is shown.
            prop_assert_eq!(format!("{whole:?}"), format!("{single:?}"));
        }
    }
}
