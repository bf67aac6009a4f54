//! `mcm st2110 recv`.

use super::framing::Framing;
use super::{Options, engine, warn};
use crate::error::CliError;
use crate::stream::{load, st2110};
use media::{ConnectionConfig, Payload, Transport};
use st2110::sdp::Role;
use st2110_net::configured::{incoming, incomplete, picture};
use st2110_net::engine::{Engine, Over};
use st2110_net::receive::{AncillaryReceiver, AudioReceiver, Origin, Receiving, VideoReceiver};
use st2110_net::{FrameSink, FrameSlot, Received};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// Bytes that may wait for the disk, and frames at least and at most.
const WAITING_BYTES: usize = 64 << 20;
const WAITING: [usize; 2] = [8, 4096];
/// How often the session is looked at.
const LOOK: Duration = Duration::from_millis(20);

struct Slot(Vec<u8>);

impl FrameSlot for Slot {
    fn payload(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// Hands frames to the writing thread.
struct Sink {
    frames: SyncSender<Vec<u8>>,
    /// Memory that the writing thread gives back.
    spare: Receiver<Vec<u8>>,
    left: Option<u64>,
    dropped: Arc<std::sync::atomic::AtomicU64>,
}

impl FrameSink for Sink {
    type Slot = Slot;

    fn slot(&mut self, payload: usize) -> Option<Slot> {
        let mut bytes = self.spare.try_recv().unwrap_or_default();
        bytes.clear();
        bytes.resize(payload, 0);
        Some(Slot(bytes))
    }

    fn commit(&mut self, slot: Slot, frame: &Received<'_>) -> bool {
        let mut bytes = slot.0;
        bytes.truncate(frame.payload);
        match self.frames.try_send(bytes) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.dropped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                return true;
            }
            Err(TrySendError::Disconnected(_)) => return false,
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        self.left != Some(0)
    }
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), CliError> {
    let config = load(&options.stream, Role::Receiver, options.wishes)?;
    let framing = Framing::of(&config);
    let path = options.file.clone();
    let fail =
        |error: std::io::Error| CliError::File { path: path.clone(), reason: error.to_string() };
    let mut file: Box<dyn Write + Send> = match path.as_str() {
        "-" => Box::new(std::io::stdout()),
        path => Box::new(BufWriter::new(File::create(path).map_err(fail)?)),
    };
    let [least, most] = WAITING;
    let waiting = (WAITING_BYTES / config.payload_size().max(1) as usize).clamp(least, most);
    let (frames, written) = sync_channel::<Vec<u8>>(waiting);
    let (give_back, spare) = sync_channel(waiting);
    let writer = std::thread::spawn(move || {
        for frame in written {
            framing.write(&mut file, &frame)?;
            // Where nobody wants it any more it is freed.
            let _ = give_back.try_send(frame);
        }
        file.flush()
    });
    let dropped = Arc::default();
    let sink = Sink { frames, spare, left: options.frames, dropped: Arc::clone(&dropped) };
    let engine = engine();
    let receiving = start(&engine, &config, options, sink)?;
    warn(&receiving.stats().warnings());
    let end = options.seconds.map(|time| Instant::now() + time);
    while receiving.stats().over().is_none() && end.is_none_or(|end| Instant::now() < end) {
        std::thread::sleep(LOOK);
    }
    let stats = Arc::clone(receiving.stats());
    let over = stats.over();
    receiving.stop();
    let result = writer.join().unwrap_or_else(|_| Err(std::io::Error::other("the writer failed")));
    result.map_err(fail)?;
    let counts = stats.get();
    let dropped = dropped.load(std::sync::atomic::Ordering::Relaxed);
    eprintln!(
        "received {} frames, {} of them with gaps; {} packets, {} lost, {} of another format; {dropped} frames dropped \
         because the file was too slow",
        counts.frames, counts.incomplete_frames, counts.packets, counts.lost, counts.other_format
    );
    match (over, options.frames) {
        (Some(Over::Panicked), _) => Err(CliError::Stream("the session failed".into())),
        (None, Some(wanted)) => {
            let text = format!("{} of {wanted} frames came in time", counts.frames - dropped);
            Err(CliError::Stream(text))
        }
        _ => Ok(()),
    }
}

fn start(
    engine: &Engine,
    config: &ConnectionConfig,
    options: &Options,
    sink: Sink,
) -> Result<Receiving, CliError> {
    let stream = st2110(config)?;
    let origin = Origin::new(incoming(stream, &options.interface), stream.payload_type);
    let incomplete = incomplete(stream);
    let receiving = match (stream.transport, &config.payload) {
        (Transport::St2110_20, Payload::Video(video)) => {
            let Some((picture, layout)) = picture(config)? else {
                return Err(CliError::Stream("payload.video is needed".into()));
            };
            let (rate, ancillary) = (video.rate, None);
            VideoReceiver { picture, layout, rate, origin, incomplete, ancillary }
                .start(engine, sink)?
        }
        (transport, Payload::Audio(audio)) => {
            AudioReceiver { transport, audio: *audio, origin, incomplete }.start(engine, sink)?
        }
        (_, Payload::Ancillary(ancillary)) => {
            let limit = config.payload_size() as usize;
            let ancillary = *ancillary;
            AncillaryReceiver { ancillary, limit, origin, incomplete }.start(engine, sink)?
        }
        (transport, _) => {
            let text = format!(
                "connection.st2110.transport: {transport} cannot be received by this command"
            );
            return Err(CliError::Stream(text));
        }
    };
    Ok(receiving)
}
