//! Conformance of one frame or field to the limits of ST 2110-21.

use media::Tai;

use crate::pacing::SenderType;
use crate::time::RtpTimestamp;

/// The strictest sender type within whose limits a frame or field arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conformance {
    /// Within the limits of that type.
    Complies(SenderType),
    /// Outside the limits of all types.
    Fails,
    /// Not analysed: the rate or the number of packets is not known yet, or this unit has another
    /// number.
    Unknown,
}

/// The sender types within whose limits a frame or field arrived.
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
    /// Whether it is within the limits of `kind`, for a stream whose description promises that
    /// type.
    pub const fn with(self, kind: SenderType) -> bool {
        match kind {
            SenderType::Narrow => self.narrow,
            SenderType::NarrowLinear => self.linear,
            SenderType::Wide => self.wide,
        }
    }

    /// The strictest of them.
    pub const fn conformance(self) -> Conformance {
        match self {
            Self { narrow: true, .. } => Conformance::Complies(SenderType::Narrow),
            Self { linear: true, .. } => Conformance::Complies(SenderType::NarrowLinear),
            Self { wide: true, .. } => Conformance::Complies(SenderType::Wide),
            _ => Conformance::Fails,
        }
    }
}

/// Measurements of one unit: a frame, or a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitReport {
    /// Its timestamp.
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
    /// Arrival of the first packet minus its timestamp, in ticks of the media clock.
    pub rtp_offset: i32,
    /// The greatest Cinst, which runs on across units; `None` while rate and packets are not known.
    pub cinst: Option<f64>,
    /// The least and greatest level of the virtual receiver buffer with the gapped schedule. Below
    /// 0 it underran.
    pub vrx: Option<(i64, i64)>,
    /// The same with the linear schedule.
    pub vrx_linear: Option<(i64, i64)>,
    /// The types within whose limits it arrived; `None` if it cannot be analysed.
    pub compliance: Option<Compliance>,
}

impl UnitReport {
    /// The strictest type within whose limits it arrived.
    pub fn conformance(&self) -> Conformance {
        self.compliance.map_or(Conformance::Unknown, Compliance::conformance)
    }
}
