//! `mcm analyze`: judges a stream on the wire.

mod report;

use crate::error::CliError;
use crate::output::print;
use crate::stream::{Wishes, load, st2110};
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;
use media::{ConnectionConfig, Payload, Tai};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use st2110::analyser::{AudioAnalyser, Expectation, VideoAnalyser};
use st2110::pacing::Raster;
use st2110::rtp::Header;
use st2110::sdp::Role;
use st2110::time::MediaClock;
use st2110_net::configured::origin;
use st2110_net::receive::Origin;
use st2110_net::socket::{Batch, Interface, Receiver, ReceiverOptions};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

const USAGE: &str = "\
usage: mcm analyze [OPTIONS] STREAM

Receives a stream for a while and judges it by ST 2110-21: sender type, Cinst, virtual receiver buffer (VRX), first packet, gaps
between packets, RTP offset, loss. Of audio it tells the time-stamped delay factor (TS-DF).
Times are those of the kernel: what an ordinary interface delivers in bundles arrives in bundles.

  -i, --interface NAME  address of this host, or kernel:NAME
  -t, --seconds N       how long (default 5)
      --audio RATE      STREAM is audio of this sampling rate, where it is an address
      --json            print JSON
  STREAM                a file with the configuration of a connection (JSON) or with its session description (SDP), or ADDRESS:PORT
                        of a multicast group or of this host, for video of which nothing else is known
";

struct Options {
    interface: Interface,
    seconds: Duration,
    audio: Option<u32>,
    json: bool,
    stream: String,
}

fn parse(mut arguments: lexopt::Parser) -> Result<Option<Options>, CliError> {
    let mut options = Options {
        interface: Interface::Any,
        seconds: Duration::from_secs(5),
        audio: None,
        json: false,
        stream: String::new(),
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => {
                print(USAGE)?;
                return Ok(None);
            }
            Short('i') | Long("interface") => options.interface = arguments.value()?.parse()?,
            Short('t') | Long("seconds") => {
                options.seconds = seconds(&arguments.value()?.string()?)?
            }
            Long("audio") => options.audio = Some(arguments.value()?.parse()?),
            Long("json") => options.json = true,
            Value(stream) if options.stream.is_empty() => options.stream = stream.string()?,
            other => return Err(other.unexpected().into()),
        }
    }
    if options.stream.is_empty() {
        return Err(lexopt::Error::from("STREAM is missing").into());
    }
    Ok(Some(options))
}

/// A length of time on the command line.
pub(crate) fn seconds(text: &str) -> Result<Duration, CliError> {
    let value = text.parse::<f64>().ok().filter(|value| (0.1..=86_400.0).contains(value));
    value.map(Duration::from_secs_f64).ok_or_else(|| CliError::Option {
        option: "--seconds",
        found: text.to_owned(),
        allowed: "0.1 to 86400",
    })
}

/// What measures.
enum Analyser {
    Video(Box<VideoAnalyser>),
    Audio(Box<AudioAnalyser>),
}

/// What is received and measured.
struct Plan {
    receiver: ReceiverOptions,
    payload_type: Option<u8>,
    analyser: Analyser,
}

/// Runs the command.
pub(crate) fn run(arguments: lexopt::Parser) -> Result<(), CliError> {
    let Some(options) = parse(arguments)? else { return Ok(()) };
    let mut plan = plan(&options)?;
    let receiver = Receiver::open(&plan.receiver)?;
    for warning in receiver.warnings() {
        eprintln!("mcm: warning: {warning}");
    }
    let others = receive(&receiver, &mut plan, options.seconds)?;
    let report = match &plan.analyser {
        Analyser::Video(analyser) => report::video(&analyser.summary(), others),
        Analyser::Audio(analyser) => report::audio(&analyser.summary(), others),
    };
    print(&if options.json { report.to_json() } else { report.to_text() })
}

fn plan(options: &Options) -> Result<Plan, CliError> {
    if let Ok(address) = options.stream.parse::<SocketAddr>() {
        let mut receiver = ReceiverOptions::new(address.ip(), address.port());
        receiver.interface = options.interface.clone();
        let analyser = match options.audio {
            Some(rate) => audio(rate, 0)?,
            None => Analyser::Video(VideoAnalyser::new(Expectation::default()).into()),
        };
        return Ok(Plan { receiver, payload_type: None, analyser });
    }
    let config = load(&options.stream, Role::Receiver, Wishes::default())?;
    let stream = st2110(&config)?;
    let mut origin = origin(stream, &options.interface);
    // Of two paths, the first is judged.
    let receiver = origin.paths.swap_remove(0);
    let analyser = match &config.payload {
        Payload::Audio(sound) => audio(sound.sample_rate.hz(), origin.clock_offset)?,
        _ => Analyser::Video(VideoAnalyser::new(expectation(&config, &origin)).into()),
    };
    Ok(Plan { receiver, payload_type: Some(stream.payload_type), analyser })
}

