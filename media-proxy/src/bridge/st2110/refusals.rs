//! Reasons why packets were refused whose payload does not fit the format.

use super::stream::Essence;
use crate::bridge::statistics::BridgeStatistics;
use st2110_net::receive::Refused;

/// What a stream consists of, as far as reasons differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Video,
    Codestreams,
    Audio,
    Ancillary,
}

impl Kind {
    pub(super) fn of(essence: &Essence) -> Self {
        match essence {
            Essence::Video(_) => Self::Video,
            Essence::Codestreams | Essence::Coded(_) => Self::Codestreams,
            Essence::Audio => Self::Audio,
            Essence::Ancillary => Self::Ancillary,
        }
    }
}

/// Adds the reasons that packets of a stream of this kind can be refused for.
pub(crate) fn of_stream(statistics: &mut BridgeStatistics, kind: Kind, refused: Refused) {
    use Kind::{Ancillary, Audio, Codestreams, Video};
    let of = |kinds: &[Kind], count: u64| kinds.contains(&kind).then_some(count);
    let Refused {
        truncated,
        empty,
        length,
        too_long,
        field,
        line,
        offset,
        mode,
        picture,
        last,
        parity,
        checksum,
        room,
    } = refused;
    statistics.refused_truncated = of(&[Video, Codestreams, Ancillary], truncated);
    statistics.refused_empty = of(&[Codestreams, Audio], empty);
    statistics.refused_length = of(&[Video, Audio, Ancillary], length);
    statistics.refused_too_long = of(&[Audio], too_long);
    statistics.refused_field = of(&[Video, Codestreams, Ancillary], field);
    statistics.refused_line = of(&[Video], line);
    statistics.refused_offset = of(&[Video], offset);
    statistics.refused_mode = of(&[Codestreams], mode);
    statistics.refused_picture = of(&[Codestreams], picture);
    statistics.refused_last = of(&[Codestreams], last);
    statistics.refused_parity = of(&[Ancillary], parity);
    statistics.refused_checksum = of(&[Ancillary], checksum);
    statistics.refused_room = of(&[Codestreams, Ancillary], room);
}

/// Adds the reasons for the ancillary stream that is associated with video.
pub(crate) fn of_ancillary(statistics: &mut BridgeStatistics, refused: Refused) {
    statistics.ancillary_refused_truncated = Some(refused.truncated);
    statistics.ancillary_refused_length = Some(refused.length);
    statistics.ancillary_refused_field = Some(refused.field);
    statistics.ancillary_refused_parity = Some(refused.parity);
    statistics.ancillary_refused_checksum = Some(refused.checksum);
    statistics.ancillary_refused_room = Some(refused.room);
}
