//! The statistics of bridges.

mod declaration;

pub(super) use declaration::take;
pub(crate) use declaration::{Family, Figure, Max, Spread};

use daemon::exposition::Kind;
use declaration::{Member, statistics};
use serde::{Deserialize, Serialize};

statistics! {
    /// Statistics of a bridge. Those that its kind does not have are `None`.
    struct BridgeStatistics {
        "mcm_bridge_linked": Gauge, "0, 1", "Whether a bridge between proxies has a connection." {
            linked: bool,
        }
        "mcm_bridge_frames_total": Counter, "frames", "Frames sent completely, or received and put." {
            frames: u64,
        }
        "mcm_bridge_bytes_total": Counter, "bytes", "Bytes of these frames: payload between proxies, packets with RTP headers for ST 2110." {
            bytes: u64,
        }
        "mcm_bridge_packets_total": Counter, "packets", "RTP packets sent, or received and used." {
            packets: u64,
        }
        "mcm_bridge_missed_frames_total": Counter, "frames", "Frames that a bridge did not carry, by reason.", by "reason" {
            unsent: u64 = "no_link",
            gaps: u64 = "gap",
            dropped_frames: u64 = "incomplete",
            frames_without_slot: u64 = "no_slot",
            wrong_sizes: u64 = "wrong_size",
            codec_failures: u64 = "codec_failed",
            codec_dropped: u64 = "codec_late",
        }
        "mcm_bridge_late_frames_total": Counter, "frames", "Frames that left later than they should, and frame periods that passed unused for that reason.", by "reason" {
            late_frames: u64 = "frame_late",
            slipped_periods: u64 = "period_slipped",
        }
        "mcm_bridge_incomplete_frames_total": Counter, "frames", "Frames that were put with gaps." {
            incomplete_frames: u64,
        }
        "mcm_bridge_idle_periods_total": Counter, "periods", "Frame periods in which the source had put nothing." {
            idle_periods: u64,
        }
        "mcm_bridge_compliant_frames_total": Counter, "frames", "Frames whose packets all left as evenly as the sender's type demands (ST 2110-21)." {
            compliant_frames: u64,
        }
        "mcm_bridge_unjudged_frames_total": Counter, "frames", "Frames that the kernel paced, so that nobody here knows when their packets left." {
            unjudged_frames: u64,
        }
        "mcm_bridge_corrected_times_total": Counter, "frames", "Frames whose time was replaced, as it had nothing to do with the present." {
            implausible_times: u64,
            unaligned_times: u64,
        }
        "mcm_bridge_connects_total": Counter, "connections", "Connections made to the other proxy: one more than reconnections." {
            connects: u64,
        }
        "mcm_bridge_losses_total": Counter, "connections", "Connections to the other proxy that were lost." {
            losses: u64,
        }
        "mcm_bridge_refused_messages_total": Counter, "messages", "Messages from the network that were refused, by reason.", by "reason" {
            malformed: u64 = "malformed",
            replayed: u64 = "replayed",
            wild: u64 = "wild",
            foreign: u64 = "foreign",
        }
        "mcm_st2110_lost_packets_total": Counter, "packets", "Packets that came on no path." {
            lost: u64,
        }
        "mcm_st2110_refused_packets_total": Counter, "packets", "Packets that were not used, by reason.", by "reason" {
            late: u64 = "late",
            stray: u64 = "stray",
            not_rtp: u64 = "not_rtp",
            other_payload_type: u64 = "other_payload_type",
            other_ssrc: u64 = "other_ssrc",
            other_sender: u64 = "other_sender",
            too_long: u64 = "too_long",
            other_format: u64 = "other_format",
        }
        "mcm_st2110_refused_payloads_total": Counter, "packets", "Packets of audio and ancillary data that were refused as other_format, by what is wrong with their payload.", by "reason" {
            refused_truncated: u64 = "truncated",
            refused_empty: u64 = "empty",
            refused_length: u64 = "length",
            refused_too_long: u64 = "too_long",
            refused_field: u64 = "field",
            refused_line: u64 = "line",
            refused_offset: u64 = "offset",
            refused_mode: u64 = "mode",
            refused_picture: u64 = "picture",
            refused_last: u64 = "last",
            refused_parity: u64 = "parity",
            refused_checksum: u64 = "checksum",
            refused_room: u64 = "room",
        }
        "mcm_st2110_ancillary_packets_total": Counter, "packets", "Packets of the ancillary stream that rides with video.", by "result" {
            ancillary_packets: u64 = "used",
            ancillary_lost: u64 = "lost",
        }
        "mcm_st2110_ancillary_refused_packets_total": Counter, "packets", "Packets of the ancillary stream that rides with video that were not used, by what is wrong with their payload.", by "reason" {
            ancillary_refused_truncated: u64 = "truncated",
            ancillary_refused_length: u64 = "length",
            ancillary_refused_field: u64 = "field",
            ancillary_refused_parity: u64 = "parity",
            ancillary_refused_checksum: u64 = "checksum",
            ancillary_refused_room: u64 = "room",
        }
        "mcm_st2110_ancillary_faults_total": Counter, "blocks", "Blocks of ancillary data, one for each frame, that did not reach their picture, or not whole.", by "fault" {
            ancillary_incomplete: u64 = "incomplete",
            ancillary_late: u64 = "late",
            ancillary_too_large: u64 = "too_large",
            ancillary_unmatched: u64 = "unmatched",
        }
        "mcm_st2110_late_seconds": Gauge, "seconds", "How late frames were sent." {
            lateness: Max as "late",
        }
        "mcm_st2110_wake_late_seconds": Gauge, "seconds", "How late the sending thread woke up." {
            wake_late: Max,
        }
        "mcm_st2110_kernel_paced": Gauge, "0, 1", "1 if the kernel paces the stream, 0 if its thread does." {
            kernel_paced: f64,
        }
        "mcm_codec_frames_total": Counter, "frames", "Frames encoded or decoded." {
            codec_frames: u64,
        }
        "mcm_codec_seconds": Gauge, "seconds", "Time to encode or decode a frame." {
            codec: Max,
        }
    }
    with {
        /// What is measured over all paths of an ST 2110 stream together.
        stream: PathStatistics,
        /// Of each path of an ST 2110 stream, since the bridge began: one, or two with ST 2022-7.
        paths: Vec<PathStatistics>,
        /// Of each path within the last seconds.
        recent: Vec<PathStatistics>,
    }
}

