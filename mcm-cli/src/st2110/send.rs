//! `mcm st2110 send`.

use super::framing::Framing;
use super::{Options, engine, warn};
use crate::error::CliError;
use crate::stream::{load, st2110};
use media::{ConnectionConfig, Payload, Tai, Transport};
use st2110::sdp::Role;
use st2110_net::configured::{outgoing, packing, picture};
use st2110_net::engine::{Engine, Over};
use st2110_net::send::{AncillarySender, AudioSender, Identity, Sending, VideoSender};
use st2110_net::{FrameFeed, HeldFrame, Next};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

/// Frames that are read ahead.
const AHEAD: usize = 8;
/// How often the session is looked at.
const LOOK: Duration = Duration::from_millis(20);

struct Frame(Vec<u8>);

impl HeldFrame for Frame {
    fn payload(&self) -> &[u8] {
        &self.0
    }

    fn tai(&self) -> Option<Tai> {
        None
    }
}

/// Frames as the reading thread has them.
struct Feed(Receiver<Vec<u8>>);

impl FrameFeed for Feed {
    type Frame = Frame;

    fn next(&mut self) -> Next<Frame> {
        match self.0.try_recv() {
            Ok(frame) => Next::Frame(Frame(frame)),
            Err(TryRecvError::Empty) => Next::Nothing,
            Err(TryRecvError::Disconnected) => Next::End,
        }
    }
}

/// Runs the command.
pub(super) fn run(options: &Options) -> Result<(), CliError> {
    let config = load(&options.stream, Role::Source, options.wishes)?;
    let framing = Framing::of(&config);
    let (frames, feed) = sync_channel(AHEAD);
    let (path, again, most) = (options.file.clone(), options.again, options.frames);
    let file = open(&path)?;
    // It ends when the feed is dropped, at the latest.
    let reader = std::thread::spawn(move || read(file, framing, again, most, &frames));
    let engine = engine();
    let sending = start(&engine, &config, options, Feed(feed))?;
    warn(&sending.stats().warnings());
    while sending.stats().over().is_none() {
        std::thread::sleep(LOOK);
    }
    let stats = std::sync::Arc::clone(sending.stats());
    sending.stop();
    let sent = stats.get();
    eprintln!(
        "sent {} frames, {} packets; {} periods without a frame, {} slipped, {} frames of a wrong size",
        sent.frames, sent.packets, sent.idle_periods, sent.slipped_periods, sent.wrong_sizes
    );
    if let Some(refusal) = stats.refusal() {
        return Err(CliError::Stream(format!("the network refuses packets: {refusal}")));
    }
    if stats.over() == Some(Over::Panicked) {
        return Err(CliError::Stream("the session failed".into()));
    }
    let read = reader.join().unwrap_or_else(|_| Err(std::io::Error::other("the reader failed")));
    read.map_err(|error| CliError::File { path, reason: error.to_string() })
}

enum Input {
    File(BufReader<File>),
    Stdin(std::io::Stdin),
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file) => file.read(out),
            Self::Stdin(stdin) => stdin.read(out),
        }
    }
}

fn open(path: &str) -> Result<Input, CliError> {
    if path == "-" {
        return Ok(Input::Stdin(std::io::stdin()));
    }
    let file = File::open(path);
    let file =
        file.map_err(|error| CliError::File { path: path.to_owned(), reason: error.to_string() })?;
    Ok(Input::File(BufReader::new(file)))
}

/// Reads frames until the file ends, enough were read, or nobody wants them.
fn read(
    mut input: Input,
    framing: Framing,
    again: bool,
    most: Option<u64>,
    frames: &SyncSender<Vec<u8>>,
) -> std::io::Result<()> {
    let (mut count, mut in_this_pass) = (0, 0);
    while most.is_none_or(|most| count < most) {
        match framing.read(&mut input)? {
            Some(frame) => {
                if frames.send(frame).is_err() {
                    return Ok(());
                }
                count += 1;
                in_this_pass += 1;
            }
            None if again && in_this_pass > 0 => {
                let Input::File(file) = &mut input else { return Ok(()) };
                file.seek(SeekFrom::Start(0))?;
                in_this_pass = 0;
            }
            None => return Ok(()),
        }
    }
    Ok(())
}

fn start(
    engine: &Engine,
    config: &ConnectionConfig,
    options: &Options,
    feed: Feed,
) -> Result<Sending, CliError> {
    let stream = st2110(config)?;
    let paths = outgoing(stream, &options.interface);
    let identity = Identity::random(stream.payload_type);
    let sending = match (stream.transport, &config.payload) {
        (Transport::St2110_20, Payload::Video(video)) => {
            let Some((picture, layout)) = picture(config)? else {
                return Err(CliError::Stream("payload.video is needed".into()));
            };
            let (packing, rate, pacing) = (packing(stream), video.rate, stream.pacing.into());
            let ancillary = None;
            VideoSender { picture, layout, packing, rate, pacing, identity, paths, ancillary }
                .start(engine, feed)?
        }
        (transport, Payload::Audio(audio)) => {
            AudioSender { transport, audio: *audio, identity, paths }.start(engine, feed)?
        }
        (_, Payload::Ancillary(ancillary)) => {
            AncillarySender { ancillary: *ancillary, identity, paths }.start(engine, feed)?
        }
        (transport, _) => {
            let text =
                format!("connection.st2110.transport: {transport} cannot be sent by this command");
            return Err(CliError::Stream(text));
        }
    };
    Ok(sending)
}
