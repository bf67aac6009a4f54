//! Statistics and warnings of sessions.

use super::analysis;
use super::coding::CodecCounts;
use super::refusals::{self, Kind};
use super::stream::Essence;
use crate::bridge::statistics::{BridgeStatistics, Max, PathStatistics, take};
use crate::bridge::status::Figures;
use st2110_net::receive::{PathReceived, ReceiveStats, ReceivedCounts, Riding};
use st2110_net::send::{PathSent, SendStats, Sent};
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

    fn statistics(&self) -> BridgeStatistics {
        take! {
            let Sent {
                frames,
                packets,
                bytes,
                idle_periods,
                slipped_periods,
                late_frames,
                implausible_times,
                wrong_sizes,
                compliant_frames,
                unjudged_frames;
                cinst_max_milli: cinst,
                late_max_ns: lateness,
                wake_late_max_ns: wake_late
            } = self.stats.get();
            let sent = BridgeStatistics { ..BridgeStatistics::default() }
        }
        let thousandths = |count: u64| Some(Max(count as f64 / 1000.0));
        let paths = self.stats.paths().map(|path| {
            let PathSent { packets: _, full, refused } = path;
            PathStatistics { full: Some(full), refused: Some(refused), ..PathStatistics::default() }
        });
        let mut statistics = BridgeStatistics {
            lateness: thousandths(lateness),
            wake_late: thousandths(wake_late),
            kernel_paced: Some(u8::from(self.stats.kernel_paced()).into()),
            ancillary_packets: self.rider.as_ref().map(|rider| rider.get().packets),
            stream: PathStatistics { cinst: thousandths(cinst), ..PathStatistics::default() },
            paths: paths.collect(),
            ..sent
        };
        self.facts.codec.iter().for_each(|codec| codec.add_to(&mut statistics));
        statistics
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

    fn statistics(&self) -> BridgeStatistics {
        take! {
            let ReceivedCounts {
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
                unaligned_times
            } = self.stats.get();
            let received = BridgeStatistics { ..BridgeStatistics::default() }
        }
        let mut statistics = received;
        refusals::of_stream(&mut statistics, self.essence, self.stats.refused());
        if let Some(rider) = &self.rider {
            let counts = rider.get();
            let Riding { late, too_large, unmatched } = rider.riding();
            statistics.ancillary_packets = Some(counts.packets);
            statistics.ancillary_lost = Some(counts.lost);
            statistics.ancillary_incomplete = Some(counts.incomplete_frames);
            statistics.ancillary_late = Some(late);
            statistics.ancillary_too_large = Some(too_large);
            statistics.ancillary_unmatched = Some(unmatched);
            refusals::of_ancillary(&mut statistics, rider.refused());
        }
        let mut analyses = self.stats.analyses().into_iter();
        let paths: Vec<_> = self.stats.paths().collect();
        for path in &paths {
            let (all, recent) = analyses.next().map(analysis::statistics).unwrap_or_default();
            take! {
                let PathReceived {
                    received,
                    lost,
                    reordered,
                    duplicates,
                    late,
                    restarts,
                    foreign,
                    socket_drops;
                    used: _,
                    silent_us: silent
                } = *path;
                let path = PathStatistics { ..all }
            }
            let silent = (paths.len() == 2).then_some(silent as f64);
            statistics.paths.push(PathStatistics { silent, ..path });
            statistics.recent.push(recent);
        }
        self.facts.codec.iter().for_each(|codec| codec.add_to(&mut statistics));
        statistics
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