statistics! {
    /// Statistics of a path of an ST 2110 stream.
    struct PathStatistics {
        "mcm_st2110_path_packets_total": Counter, "packets", "Packets of each path (ST 2022-7), by what became of them. socket_drop, full: dropped because a buffer of the kernel was full; refused: by the network.", by "result" {
            received: u64 = "received",
            lost: u64 = "lost",
            reordered: u64 = "reordered",
            duplicates: u64 = "duplicate",
            late: u64 = "late",
            foreign: u64 = "foreign",
            socket_drops: u64 = "socket_drop",
            full: u64 = "full",
            refused: u64 = "refused",
        }
        "mcm_st2110_path_restarts_total": Counter, "restarts", "How often the sender on a path started again." {
            restarts: u64,
        }
        "mcm_st2110_path_silent_seconds": Gauge, "seconds", "For how long nothing has come on one of two paths (ST 2022-7) while the other brought packets." {
            silent: f64,
        }
        "": Counter, "units", "The sum of mcm_st2110_units_total." {
            units: u64,
        }
        "mcm_st2110_units_total": Counter, "units", "Frames, or fields of interlaced video, of each path, by the strictest receiver type whose limits they kept (ST 2110-21).", by "verdict" {
            narrow: u64 = "narrow",
            narrow_linear: u64 = "narrow_linear",
            wide: u64 = "wide",
            not_compliant: u64 = "not_compliant",
            not_judged: u64 = "not_judged",
        }
        "mcm_st2110_marker_faults_total": Counter, "units", "Frames or fields without a marker though no packet is missing, and those with the timestamp of the one before.", by "fault" {
            markers_missing: u64 = "missing",
            markers_repeated: u64 = "repeated",
        }
        "mcm_st2110_discontinuities_total": Counter, "leaps", "Leaps in the timestamps of audio." {
            discontinuities: u64,
        }
        "mcm_st2110_cinst_packets": Gauge, "packets", "Cinst of ST 2110-21: the fullness of the network compatibility model's buffer, in packets." {
            cinst: Max,
        }
        "mcm_st2110_vrx_packets": Gauge, "packets", "Level of the virtual receiver buffer of ST 2110-21, in packets, with the gapped or the linear schedule.", by "schedule" {
            vrx: Spread = "gapped",
            vrx_linear: Spread = "linear",
        }
        "mcm_st2110_first_packet_seconds": Gauge, "seconds", "First packet of a frame or field, relative to the time that it is due." {
            first_packet: Spread,
        }
        "mcm_st2110_packet_gap_seconds": Gauge, "seconds", "Time between packets." {
            gap: Spread,
        }
        "mcm_st2110_rtp_offset_ticks": Gauge, "ticks", "Arrival minus RTP timestamp, in ticks of the RTP clock." {
            rtp_offset: Spread,
        }
        "mcm_st2110_delay_factor_seconds": Gauge, "seconds", "Timestamped delay factor of audio (EBU Tech 3337)." {
            ts_df: Spread,
        }
        "mcm_st2110_tro_seconds": Gauge, "seconds", "TRO: the offset by which frames or fields are judged." {
            tro: f64,
        }
        "mcm_st2110_packets_per_unit": Gauge, "packets", "Packets of a frame or field." {
            packets_per_unit: f64,
        }
        "mcm_st2110_samples_per_packet": Gauge, "samples", "Samples of audio in a packet." {
            samples_per_packet: f64,
        }
    }
}

