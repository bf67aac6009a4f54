//! Codestreams from the network that are decoded on the way into a ring.
//!
//! The decoder has a thread of its own: those of the engine serve many sessions and must not wait
//! for it.

use super::coding::{CodecCounts, Coding};
use super::session::Life;
use jpegxs::{Decoder, JpegXsCodecError};
use log::{debug, warn};
use mcm::{Region, Source, bridge};
use media::Tai;
use st2110::jpegxs::{Part, PictureSegment};
use st2110_net::{FrameSink, FrameSlot, Received};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// Frames that may wait for the decoder. The network does not wait: frames beyond that are dropped.
const WAITING: usize = 4;

/// Hands received frames to the decoder's thread.
pub(super) struct DecodingSink {
    frames: SyncSender<Coded>,
    /// Memory of frames that have been decoded.
    spare: Receiver<CodedSlot>,
    metadata_size: usize,
    /// Nothing has been received yet.
    first: bool,
    counts: Arc<CodecCounts>,
    life: Life,
}

/// Memory for a frame's codestreams.
pub(super) struct CodedSlot {
    payload: Vec<u8>,
    metadata: Vec<u8>,
}

/// A frame as it was received.
struct Coded {
    slot: CodedSlot,
    payload: usize,
    metadata: usize,
    tai: Tai,
    complete: bool,
}

impl FrameSlot for CodedSlot {
    fn payload(&mut self) -> &mut [u8] {
        &mut self.payload
    }

    fn metadata(&mut self) -> &mut [u8] {
        &mut self.metadata
    }
}

impl FrameSink for DecodingSink {
    type Slot = CodedSlot;

    fn slot(&mut self, payload: usize) -> Option<CodedSlot> {
        let new = || CodedSlot { payload: vec![], metadata: vec![0; self.metadata_size] };
        let mut slot = self.spare.try_recv().unwrap_or_else(|_| new());
        slot.payload.resize(payload, 0);
        Some(slot)
    }

    fn commit(&mut self, slot: CodedSlot, frame: &Received<'_>) -> bool {
        let complete = frame.gaps.is_empty();
        // An incomplete first frame was under way already when the bridge began to listen, which is
        // no loss.
        if !std::mem::take(&mut self.first) || complete {
            let (payload, metadata, tai) = (frame.payload, frame.metadata, frame.tai);
            match self.frames.try_send(Coded { slot, payload, metadata, tai, complete }) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => self.counts.dropped(),
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
        !self.life.is_ending()
    }
}

/// Starts a decoder into the ring of `source`, and returns its sink.
///
/// # Errors
/// There can be no thread.
pub(super) fn start(
    coding: &Coding,
    source: Arc<Source>,
    metadata_size: usize,
    counts: Arc<CodecCounts>,
    life: Life,
) -> Result<DecodingSink, String> {
    let (frames, received) = sync_channel(WAITING);
    // One more is being received, and one decoded.
    let (give_back, spare) = sync_channel(WAITING + 2);
    let worker = Worker {
        decoder: coding.decoder(),
        parts: coding.parts(),
        frame_size: coding.frame_size(),
        source,
        counts: Arc::clone(&counts),
    };
    std::thread::Builder::new()
        .name("mcm-decode".into())
        .spawn(move || worker.run(&received, &give_back))
        .map_err(|error| format!("a thread for the decoder: {error}"))?;
    Ok(DecodingSink { frames, spare, metadata_size, first: true, counts, life })
}

/// Why a frame is not put.
enum Fault {
    /// It cannot be decoded.
    Codec(JpegXsCodecError),
    /// Receivers hold all buffers.
    NoSlot,
    /// The connection is gone.
    Gone,
}

struct Worker {
    decoder: Decoder,
    parts: &'static [Part],
    frame_size: usize,
    source: Arc<Source>,
    counts: Arc<CodecCounts>,
}

impl Worker {
    fn run(mut self, received: &Receiver<Coded>, give_back: &SyncSender<CodedSlot>) {
        for frame in received {
            let begin = Instant::now();
            match self.put(&frame) {
                Ok(()) => self.counts.done(begin.elapsed()),
                Err(Fault::NoSlot) => self.counts.dropped(),
                Err(Fault::Codec(error)) if self.counts.failed() => {
                    warn!("a frame is not delivered: {error}");
                }
                Err(Fault::Codec(error)) => debug!("a frame is not delivered: {error}"),
                Err(Fault::Gone) => return,
            }
            // With all spare memory taken it is freed.
            let _ = give_back.try_send(frame.slot);
        }
    }

    fn put(&mut self, frame: &Coded) -> Result<(), Fault> {
        let taken = self.source.frame(Duration::ZERO);
        let mut out =
            taken.map_err(|error| if error.is_timeout() { Fault::NoSlot } else { Fault::Gone })?;
        let mut rest = &frame.slot.payload[..frame.payload];
        for part in self.parts {
            let picture =
                PictureSegment::parse(rest).map_err(|error| Fault::Codec(error.into()))?;
            self.decoder.decode(picture.bytes(), *part, out.payload_mut()).map_err(Fault::Codec)?;
            rest = picture.after(rest);
        }
        let metadata = &frame.slot.metadata[..frame.metadata];
        // Never larger than the partition, whose size the slot has.
        out.set_metadata(metadata)
            .and_then(|()| out.set_payload_len(self.frame_size))
            .map_err(|_| Fault::NoSlot)?;
        out.set_timestamp(frame.tai);
        if !frame.complete {
            // It shows the last whole frame, so all of it is missing. At most 1 GiB.
            let all = Region { offset: 0, len: self.frame_size as u32 };
            bridge::set_missing(&mut out, [all]);
        }
        out.publish_within(Duration::ZERO).map_err(|_| Fault::Gone)
    }
}
