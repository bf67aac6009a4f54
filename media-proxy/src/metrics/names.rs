//! Under which names and labels counts of bridges appear.
//!
//! Bridges tell their counts by short names. Those that have a place here get it; others, which are newer than this table, appear under
//! `mcm_bridge_count_total` by their short names.

use exposition::Kind::{self, Counter, Gauge};

/// A family for counts of bridges.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    /// The label by which members differ, beside `path`; empty if there is none.
    pub(super) label: &'static str,
    /// Short names of counts and the label's values. `path1_x` and `path2_x` are listed as `x` if `paths` is true.
    pub(super) members: &'static [(&'static str, &'static str)],
    pub(super) paths: bool,
}

pub(super) const FAMILIES: &[Family] = &[
    Family {
        name: "mcm_bridge_linked",
        kind: Gauge,
        help: "Whether a bridge between proxies has a connection.",
        label: "",
        members: &[("linked", "")],
        paths: false,
    },
    Family {
        name: "mcm_bridge_frames_total",
        kind: Counter,
        help: "Frames sent completely, or received and put.",
        label: "",
        members: &[("frames", "")],
        paths: false,
    },
    Family {
        name: "mcm_bridge_bytes_total",
        kind: Counter,
        help: "Bytes of these frames: payload between proxies, packets with RTP headers for ST 2110.",
        label: "",
        members: &[("bytes", "")],
        paths: false,
    },
    Family {
        name: "mcm_bridge_packets_total",
        kind: Counter,
        help: "RTP packets sent, or received and used.",
        label: "",
        members: &[("packets", "")],
        paths: false,
    },
    Family {
        name: "mcm_bridge_missed_frames_total",
        kind: Counter,
        help: "Frames that a bridge did not carry, by reason.",
        label: "reason",
        members: &[
            ("unsent", "no_link"),
            ("gaps", "gap"),
            ("dropped_frames", "incomplete"),
            ("frames_without_slot", "no_slot"),
            ("wrong_sizes", "wrong_size"),
            ("codec_failures", "codec_failed"),
            ("codec_dropped", "codec_late"),
        ],
        paths: false,
    },
    Family {
        name: "mcm_bridge_late_frames_total",
        kind: Counter,
        help: "Frames that left later than they should, and frame periods that passed unused for that reason.",
        label: "reason",
        members: &[("late_frames", "frame_late"), ("slipped_periods", "period_slipped")],
        paths: false,
    },
    Family {
        name: "mcm_bridge_incomplete_frames_total",
        kind: Counter,
        help: "Frames that were put with gaps.",
        label: "",
        members: &[("incomplete_frames", "")],
        paths: false,
    },
    Family {
        name: "mcm_bridge_idle_periods_total",
        kind: Counter,
        help: "Frame periods in which the source had put nothing.",
        label: "",
        members: &[("idle_periods", "")],
        paths: false,
    },
    Family {
        name: "mcm_bridge_compliant_frames_total",
        kind: Counter,
        help: "Frames whose packets all left as evenly as the sender's type demands (ST 2110-21).",
        label: "",
        members: &[("compliant_frames", "")],
        paths: false,
    },
    Family {
        name: "mcm_bridge_corrected_times_total",
        kind: Counter,
        help: "Frames whose time was replaced, as it had nothing to do with the present.",
        label: "",
        members: &[("implausible_times", ""), ("unaligned_times", "")],
        paths: false,
    },
    Family {
        name: "mcm_bridge_connects_total",
        kind: Counter,
        help: "Connections made to the other proxy: one more than reconnections.",
        label: "",
        members: &[("connects", "")],
        paths: false,
    },
    Family {
        name: "mcm_bridge_losses_total",
        kind: Counter,
        help: "Connections to the other proxy that were lost.",
        label: "",
        members: &[("losses", "")],
        paths: false,
    },
    Family {
        name: "mcm_bridge_refused_messages_total",
        kind: Counter,
        help: "Messages from the network that were refused, by reason.",
        label: "reason",
        members: &[
            ("malformed", "malformed"),
            ("replayed", "replayed"),
            ("wild", "wild"),
            ("foreign", "foreign"),
        ],
        paths: false,
    },
    Family {
        name: "mcm_st2110_lost_packets_total",
        kind: Counter,
        help: "Packets that came on no path.",
        label: "",
        members: &[("lost", "")],
        paths: false,
    },
    Family {
        name: "mcm_st2110_refused_packets_total",
        kind: Counter,
        help: "Packets that were not used, by reason.",
        label: "reason",
        members: &[
            ("late", "late"),
            ("stray", "stray"),
            ("not_rtp", "not_rtp"),
            ("other_payload_type", "other_payload_type"),
            ("other_ssrc", "other_ssrc"),
            ("other_sender", "other_sender"),
            ("too_long", "too_long"),
            ("other_format", "other_format"),
        ],
        paths: false,
    },
    Family {
        name: "mcm_st2110_ancillary_packets_total",
        kind: Counter,
        help: "Packets of the ancillary stream that rides with video.",
        label: "result",
        members: &[("ancillary_packets", "used"), ("ancillary_lost", "lost")],
        paths: false,
    },
    Family {
        name: "mcm_st2110_ancillary_faults_total",
        kind: Counter,
        help: "Blocks of ancillary data, one for each frame, that did not reach their picture, or not whole.",
        label: "fault",
        members: &[
            ("ancillary_incomplete", "incomplete"),
            ("ancillary_late", "late"),
            ("ancillary_too_large", "too_large"),
            ("ancillary_unmatched", "unmatched"),
        ],
        paths: false,
    },
    Family {
        name: "mcm_st2110_ancillary_refused_packets_total",
        kind: Counter,
        help: "Packets of the ancillary stream that rides with video that were not used, by what is wrong with their payload.",
        label: "reason",
        members: &[
            ("ancillary_refused_truncated", "truncated"),
            ("ancillary_refused_length", "length"),
            ("ancillary_refused_field", "field"),
            ("ancillary_refused_parity", "parity"),
            ("ancillary_refused_checksum", "checksum"),
            ("ancillary_refused_room", "room"),
        ],
        paths: false,
    },
    Family {
        name: "mcm_st2110_refused_payloads_total",
        kind: Counter,
        help: "Packets of audio and ancillary data that were refused as other_format, by what is wrong with their payload.",
        label: "reason",
        members: &[
            ("refused_truncated", "truncated"),
            ("refused_empty", "empty"),
            ("refused_length", "length"),
            ("refused_too_long", "too_long"),
            ("refused_field", "field"),
            ("refused_parity", "parity"),
            ("refused_checksum", "checksum"),
            ("refused_room", "room"),
        ],
        paths: false,
    },
    Family {
        name: "mcm_codec_frames_total",
        kind: Counter,
        help: "Frames encoded or decoded.",
        label: "",
        members: &[("codec_frames", "")],
        paths: false,
    },
    Family {
        name: "mcm_st2110_path_packets_total",
        kind: Counter,
        help: "Packets of each path (ST 2022-7), by what became of them. socket_drop, full: dropped because a buffer of the kernel was full; refused: by the network.",
        label: "result",
        members: &[
            ("received", "received"),
            ("lost", "lost"),
            ("reordered", "reordered"),
            ("duplicates", "duplicate"),
            ("late", "late"),
            ("foreign", "foreign"),
            ("socket_drops", "socket_drop"),
            ("full", "full"),
            ("refused", "refused"),
        ],
        paths: true,
    },
    Family {
        name: "mcm_st2110_path_restarts_total",
        kind: Counter,
        help: "How often the sender on a path started again.",
        label: "",
        members: &[("restarts", "")],
        paths: true,
    },
    Family {
        name: "mcm_st2110_units_total",
        kind: Counter,
        help: "Frames, or fields of interlaced video, of each path, by the strictest receiver type whose limits they kept (ST 2110-21).",
        label: "verdict",
        members: &[
            ("narrow", "narrow"),
            ("narrow_linear", "narrow_linear"),
            ("wide", "wide"),
            ("not_compliant", "not_compliant"),
            ("not_judged", "not_judged"),
        ],
        paths: true,
    },
    Family {
        name: "mcm_st2110_marker_faults_total",
        kind: Counter,
        help: "Frames or fields without a marker though no packet is missing, and those with the timestamp of the one before.",
        label: "fault",
        members: &[("markers_missing", "missing"), ("markers_repeated", "repeated")],
        paths: true,
    },
    Family {
        name: "mcm_st2110_discontinuities_total",
        kind: Counter,
        help: "Leaps in the timestamps of audio.",
        label: "",
        members: &[("discontinuities", "")],
        paths: true,
    },
];

/// Counts that follow from others, and so are not shown.
pub(super) const SUMS: &[&str] = &["units"];

/// The path of a count, and its name there: `path1_lost` is `lost` of path 1.
pub(super) fn of_path(name: &str) -> Option<(&'static str, &str)> {
    let strip = |path| name.strip_prefix(path);
    strip("path1_").map(|rest| ("1", rest)).or_else(|| strip("path2_").map(|rest| ("2", rest)))
}