/// The statistics of a path over a window of time.
pub(crate) struct Level<'a> {
    /// Of names in `ListBridges`.
    pub(crate) prefix: &'static str,
    /// The path's number, or empty for all together.
    pub(crate) path: &'static str,
    /// Since the bridge began (`all`), or the last seconds (`recent`); empty for all paths
    /// together.
    pub(crate) window: &'static str,
    pub(crate) statistics: &'a PathStatistics,
}

impl Level<'_> {
    /// Whether counts fall again, as they are those of the last seconds.
    pub(crate) fn is_recent(&self) -> bool {
        self.window == "recent"
    }
}

impl BridgeStatistics {
    /// What is known of the paths of a stream.
    pub(crate) fn levels(&self) -> impl Iterator<Item = Level<'_>> {
        let of = |paths| move |(statistics, (prefix, path))| (prefix, path, paths, statistics);
        let all = self.paths.iter().zip([("path1_", "1"), ("path2_", "2")]).map(of("all"));
        let recent = [("path1_last_", "1"), ("path2_last_", "2")];
        let recent = self.recent.iter().zip(recent).map(of("recent"));
        let levels = [("", "", "", &self.stream)].into_iter().chain(all).chain(recent);
        levels.map(|(prefix, path, window, statistics)| Level { prefix, path, window, statistics })
    }

    /// Frames that the bridge did not carry.
    pub(crate) fn missed_frames(&self) -> u64 {
        self.sum("mcm_bridge_missed_frames_total")
    }

    /// Connections that were lost, and messages that were refused.
    pub(crate) fn errors(&self) -> u64 {
        self.losses.unwrap_or(0).saturating_add(self.sum("mcm_bridge_refused_messages_total"))
    }

    /// The counts of a family together.
    fn sum(&self, family: &str) -> u64 {
        let families = Self::FAMILIES.iter().filter(|known| known.name == family);
        let counts = families.flat_map(|known| known.members).map(|member| (member.get)(self));
        let sum = |sum: u64, count| match count {
            Some(Figure::Count(count)) => sum.saturating_add(count),
            _ => sum,
        };
        counts.fold(0, sum)
    }
}
