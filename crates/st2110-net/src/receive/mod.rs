//! Receiving sessions: [`VideoReceiver`], [`CodestreamReceiver`], [`AudioReceiver`],
//! [`AncillaryReceiver`].

mod analysis;
mod ancillary;
mod associated;
mod audio;
mod codestreams;
mod frames;
mod intake;
mod open;
mod pictures;
mod selection;
mod session;
mod stats;
mod times;

use std::sync::Arc;

use crate::{engine::Session, socket::ReceiverOptions};

pub use analysis::{Analysis, Summaries};
pub use ancillary::AncillaryReceiver;
pub use audio::AudioReceiver;
pub use codestreams::CodestreamReceiver;
pub use open::open;
pub use pictures::VideoReceiver;
pub use stats::{
    PathReceived, PathReceivedCounters, ReceiveCounters, ReceiveStats, ReceivedCounts, Refused,
    RefusedCounters, Riding, RidingCounters,
};

/// A session that receives. Dropping it ends the session; [`Receiving::stop`] also waits for that.
#[derive(Debug)]
pub struct Receiving {
    session: Session,
    stats: Arc<ReceiveStats>,
    ancillary: Option<Arc<ReceiveStats>>,
}

impl Receiving {
    /// Its counts.
    pub fn stats(&self) -> &Arc<ReceiveStats> {
        &self.stats
    }

    /// Counts of the associated ancillary stream, if there is one.
    pub fn ancillary_stats(&self) -> Option<&Arc<ReceiveStats>> {
        self.ancillary.as_ref()
    }

    /// Ends the session, and waits until its thread has dropped the sink.
    pub fn stop(self) {
        self.session.stop();
    }
}

/// Which packets belong to a stream.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Where to listen: one path, or two for ST 2022-7. Sources that are named here are the only
    /// senders that count.
    pub paths: Vec<ReceiverOptions>,
    /// RTP payload type; packets of others are refused.
    pub payload_type: u8,
    /// Synchronisation source, if only that of one sender is accepted.
    pub ssrc: Option<u32>,
    /// How long packets may come behind those sent after them: the path differential (ST 2022-7
    /// §6), or reordering on one path. Frames with gaps are held back for as long.
    pub skew: std::time::Duration,
    /// What the media clock showed at the epoch (`a=mediaclk:direct=`), 0 in ST 2110.
    pub clock_offset: u32,
    /// `TROFF` of the sender, for the analysis of video; `None`: the raster's default.
    pub troff: Option<std::time::Duration>,
    /// `MAXUDP` of the sender, for the analysis of video; `None`: the standard limit.
    pub max_udp: Option<u16>,
}

impl Origin {
    /// A stream of this payload type on these paths: any SSRC, a path differential of 10 ms with
    /// two paths (class A), 2 ms of reordering with one.
    pub fn new(paths: Vec<ReceiverOptions>, payload_type: u8) -> Self {
        let skew = std::time::Duration::from_millis(if paths.len() > 1 { 10 } else { 2 });
        Self { paths, payload_type, ssrc: None, skew, clock_offset: 0, troff: None, max_udp: None }
    }
}
