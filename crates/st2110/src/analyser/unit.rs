//! The judgement of one frame or field.

use media::Tai;

use crate::pacing::SenderType;
use crate::time::RtpTimestamp;

/// The strictest type whose limits a unit kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It kept the limits of that type.
    Complies(SenderType),
    /// It kept the limits of no type.
    Fails,
    /// Not judged: the rate or the number of packets is not known yet, or this unit has another number.
    Unknown,
}

/// The types whose limits a unit kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Compliance {
    /// Type N.
    pub narrow: bool,
    /// Type NL.
    pub linear: bool,
    /// Type W.
    pub wide: bool,
}

impl Compliance {
    /// Whether the limits of `kind` were kept: for a stream whose description promises that.
    pub const fn with(self, kind: SenderType) -> bool {
        match kind {
            SenderType::Narrow => self.narrow,
            SenderType::NarrowLinear => self.linear,
            SenderType::Wide => self.wide,
        }
    }

    /// The strictest of them.
    pub const fn verdict(self) -> Verdict {
        match self {
            Self { narrow: true, .. } => Verdict::Complies(SenderType::Narrow),
            Self { linear: true, .. } => Verdict::Complies(SenderType::NarrowLinear),
            Self { wide: true, .. } => Verdict::Complies(SenderType::Wide),
            _ => Verdict::Fails,
        }
    }
}

/// What was measured of one unit: a frame, or a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitReport {
    /// Its time stamp.
    pub timestamp: RtpTimestamp,
    /// When its first packet arrived.
    pub first_arrival: Tai,
    /// Its packets, lost ones included.
    pub packets: u32,
    /// Packets that did not arrive, or not before the marker.
    pub lost: u32,
    /// Whether both its ends were seen, so that `packets` is certain.
    pub whole: bool,
    /// The first packet relative to n·Tf + TRO, in nanoseconds; `None` while the rate is not known.
    pub first_packet: Option<i64>,
    /// Arrival of the first packet minus its time stamp, in ticks of the media clock.
    pub rtp_offset: i32,
    /// The greatest Cinst, which runs on across units; `None` while rate and packets are not known.
    pub cinst: Option<f64>,
    /// The least and greatest level of the virtual receiver buffer with the gapped schedule. Below 0 it underran.
    pub vrx: Option<(i64, i64)>,
    /// The same with the linear schedule.
    pub vrx_linear: Option<(i64, i64)>,
    /// The types whose limits it kept; `None` if it cannot be judged.
    pub compliance: Option<Compliance>,
}

impl UnitReport {
    /// The strictest type whose limits it kept.
    pub fn verdict(&self) -> Verdict {
        self.compliance.map_or(Verdict::Unknown, Compliance::verdict)
    }
}
