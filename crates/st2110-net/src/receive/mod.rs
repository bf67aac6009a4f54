//! Sessions that receive.

mod ancillary;
mod associated;
mod audio;
mod codestreams;
mod frames;
mod intake;
mod judge;
mod open;
mod pictures;
mod selection;
mod session;
mod stats;
mod times;

use std::sync::Arc;

use crate::{engine::Session, socket::ReceiverOptions};

pub use ancillary::AncillaryReceiver;
pub use audio::AudioReceiver;
pub use codestreams::CodestreamReceiver;
pub use judge::{Analysis, Judged};
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

    /// Counts of the ancillary data that ride with video, if there are any.
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
    /// Where to listen: one path, or two for ST 2022-7. Sources that are named here are the only senders that count.
    pub paths: Vec<ReceiverOptions>,
    /// RTP payload type; packets of others are refused.
    pub payload_type: u8,
    /// Synchronisation source, if only that of one sender is accepted.
    pub ssrc: Option<u32>,
    /// How long packets may come behind those sent after them: the skew of two paths (ST 2022-7 §6), or reordering on one. Frames with
    /// gaps are held back for as long.
    pub skew: std::time::Duration,
    /// What the media clock showed at the epoch (`a=mediaclk:direct=`), 0 in ST 2110.
    pub clock_offset: u32,
    /// `TROFF` of the sender, by which video is judged; `None`: the raster's default.
    pub troff: Option<std::time::Duration>,
    /// `MAXUDP` of the sender, by which video is judged; `None`: the standard limit.
    pub max_udp: Option<u16>,
}

impl Origin {
    /// A stream of this payload type on these paths: any SSRC, 10 ms of skew with two paths (class A) and 2 ms with one.
    pub fn new(paths: Vec<ReceiverOptions>, payload_type: u8) -> Self {
        let skew = std::time::Duration::from_millis(if paths.len() > 1 { 10 } else { 2 });
        Self { paths, payload_type, ssrc: None, skew, clock_offset: 0, troff: None, max_udp: None }
    }
}
