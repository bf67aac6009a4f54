//! Frames from a ring that are encoded on the way to the network.
//!
//! The encoder has a thread of its own: those of the engine serve many sessions and must not wait
//! for it.

use super::coding::{CodecCounts, Coding};
use super::session::{Ending, Life};
use jpegxs::{Encoder, JpegXsCodecError};
use log::{debug, warn};
use mcm::Frame;
use media::Tai;
use st2110::jpegxs::Part;
use st2110_net::{FrameFeed, HeldFrame, Next};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

/// Encoded frames that may wait for the network. When there are as many the source waits, as it
/// would without an encoder.
const AHEAD: usize = 2;
/// How often a thread without frames looks whether it shall end.
const LOOK: Duration = Duration::from_millis(50);

/// What the encoder's thread makes of the frames that the group's source puts.
pub(super) struct EncodedFeed {
    frames: Receiver<Encoded>,
    /// Memory of frames that have been sent.
    spare: SyncSender<Vec<u8>>,
    _life: Life,
}

/// A frame's codestreams.
struct Encoded {
    bytes: Vec<u8>,
    len: usize,
    metadata: Vec<u8>,
    tai: Tai,
}

/// An encoded frame that is being sent. Its memory is used again.
pub(super) struct EncodedFrame {
    frame: Encoded,
    spare: SyncSender<Vec<u8>>,
}

impl HeldFrame for EncodedFrame {
    fn payload(&self) -> &[u8] {
        &self.frame.bytes[..self.frame.len]
    }

    fn metadata(&self) -> &[u8] {
        &self.frame.metadata
    }

    fn tai(&self) -> Option<Tai> {
        Some(self.frame.tai)
    }
}

impl Drop for EncodedFrame {
    fn drop(&mut self) {
        // With all spare memory taken it is freed.
        let _ = self.spare.try_send(std::mem::take(&mut self.frame.bytes));
    }
}

impl FrameFeed for EncodedFeed {
    type Frame = EncodedFrame;

    fn next(&mut self) -> Next<EncodedFrame> {
        match self.frames.try_recv() {
            Ok(frame) => Next::Frame(EncodedFrame { frame, spare: self.spare.clone() }),
            Err(TryRecvError::Empty) => Next::Nothing,
            Err(TryRecvError::Disconnected) => Next::End,
        }
    }
}

/// Starts an encoder. Returns its feed, and the bytes of a frame's codestreams at most.
///
/// # Errors
/// The library refuses, or there can be no thread.
pub(super) fn start(
    coding: &Coding,
    ring: Arc<mcm::Receiver>,
    counts: Arc<CodecCounts>,
    life: Life,
) -> Result<(EncodedFeed, usize), String> {
    let encoder = coding.encoder()?;
    let parts = coding.parts();
    let limit = encoder.max_size() * parts.len();
    let (encoded, frames) = sync_channel(AHEAD);
    // One more is being encoded, and one sent.
    let (spare, used) = sync_channel(AHEAD + 2);
    let ending = life.ending().clone();
    let worker = Worker { encoder, parts, limit, ring, encoded, used, ending, counts };
    std::thread::Builder::new()
        .name("mcm-encode".into())
        .spawn(move || worker.run())
        .map_err(|error| format!("a thread for the encoder: {error}"))?;
    Ok((EncodedFeed { frames, spare, _life: life }, limit))
}

struct Worker {
    encoder: Encoder,
    parts: &'static [Part],
    limit: usize,
    ring: Arc<mcm::Receiver>,
    encoded: SyncSender<Encoded>,
    used: Receiver<Vec<u8>>,
    ending: Ending,
    counts: Arc<CodecCounts>,
}

impl Worker {
    fn run(mut self) {
        loop {
            let frame = match self.ring.recv(LOOK) {
                Ok(Some(frame)) if self.ending.is_before(frame.info().published_ns) => return,
                Ok(Some(frame)) => frame,
                Err(error) if error.is_timeout() && !self.ending.is_set() => continue,
                // Everything is encoded, or the connection is gone: the feed ends when the queue is
                // empty.
                Ok(None) | Err(_) => return,
            };
            let begin = Instant::now();
            match self.encode(&frame) {
                Ok(encoded) => {
                    self.counts.done(begin.elapsed());
                    // Others may use the slot while this frame waits.
                    drop(frame);
                    if self.encoded.send(encoded).is_err() {
                        return;
                    }
                }
                Err(error) if self.counts.failed() => warn!("a frame is not sent: {error}"),
                Err(error) => debug!("a frame is not sent: {error}"),
            }
        }
    }

    fn encode(&mut self, frame: &Frame) -> Result<Encoded, JpegXsCodecError> {
        let mut bytes = self.used.try_recv().unwrap_or_default();
        bytes.resize(self.limit, 0);
        let mut len = 0;
        for part in self.parts {
            len += self.encoder.encode(frame.payload(), *part, &mut bytes[len..])?;
        }
        let metadata = frame.metadata().to_vec();
        Ok(Encoded { bytes, len, metadata, tai: frame.timestamp() })
    }
}