fn audio(rate: u32, offset: u32) -> Result<Analyser, CliError> {
    let clock = MediaClock::new(rate, offset).ok_or_else(|| CliError::Option {
        option: "--audio",
        found: rate.to_string(),
        allowed: "a sampling rate in Hz, such as 48000",
    })?;
    Ok(Analyser::Audio(AudioAnalyser::new(clock, AudioAnalyser::PERIOD).into()))
}

fn expectation(config: &ConnectionConfig, origin: &Origin) -> Expectation {
    let known = match &config.payload {
        Payload::Video(video) => {
            let fields = video.scan != media::Scan::Progressive;
            Some((video.rate, Some(Raster { height: video.height, fields })))
        }
        Payload::Ancillary(ancillary) => Some((ancillary.rate, None)),
        Payload::Audio(_) | Payload::Blob => None,
    };
    Expectation {
        frame_rate: known.map(|(rate, _)| rate),
        raster: known.and_then(|(_, raster)| raster),
        offset: origin.troff,
        max_udp: origin.max_udp,
        clock: MediaClock::new(MediaClock::VIDEO.rate(), origin.clock_offset)
            .unwrap_or(MediaClock::VIDEO),
        ..Expectation::default()
    }
}

/// Receives for so long. Returns how many datagrams do not belong to the stream.
fn receive(receiver: &Receiver, plan: &mut Plan, time: Duration) -> Result<u64, CliError> {
    let fail =
        |what: &str, error: &dyn std::fmt::Display| CliError::Stream(format!("{what}: {error}"));
    let end = Instant::now() + time;
    let offset = media::tai::offset_seconds();
    let mut batch = Batch::new();
    let mut others = 0;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(others);
        }
        let mut fds = [PollFd::from_borrowed_fd(receiver.as_fd(), PollFlags::IN)];
        let patience = Timespec { tv_sec: 0, tv_nsec: left.as_nanos().min(100_000_000) as i64 };
        match poll(&mut fds, Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(fail("poll()", &error)),
        }
        receiver.receive(&mut batch).map_err(|error| fail("recvmmsg()", &error))?;
        for bundle in batch.bundles() {
            let arrival = bundle.realtime().map_or_else(Tai::now, |utc| {
                let tai = i128::from(utc) + i128::from(offset) * 1_000_000_000;
                Tai::from_nanos(u64::try_from(tai).unwrap_or(0))
            });
            for datagram in bundle.datagrams() {
                others += u64::from(!take(plan, arrival, datagram));
            }
        }
    }
}

/// Whether the datagram belongs to the stream.
fn take(plan: &mut Plan, arrival: Tai, datagram: &[u8]) -> bool {
    let Ok((header, _)) = Header::parse(datagram) else { return false };
    if plan.payload_type.is_some_and(|payload_type| payload_type != header.payload_type) {
        return false;
    }
    match &mut plan.analyser {
        Analyser::Video(analyser) => drop(analyser.packet(arrival, &header, datagram.len())),
        Analyser::Audio(analyser) => drop(analyser.packet(arrival, &header, datagram.len())),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::Endpoint;
    use st2110::sdp::describe;

    #[test]
    fn a_stream_is_judged_by_its_description() {
        let text = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=x\nt=0 0\nm=video 5004 RTP/AVP 96\nc=IN IP4 239.0.0.1/9\n\
            a=rtpmap:96 raw/90000\na=fmtp:96 sampling=YCbCr-4:2:2; depth=10; width=1920; height=1080; exactframerate=25; \
            TP=2110TPN; TROFF=500; MAXUDP=8960\na=mediaclk:direct=7\n";
        let description = describe(text, Role::Receiver).unwrap();
        let stream = description.stream();
        let origin = origin(&stream, &Interface::Any);
        let config = ConnectionConfig::new(Endpoint::St2110(stream), description.payload);
        let expected = expectation(&config, &origin);
        assert_eq!(expected.offset, Some(Duration::from_micros(500)));
        assert_eq!(expected.max_udp, Some(8960));
        assert_eq!(Some(expected.clock), MediaClock::new(90_000, 7));
        assert_eq!(expected.raster, Some(Raster { height: 1080, fields: false }));
    }
}
