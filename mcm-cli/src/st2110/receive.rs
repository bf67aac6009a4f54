//! `mcm st2110 recv`.

use super::account::Account;
use super::framing::Framing;
use super::{Options, ancillary, engine, warn};
use crate::error::CliError;
use crate::progress::Progress;
use crate::stream::{frame_limit, load, st2110};
use config::{Endpoint, Kind};
use st2110_net::engine::Over;
use st2110_net::{FrameSink, FrameSlot, Received, receive};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that may wait for the disk, and frames at least and at most.
const WAITING_BYTES: usize = 64 << 20;
const WAITING: [usize; 2] = [8, 4096];
/// How often the session is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How often frames with gaps are reported.
const REPORT: Duration = Duration::from_secs(1);

/// A frame and its block of ancillary data.
#[derive(Default)]
struct Slot {
    payload: Vec<u8>,
    metadata: Vec<u8>,
}

impl FrameSlot for Slot {
    fn payload(&mut self) -> &mut [u8] {
        &mut self.payload
    }

    fn metadata(&mut self) -> &mut [u8] {
        &mut self.metadata
    }
}

/// Hands frames to the writing thread.
struct Sink {
    frames: SyncSender<Slot>,
    /// Memory that the writing thread gives back.
    spare: Receiver<Slot>,
    /// Room for a frame's block of ancillary data.
    metadata: usize,
    /// Nothing has been received yet.
    first: bool,
    left: Option<u64>,
    account: Arc<Mutex<Account>>,
}

impl FrameSink for Sink {
    type Slot = Slot;

    fn slot(&mut self, payload: usize) -> Option<Slot> {
        let mut slot = self.spare.try_recv().unwrap_or_default();
        for (bytes, size) in [(&mut slot.payload, payload), (&mut slot.metadata, self.metadata)] {
            bytes.clear();
            bytes.resize(size, 0);
        }
        Some(slot)
    }

    fn commit(&mut self, mut slot: Slot, frame: &Received<'_>) -> bool {
        let has_gaps = !frame.gaps.is_empty();
        if std::mem::take(&mut self.first) && has_gaps {
            // It was under way already when the socket was opened, which is no loss.
            lock(&self.account).began_inside = true;
            return true;
        }
        slot.payload.truncate(frame.payload);
        slot.metadata.truncate(frame.metadata);
        match self.frames.try_send(slot) {
            Ok(()) => lock(&self.account).write(has_gaps),
            Err(TrySendError::Full(_)) => {
                lock(&self.account).too_slow += 1;
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

/// Both threads hold it for a moment only.
fn lock(account: &Mutex<Account>) -> MutexGuard<'_, Account> {
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that frames are written to, or standard output.
struct Output {
    path: String,
    file: Box<dyn Write + Send>,
    framing: Framing,
}

impl Output {
    fn open(path: &str, framing: Framing) -> Result<Self, CliError> {
        let file: Box<dyn Write + Send> = match path {
            "-" => Box::new(std::io::stdout()),
            path => Box::new(BufWriter::new(File::create(path).map_err(|e| fail(path, &e))?)),
        };
        Ok(Self { path: path.to_owned(), file, framing })
    }

    fn write(&mut self, frame: &[u8]) -> Result<(), CliError> {
        self.framing.write(&mut self.file, frame).map_err(|error| fail(&self.path, &error))
    }

    fn close(mut self) -> Result<(), CliError> {
        self.file.flush().map_err(|error| fail(&self.path, &error))
    }
}

fn fail(path: &str, error: &std::io::Error) -> CliError {
    CliError::File { path: path.to_owned(), reason: error.to_string() }
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), CliError> {
    let mut config = load(&options.stream, Kind::Receiver, options.wishes)?;
    if let (Endpoint::St2110(stream), Some(incomplete)) = (&mut config.endpoint, options.incomplete)
    {
        stream.incomplete_frames = incomplete;
    }
    options.interfaces.set_second(&mut config)?;
    let limit = config.max_metadata_size as usize;
    let blocks = ancillary(st2110(&config)?, options)?;
    let mut blocks = blocks.map(|path| Output::open(path, Framing::Counted(limit))).transpose()?;
    let mut file = Output::open(&options.file, Framing::of(&config))?;
    let [least, most] = WAITING;
    let waiting = (WAITING_BYTES / config.payload_size().max(1) as usize).clamp(least, most);
    let (frames, written) = sync_channel::<Slot>(waiting);
    let (give_back, spare) = sync_channel(waiting);
    let metadata = if blocks.is_some() { limit } else { 0 };
    let writer = std::thread::spawn(move || {
        for frame in written {
            file.write(&frame.payload)?;
            if let Some(blocks) = &mut blocks {
                blocks.write(&frame.metadata)?;
            }
            // With all spare memory taken it is freed.
            let _ = give_back.try_send(frame);
        }
        blocks.map_or(Ok(()), Output::close)?;
        file.close()
    });
    let account = Arc::<Mutex<Account>>::default();
    let left = options.frames;
    let sink = Sink { frames, spare, metadata, first: true, left, account: Arc::clone(&account) };
    let engine = engine();
    let interface = options.interfaces.usual();
    let receiving = receive::open(&engine, &config, &interface, frame_limit(&config)?, sink)?;
    warn(&receiving.stats().warnings());
    let end = options.seconds.map(|time| Instant::now() + time);
    let mut reported = Instant::now();
    let mut progress = Progress::new(format!("packets of {}", config.group_id()));
    while receiving.stats().over().is_none() && end.is_none_or(|end| Instant::now() < end) {
        std::thread::sleep(LOOK);
        if reported.elapsed() >= REPORT {
            report(&account, &mut progress);
            reported = Instant::now();
        }
        let counts = receiving.stats().get();
        progress.look((counts.packets > 0).then_some(|| {
            let account = lock(&account);
            format!(
                "{} frames, {} with gaps; {} packets, {} lost",
                account.written, account.with_gaps, counts.packets, counts.lost
            )
        }));
    }
    let (stats, riding) = (Arc::clone(receiving.stats()), receiving.ancillary_stats().cloned());
    let over = stats.over();
    receiving.stop();
    let result =
        writer.join().unwrap_or_else(|_| Err(CliError::Stream("the writer failed".into())));
    result?;
    report(&account, &mut progress);
    drop(progress);
    let (counts, account) = (stats.get(), lock(&account));
    eprintln!(
        "received {} frames, {} of them with gaps; {} frames dropped for their gaps, {} because the file was too slow{}; \
         {} packets, {} lost, {} of another format",
        account.written,
        account.with_gaps,
        counts.dropped_frames,
        account.too_slow,
        if account.began_inside { ", 1 because it had begun before" } else { "" },
        counts.packets,
        counts.lost,
        counts.other_format
    );
    if let Some(riding) = riding.map(|stats| stats.get()) {
        eprintln!(
            "ancillary data: {} packets, {} lost, {} of another format",
            riding.packets, riding.lost, riding.other_format
        );
    }
    match (over, options.frames) {
        (Some(Over::Panicked), _) => Err(CliError::Stream("the session failed".into())),
        (None, Some(wanted)) => {
            let text = format!("{} of {wanted} frames came in time", account.written);
            Err(CliError::Stream(text))
        }
        _ => Ok(()),
    }
}

/// Tells of frames with gaps.
fn report(account: &Mutex<Account>, progress: &mut Progress) {
    if let Some(text) = lock(account).report() {
        progress.clear();
        eprintln!("mcm: warning: {text}");
    }
}
