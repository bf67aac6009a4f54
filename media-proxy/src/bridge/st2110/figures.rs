//! What sessions count, by name.

use super::coding::CodecCounts;
use super::judgement;
use super::refusals::{self, Kind};
use super::stream::Essence;
use crate::bridge::status::Figures;
use st2110_net::receive::{PathReceived, ReceiveStats};
use st2110_net::send::SendStats;
use st2110_net::socket::Warning;
use std::sync::Arc;

/// What is known of a bridge when it starts.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Of streams that the mesh encodes or decodes.
    pub(super) codec: Option<Arc<CodecCounts>>,
    /// Address at this end.
    pub(super) local: String,
    pub(super) sdp: Option<String>,
    /// What is wrong with its configuration, and does not keep it from working.
    pub(super) remarks: Vec<String>,
    /// What its thread has to do without.
    pub(super) shortfall: Option<String>,
}

/// Warnings as people read them; those of ancillary data that ride with video say so.
fn in_words(own: Vec<Warning>, rider: Option<Vec<Warning>>) -> impl Iterator<Item = String> {
    let rider = rider.into_iter().flatten().map(|warning| format!("ancillary data: {warning}"));
    own.into_iter().map(|warning| warning.to_string()).chain(rider)
}

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
    facts: Facts,
}

impl Sending {
    pub(super) fn new(session: &st2110_net::send::Sending, facts: Facts) -> Self {
        let (stats, rider) = (Arc::clone(session.stats()), session.ancillary_stats().cloned());
        Self { stats, rider, facts }
    }
}

impl Figures for Sending {
    fn local(&self) -> String {
        self.facts.local.clone()
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
            unjudged_frames,
        );
        let mut counters = own.to_vec();
        let names = [("path1_full", "path1_refused"), ("path2_full", "path2_refused")];
        for (path, (full, refused)) in self.stats.paths().zip(names) {
            counters.extend([(full, path.full), (refused, path.refused)]);
        }
        if let Some(rider) = &self.rider {
            counters.push(("ancillary_packets", rider.get().packets));
        }
        counters.extend(self.facts.codec.iter().flat_map(|codec| codec.counters()));
        counters
    }

    fn measurements(&self) -> Vec<(&'static str, f64)> {
        let counts = self.stats.get();
        let mut measured = vec![
            ("kernel_paced", u8::from(self.stats.kernel_paced()).into()),
            ("cinst_max", counts.cinst_max_milli as f64 / 1000.0),
            ("late_max_us", counts.late_max_ns as f64 / 1000.0),
            ("wake_late_max_us", counts.wake_late_max_ns as f64 / 1000.0),
        ];
        measured.extend(self.facts.codec.iter().map(|codec| codec.longest()));
        measured
    }

    fn warnings(&self) -> Vec<String> {
        let rider = self.rider.as_ref();
        let refused =
            [Some(&self.stats), rider].into_iter().flatten().filter_map(|it| it.refusal());
        let refused = refused.map(|reason| format!("the network refused packets: {reason}"));
        let found = in_words(self.stats.warnings(), rider.map(|rider| rider.warnings()));
        self.facts.remarks.iter().cloned().chain(found).chain(refused).collect()
    }

    fn shortfall(&self) -> Option<String> {
        self.facts.shortfall.clone()
    }

    fn sdp(&self) -> Option<String> {
        self.facts.sdp.clone()
    }
}

/// What a path of a received stream has counted; the first is number 0.
fn of_path(path: &PathReceived, number: usize) -> impl Iterator<Item = (&'static str, u64)> {
    macro_rules! names {
        ($($name:literal),*) => { [$([concat!("path1_", $name), concat!("path2_", $name)]),*] };
    }
    let names = names!(
        "received",
        "lost",
        "reordered",
        "duplicates",
        "late",
        "restarts",
        "foreign",
        "socket_drops"
    );
    let counts = [
        path.received,
        path.lost,
        path.reordered,
        path.duplicates,
        path.late,
        path.restarts,
        path.foreign,
        path.socket_drops,
    ];
    // More than two paths there are not.
    names.into_iter().zip(counts).map(move |(names, count)| (names[number.min(1)], count))
}

/// Of an ingress bridge.
pub(super) struct Receiving {
    essence: Kind,
    stats: Arc<ReceiveStats>,
    /// Of the ancillary data that ride with video.
    rider: Option<Arc<ReceiveStats>>,
    facts: Facts,
}

impl Receiving {
    pub(super) fn new(
        session: &st2110_net::receive::Receiving,
        essence: &Essence,
        facts: Facts,
    ) -> Self {
        let (stats, rider) = (Arc::clone(session.stats()), session.ancillary_stats().cloned());
        Self { essence: Kind::of(essence), stats, rider, facts }
    }
}

impl Figures for Receiving {
    fn local(&self) -> String {
        self.facts.local.clone()
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
        counters.extend(refusals::of_stream(self.essence, &self.stats.refused()));
        for (path, number) in self.stats.paths().zip(0..) {
            counters.extend(of_path(&path, number));
        }
        counters.extend(judgement::counters(&self.stats.analyses()));
        if let Some(rider) = &self.rider {
            let (counts, blocks) = (rider.get(), rider.riding());
            counters.extend([
                ("ancillary_packets", counts.packets),
                ("ancillary_lost", counts.lost),
                ("ancillary_incomplete", counts.incomplete_frames),
                ("ancillary_late", blocks.late),
                ("ancillary_too_large", blocks.too_large),
                ("ancillary_unmatched", blocks.unmatched),
            ]);
            counters.extend(refusals::of_rider(&rider.refused()));
        }
        counters.extend(self.facts.codec.iter().flat_map(|codec| codec.counters()));
        counters
    }

    fn measurements(&self) -> Vec<(&'static str, f64)> {
        let mut measured = judgement::measurements(&self.stats.analyses());
        let paths: Vec<_> = self.stats.paths().collect();
        if let [first, second] = paths.as_slice() {
            measured.push(("path1_silent_us", first.silent_us as f64));
            measured.push(("path2_silent_us", second.silent_us as f64));
        }
        measured.extend(self.facts.codec.iter().map(|codec| codec.longest()));
        measured
    }

    fn warnings(&self) -> Vec<String> {
        let rider = self.rider.as_ref().map(|rider| rider.warnings());
        let found = in_words(self.stats.warnings(), rider);
        let silent = self.stats.silent_paths().map(|path| {
            let (path, other) = (path + 1, 2 - path);
            format!("nothing comes on path {path}: without path {other} the stream would be lost (ST 2022-7)")
        });
        self.facts.remarks.iter().cloned().chain(found).chain(silent).collect()
    }

    fn shortfall(&self) -> Option<String> {
        self.facts.shortfall.clone()
    }

    fn sdp(&self) -> Option<String> {
        self.facts.sdp.clone()
    }
}
