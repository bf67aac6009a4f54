//! Summary of a stream's frames over a span of time.

use std::time::Duration;

use media::FrameRate;

use super::running::Figures;
use super::{Conformance, Histogram, Spread, UnitReport};
use crate::pacing::{Limits, SenderType};
use crate::sequence::Counts;

/// What was wrong with markers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Markers {
    /// Units that ended without one, though no packet is missing there.
    pub missing: u64,
    /// Units with the timestamp of the one before: a marker in the middle of a frame, or segmented
    /// frames.
    pub repeated: u64,
}

/// Figures of a video stream over a while.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VideoSummary {
    /// Units a second, as expected or learnt.
    pub rate: Option<FrameRate>,
    /// Packets per unit, as expected or learnt.
    pub packets_per_unit: Option<u32>,
    /// The offset TRO of the analysis: as expected, or the least that would have done for the last
    /// units.
    pub offset: Option<Duration>,
    /// Units seen.
    pub units: u64,
    /// Units within the limits of type N, and of no stricter one.
    pub narrow: u64,
    /// Units of type NL.
    pub linear: u64,
    /// Units of type W.
    pub wide: u64,
    /// Units outside all limits.
    pub failed: u64,
    /// Units that were not analysed.
    pub unknown: u64,
    /// Cinst, greatest of all units.
    pub cinst: f64,
    /// Levels of the virtual receiver buffer with the gapped schedule, each unit's least and
    /// greatest.
    pub vrx: Spread,
    /// The same with the linear schedule.
    pub vrx_linear: Spread,
    /// First packets relative to n·Tf + TRO, in nanoseconds.
    pub first_packet: Spread,
    /// Arrival minus timestamp of first packets, in ticks.
    pub rtp_offset: Spread,
    /// Packets of whole units.
    pub packets: Spread,
    /// Times between packets, in nanoseconds.
    pub gaps: Spread,
    /// The same by powers of two.
    pub gap_histogram: Histogram,
    /// Markers that are not where they should be.
    pub markers: Markers,
    /// Octets of RTP packets.
    pub octets: u64,
    /// The greatest RTP packet, in octets.
    pub largest: usize,
    /// Accounting of sequence numbers.
    pub counts: Counts,
    /// The limits of types N, NL and W. `None` while rate and packets are not known.
    pub limits: Option<[Limits; 3]>,
}

impl VideoSummary {
    /// Units that were analysed.
    #[must_use]
    pub const fn judged(&self) -> u64 {
        self.narrow + self.linear + self.wide + self.failed
    }

    pub(crate) fn unit(&mut self, report: &UnitReport) {
        self.units += 1;
        match report.conformance() {
            Conformance::Complies(SenderType::Narrow) => self.narrow += 1,
            Conformance::Complies(SenderType::NarrowLinear) => self.linear += 1,
            Conformance::Complies(SenderType::Wide) => self.wide += 1,
            Conformance::Fails => self.failed += 1,
            Conformance::Unknown => self.unknown += 1,
        }
        self.cinst = self.cinst.max(report.cinst.unwrap_or(0.0));
        for (spread, levels) in
            [(&mut self.vrx, report.vrx), (&mut self.vrx_linear, report.vrx_linear)]
        {
            if let Some((low, high)) = levels {
                spread.add(low);
                spread.add(high);
            }
        }
        if let Some(first) = report.first_packet {
            self.first_packet.add(first);
        }
        self.rtp_offset.add(i64::from(report.rtp_offset));
        if report.whole {
            self.packets.add(i64::from(report.packets));
        }
    }
}

impl Figures for VideoSummary {
    fn add(&mut self, later: &Self) {
        self.units += later.units;
        self.narrow += later.narrow;
        self.linear += later.linear;
        self.wide += later.wide;
        self.failed += later.failed;
        self.unknown += later.unknown;
        self.cinst = self.cinst.max(later.cinst);
        self.vrx.merge(&later.vrx);
        self.vrx_linear.merge(&later.vrx_linear);
        self.first_packet.merge(&later.first_packet);
        self.rtp_offset.merge(&later.rtp_offset);
        self.packets.merge(&later.packets);
        self.gaps.merge(&later.gaps);
        self.gap_histogram.merge(&later.gap_histogram);
        self.markers.missing += later.markers.missing;
        self.markers.repeated += later.markers.repeated;
        self.octets += later.octets;
        self.largest = self.largest.max(later.largest);
    }
}
