//! Why packets were refused whose payload does not fit the format, by name.

use super::stream::Essence;
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
            Essence::Video { .. } => Self::Video,
            Essence::Codestreams(_) | Essence::Coded(_) => Self::Codestreams,
            Essence::Audio { .. } => Self::Audio,
            Essence::Ancillary(_) => Self::Ancillary,
        }
    }
}

/// Of the stream itself.
pub(crate) fn of_stream(kind: Kind, refused: &Refused) -> Vec<(&'static str, u64)> {
    match kind {
        Kind::Video => vec![
            ("refused_truncated", refused.truncated),
            ("refused_length", refused.length),
            ("refused_line", refused.line),
            ("refused_offset", refused.offset),
            ("refused_field", refused.field),
        ],
        Kind::Codestreams => vec![
            ("refused_truncated", refused.truncated),
            ("refused_empty", refused.empty),
            ("refused_mode", refused.mode),
            ("refused_field", refused.field),
            ("refused_picture", refused.picture),
            ("refused_last", refused.last),
            ("refused_room", refused.room),
        ],
        Kind::Audio => vec![
            ("refused_empty", refused.empty),
            ("refused_length", refused.length),
            ("refused_too_long", refused.too_long),
        ],
        Kind::Ancillary => vec![
            ("refused_truncated", refused.truncated),
            ("refused_length", refused.length),
            ("refused_field", refused.field),
            ("refused_parity", refused.parity),
            ("refused_checksum", refused.checksum),
            ("refused_room", refused.room),
        ],
    }
}

/// Of the ancillary data that ride with video.
pub(crate) fn of_rider(refused: &Refused) -> [(&'static str, u64); 6] {
    [
        ("ancillary_refused_truncated", refused.truncated),
        ("ancillary_refused_length", refused.length),
        ("ancillary_refused_field", refused.field),
        ("ancillary_refused_parity", refused.parity),
        ("ancillary_refused_checksum", refused.checksum),
        ("ancillary_refused_room", refused.room),
    ]
}
