//! Sessions that send: [`VideoSender`], [`CodestreamSender`], [`AudioSender`], [`AncillarySender`].
//!
//! A frame leaves in the first free frame period after the feed has given it. Its RTP timestamp is
//! that of its own time on the grid of frames since the epoch, so that jitter of the program that
//! made it does not show. What happens if it is not there in time:
//!
//! * The feed has nothing when a period begins: it is asked a few more times, as long as a
//!   receiver's buffer allows; then nothing is sent in that period (`idle_periods`). A source that
//!   stops sends nothing.
//! * The thread, or the frame before, is late: by less than a period, the frame leaves late, and
//!   what is behind is made good at 1.09 times the rate; by more, it slips to the next free period
//!   (`slipped_periods`). Packets never bunch to make up for lost time.
//! * A frame's time is in the future: it waits for its period, up to a second. Times that are
//!   further off are replaced by the present one (`implausible_times`).
//!
//! Audio makes up for up to 16 packets at once, which receivers' buffers are made for.

mod ancillary;
mod audio;
mod codestreams;
mod frames;
mod open;
mod outgoing;
mod paths;
mod pictures;
mod planned;
mod rate;
#[cfg(test)]
mod simulation;
mod stats;

pub use ancillary::{AncillarySender, AssociatedAncillary};
pub use audio::AudioSender;
pub use codestreams::CodestreamSender;
pub use open::open;
pub use pictures::VideoSender;
pub use stats::{PathSent, PathSentCounters, SendCounters, SendStats, Sent};

use st2110::pacing::SenderType;

use crate::engine::Session;

/// A session that sends. Dropping it ends the session; [`Sending::stop`] also waits for that.
#[derive(Debug)]
pub struct Sending {
    session: Session,
    stats: std::sync::Arc<SendStats>,
    ancillary: Option<std::sync::Arc<SendStats>>,
    sender_type: Option<SenderType>,
}

impl Sending {
    /// Its counts.
    pub fn stats(&self) -> &std::sync::Arc<SendStats> {
        &self.stats
    }

    /// Counts of the associated ancillary stream, if there is one.
    pub fn ancillary_stats(&self) -> Option<&std::sync::Arc<SendStats>> {
        self.ancillary.as_ref()
    }

    /// The sender type of video (ST 2110-21), which may be wider than the configured one; `None`
    /// for audio and ancillary data.
    pub fn sender_type(&self) -> Option<SenderType> {
        self.sender_type
    }

    /// Ends the session, and waits until its thread has dropped the feed.
    pub fn stop(self) {
        self.session.stop();
    }
}

/// Who a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// RTP payload type, 96…127 for ST 2110.
    pub payload_type: u8,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Sequence number of the first packet.
    pub sequence: u32,
}

impl Identity {
    /// A stream of this payload type with SSRC and first sequence number drawn at random (RFC 3550
    /// §5.1).
    pub fn random(payload_type: u8) -> Self {
        let value = u64::from_ne_bytes(media::random::bytes());
        Self { payload_type, ssrc: value as u32, sequence: (value >> 32) as u32 }
    }

    fn check(self) -> Result<Self, crate::Error> {
        if self.payload_type > 127 {
            return Err(crate::Error::Invalid {
                field: "payload type",
                found: self.payload_type.to_string(),
                accepted: "96 to 127, or 0 to 95 for static types".into(),
            });
        }
        Ok(self)
    }
}
