//! What sessions count, by name.

use super::judgement;
use crate::bridge::status::Figures;
use st2110_net::receive::ReceiveStats;
use st2110_net::send::SendStats;
use std::sync::Arc;

/// Lists fields of a structure of counts under their own names.
macro_rules! named {
    ($from:expr, $($field:ident),* $(,)?) => {{
        let counts = $from;
        [$((stringify!($field), counts.$field)),*]
    }};
}

/// Of an egress bridge.
pub(super) struct Sending {
    stats: Arc<SendStats>,
    /// Of the ancillary data that ride with video.
    rider: Option<Arc<SendStats>>,
    local: String,
    sdp: Option<String>,
}

impl Sending {
    pub(super) fn new(
        session: &st2110_net::send::Sending,
        local: String,
        sdp: Option<String>,
    ) -> Self {
        let (stats, rider) = (Arc::clone(session.stats()), session.ancillary_stats().cloned());
        Self { stats, rider, local, sdp }
    }
}

impl Figures for Sending {
    fn local(&self) -> String {
        self.local.clone()
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let own = named!(
            self.stats.get(),
            frames,
            packets,
            bytes,
            idle_periods,
            slipped_periods,
            late_frames,
            implausible_times,
            wrong_sizes,
            compliant_frames,
        );
        let mut counters = own.to_vec();
        let names = [("path1_full", "path1_refused"), ("path2_full", "path2_refused")];
        for (path, (full, refused)) in self.stats.paths().zip(names) {
            counters.extend([(full, path.full), (refused, path.refused)]);
        }
        if let Some(rider) = &self.rider {
            counters.push(("ancillary_packets", rider.get().packets));
        }
        counters
    }

    fn measurements(&self) -> Vec<(&'static str, f64)> {
        let counts = self.stats.get();
        vec![
            ("cinst_max", counts.cinst_max_milli as f64 / 1000.0),
            ("late_max_us", counts.late_max_ns as f64 / 1000.0),
            ("wake_late_max_us", counts.wake_late_max_ns as f64 / 1000.0),
        ]
    }

    fn sdp(&self) -> Option<String> {
        self.sdp.clone()
    }
}

/// Of an ingress bridge.
pub(super) struct Receiving {
    stats: Arc<ReceiveStats>,
    /// Of the ancillary data that ride with video.
    rider: Option<Arc<ReceiveStats>>,
    local: String,
    sdp: Option<String>,
}

impl Receiving {
    pub(super) fn new(
        session: &st2110_net::receive::Receiving,
        local: String,
        sdp: Option<String>,
    ) -> Self {
        let (stats, rider) = (Arc::clone(session.stats()), session.ancillary_stats().cloned());
        Self { stats, rider, local, sdp }
    }
}

impl Figures for Receiving {
    fn local(&self) -> String {
        self.local.clone()
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let own = named!(
            self.stats.get(),
            frames,
            incomplete_frames,
            dropped_frames,
            frames_without_slot,
            packets,
            bytes,
            lost,
            late,
            stray,
            not_rtp,
            other_payload_type,
            other_ssrc,
            other_sender,
            too_long,
            other_format,
            unaligned_times,
        );
        let mut counters = own.to_vec();
        let names = [
            [
                "path1_received",
                "path1_lost",
                "path1_reordered",
                "path1_duplicates",
                "path1_socket_drops",
            ],
            [
                "path2_received",
                "path2_lost",
                "path2_reordered",
                "path2_duplicates",
                "path2_socket_drops",
            ],
        ];
        for (path, names) in self.stats.paths().zip(names) {
            let counts =
                [path.received, path.lost, path.reordered, path.duplicates, path.socket_drops];
            counters.extend(names.into_iter().zip(counts));
        }
        counters.extend(judgement::counters(&self.stats.analyses()));
        if let Some(rider) = &self.rider {
            let rider = rider.get();
            counters.push(("ancillary_packets", rider.packets));
            counters.push(("ancillary_lost", rider.lost));
        }
        counters
    }

    fn measurements(&self) -> Vec<(&'static str, f64)> {
        judgement::measurements(&self.stats.analyses())
    }

    fn sdp(&self) -> Option<String> {
        self.sdp.clone()
    }
}
