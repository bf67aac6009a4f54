//! `mcm st2110 send`.

use super::framing::Framing;
use super::{Options, ancillary, engine, warn};
use crate::error::CliError;
use crate::stream::{frame_limit, load, st2110};
use config::Kind;
use media::Tai;
use st2110_net::engine::Over;
use st2110_net::send::{self, Identity};
use st2110_net::{FrameFeed, HeldFrame, Next};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

/// Frames that are read ahead.
const AHEAD: usize = 8;
/// How often the session is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A block without packets, for frames beyond the last block in the file.
const EMPTY_BLOCK: [u8; 4] = [0; 4];

/// A frame and its block of ancillary data.
struct Frame {
    payload: Vec<u8>,
    metadata: Vec<u8>,
}

impl HeldFrame for Frame {
    fn payload(&self) -> &[u8] {
        &self.payload
    }

    fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    fn tai(&self) -> Option<Tai> {
        None
    }
}

/// Frames as the reading thread has them.
struct Feed(Receiver<Frame>);

impl FrameFeed for Feed {
    type Frame = Frame;

    fn next(&mut self) -> Next<Frame> {
        match self.0.try_recv() {
            Ok(frame) => Next::Frame(frame),
            Err(TryRecvError::Empty) => Next::Nothing,
            Err(TryRecvError::Disconnected) => Next::End,
        }
    }
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), CliError> {
    let mut config = load(&options.stream, Kind::Source, options.wishes)?;
    options.interfaces.set_second(&mut config)?;
    let (frames, feed) = sync_channel(AHEAD);
    let (again, most) = (options.again, options.frames);
    let limit = config.max_metadata_size as usize;
    let blocks = ancillary(st2110(&config)?, options)?;
    let blocks = blocks.map(|path| Input::open(path, Framing::Counted(limit))).transpose()?;
    let file = Input::open(&options.file, Framing::of(&config))?;
    // It ends when the feed is dropped, at the latest.
    let reader = std::thread::spawn(move || read(file, blocks, again, most, &frames));
    let engine = engine();
    let (interface, limit) = (options.interfaces.usual(), frame_limit(&config)?);
    let identity = Identity::random(st2110(&config)?.payload_type);
    let sending = send::open(&engine, &config, &interface, identity, limit, Feed(feed))?;
    warn(&sending.stats().warnings());
    while sending.stats().over().is_none() {
        std::thread::sleep(LOOK);
    }
    let stats = std::sync::Arc::clone(sending.stats());
    let riding = sending.ancillary_stats().cloned();
    sending.stop();
    let sent = stats.get();
    eprintln!(
        "sent {} frames, {} packets; {} periods without a frame, {} slipped, {} frames of a wrong size",
        sent.frames, sent.packets, sent.idle_periods, sent.slipped_periods, sent.wrong_sizes
    );
    if let Some(riding) = riding.map(|stats| stats.get()) {
        eprintln!(
            "ancillary data: {} packets, {} damaged blocks",
            riding.packets, riding.wrong_sizes
        );
    }
    if let Some(refusal) = stats.refusal() {
        return Err(CliError::Stream(format!("the network refuses packets: {refusal}")));
    }
    if stats.over() == Some(Over::Panicked) {
        return Err(CliError::Stream("the session failed".into()));
    }
    reader.join().unwrap_or_else(|_| Err(CliError::Stream("the reader failed".into())))
}

/// A file that frames are read from, or standard input.
struct Input {
    path: String,
    reader: Reader,
    framing: Framing,
}

enum Reader {
    File(BufReader<File>),
    Stdin(std::io::Stdin),
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file) => file.read(out),
            Self::Stdin(stdin) => stdin.read(out),
        }
    }
}

impl Input {
    fn open(path: &str, framing: Framing) -> Result<Self, CliError> {
        let reader = match path {
            "-" => Reader::Stdin(std::io::stdin()),
            path => {
                let file = File::open(path).map_err(|error| CliError::File {
                    path: path.to_owned(),
                    reason: error.to_string(),
                })?;
                Reader::File(BufReader::new(file))
            }
        };
        Ok(Self { path: path.to_owned(), reader, framing })
    }

    /// The next frame; `None` at the end.
    fn next(&mut self) -> Result<Option<Vec<u8>>, CliError> {
        self.framing.read(&mut self.reader).map_err(|error| self.fail(&error))
    }

    /// Begins anew. False where that cannot be.
    fn rewind(&mut self) -> Result<bool, CliError> {
        let Reader::File(file) = &mut self.reader else { return Ok(false) };
        let result = file.seek(SeekFrom::Start(0));
        result.map_err(|error| self.fail(&error)).map(|_| true)
    }

    fn fail(&self, error: &std::io::Error) -> CliError {
        CliError::File { path: self.path.clone(), reason: error.to_string() }
    }
}

/// Reads frames, each with its block of ancillary data if there are any, until the frames end,
/// enough were read, or the session is over.
fn read(
    mut file: Input,
    mut blocks: Option<Input>,
    again: bool,
    most: Option<u64>,
    frames: &SyncSender<Frame>,
) -> Result<(), CliError> {
    let (mut count, mut in_this_pass) = (0, 0);
    while most.is_none_or(|most| count < most) {
        match file.next()? {
            Some(payload) => {
                let metadata = match &mut blocks {
                    Some(blocks) => blocks.next()?.unwrap_or_else(|| EMPTY_BLOCK.to_vec()),
                    None => Vec::new(),
                };
                if frames.send(Frame { payload, metadata }).is_err() {
                    return Ok(());
                }
                count += 1;
                in_this_pass += 1;
            }
            None if again && in_this_pass > 0 => {
                let rewound = file.rewind()?;
                if !rewound || !blocks.as_mut().map_or(Ok(true), Input::rewind)? {
                    return Ok(());
                }
                in_this_pass = 0;
            }
            None => return Ok(()),
        }
    }
    Ok(())
}
