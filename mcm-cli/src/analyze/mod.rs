//! `mcm analyze`: analyses the conformance of a stream.

mod path;
mod report;

use crate::arguments::seconds;
use crate::error::CliError;
use crate::output::print;
use crate::stream::{Interfaces, Wishes, frame_rate, load_telling, st2110};
use clap::{Args, ValueHint};
use config::{ConnectionConfig, Kind};
use media::{FrameRate, Payload};
use path::{Analyser, Path, receive};
use st2110::analyser::{AudioAnalyser, Expectation, VideoAnalyser};
use st2110::pacing::Raster;
use st2110::time::MediaClock;
use st2110_net::configured::origin;
use st2110_net::receive::Origin;
use st2110_net::socket::ReceiverOptions;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Judge an ST 2110 stream on the wire
#[derive(Debug, Args)]
#[command(after_help = "\
Receives a stream for a while and judges it by ST 2110-21: sender type, Cinst, virtual receiver buffer (VRX), \
first packet, gaps between packets, RTP offset, loss. Of audio it tells the time-stamped delay factor (TS-DF). \
Of two paths (ST 2022-7) each is judged; ancillary data are measured and not judged.

The status is 1 if nothing of the stream came on a path, and what came instead is told; or if this host \
dropped packets for want of receive buffer, and then nothing is judged.

Times are those of the kernel: what an ordinary interface delivers in bundles arrives in bundles.")]
pub(crate) struct Options {
    #[command(flatten)]
    interfaces: Interfaces,
    /// How long
    #[arg(short = 't', long, value_name = "N", default_value = "5", value_parser = seconds(86_400))]
    seconds: Duration,
    /// Frames a second, where the description does not tell them (otherwise they are learnt)
    #[arg(id = "fps", long, value_name = "RATE", value_parser = frame_rate())]
    rate: Option<FrameRate>,
    /// STREAM is audio of this sampling rate, where it is an address
    #[arg(long, value_name = "RATE")]
    audio: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// A file with the configuration of a connection (JSON) or with its session description (SDP),
    /// or ADDRESS:PORT of a multicast group or of this host, for video of which nothing else is
    /// known
    #[arg(value_hint = ValueHint::FilePath)]
    stream: String,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<(), CliError> {
    options.interfaces.check()?;
    let mut paths = paths(options)?;
    paths.iter().for_each(Path::warn);
    receive(&mut paths, options.seconds)?;
    let reports: Vec<_> = paths.iter().map(|path| (path.name.as_str(), path.report())).collect();
    print(&if options.json { report::to_json(&reports) } else { report::to_text(&reports) })?;
    let silent: Vec<_> = paths.iter().filter_map(Path::silence).collect();
    let dropped: Vec<_> = paths.iter().filter_map(Path::overflow).collect();
    if !dropped.is_empty() {
        return Err(CliError::Stream(dropped.join("; ")));
    }
    if silent.is_empty() {
        return Ok(());
    }
    let seconds = options.seconds.as_secs_f64();
    Err(CliError::Stream(format!("{} (in {seconds} s)", silent.join("; "))))
}

/// What is received and measured: one path, or two (ST 2022-7).
fn paths(options: &Options) -> Result<Vec<Path>, CliError> {
    if let Some(address) = address(&options.stream)? {
        let mut receiver = ReceiverOptions::new(address.ip(), address.port());
        receiver.interface = options.interfaces.only()?;
        let analyser = match options.audio {
            Some(rate) => audio(rate, 0)?,
            None => {
                let expected = Expectation { frame_rate: options.rate, ..Expectation::default() };
                Analyser::Video(VideoAnalyser::new(expected).into())
            }
        };
        let assumed = match options.audio {
            Some(_) => Vec::new(),
            None => assumptions(options.rate.is_some(), false),
        };
        return Ok(vec![Path::open(address.to_string(), &receiver, None, analyser, assumed)?]);
    }
    let wishes = Wishes { rate: options.rate, ..Wishes::default() };
    let (mut config, told) = load_telling(&options.stream, Kind::Receiver, wishes)?;
    options.interfaces.set_second(&mut config)?;
    let stream = st2110(&config)?;
    let second = stream.second_path.map(|path| (path.ip_addr, path.port));
    let addresses = std::iter::once((stream.ip_addr, stream.port)).chain(second);
    let origin = origin(stream, &options.interfaces.usual());
    let paths = addresses.zip(&origin.paths).map(|(address, receiver)| {
        let mut expected = expectation(&config, &origin);
        expected.frame_rate = expected.frame_rate.filter(|_| told);
        let video = || VideoAnalyser::new(expected).into();
        let (analyser, assumed) = match &config.payload {
            Payload::Audio(sound) => {
                (audio(sound.sample_rate.hz(), origin.clock_offset)?, Vec::new())
            }
            Payload::Ancillary(_) => (Analyser::Ancillary(video()), assumptions(told, true)),
            _ => (Analyser::Video(video()), assumptions(told, expected.raster.is_some())),
        };
        let name = SocketAddr::from(address).to_string();
        Path::open(name, receiver, Some(stream.payload_type), analyser, assumed)
    });
    paths.collect()
}

/// Properties that are assumed because the description lacks them.
fn assumptions(rate: bool, raster: bool) -> Vec<&'static str> {
    let rate = (!rate).then_some("the frame rate is learnt from the timestamps (--fps tells it)");
    let raster = (!raster).then_some(
        "progressive video, and the least TRO that would do, since there is no description",
    );
    rate.into_iter().chain(raster).collect()
}

/// The address that STREAM is; `None` if it is the name of a file.
fn address(text: &str) -> Result<Option<SocketAddr>, CliError> {
    if let Some(address) = text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0) {
        return Ok(Some(address));
    }
    let is_ip = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let begins_so = text.rsplit_once(':').is_some_and(|(ip, _)| is_ip(ip));
    if (is_ip(text) || begins_so) && !std::path::Path::new(text).exists() {
        return Err(CliError::Option {
            option: "STREAM",
            found: text.to_owned(),
            allowed: "an address with a port from 1 to 65535, as 239.0.0.1:5004 or [ff05::1]:5004, or a file",
        });
    }
    Ok(None)
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

#[cfg(test)]
mod tests {
    use super::*;
    use config::Endpoint;
    use config::sdp::describe;
    use st2110_net::socket::Interface;

    #[test]
    fn addresses_need_a_port() {
        for text in ["239.9.9.1:5004", "[ff05::1]:5004"] {
            assert_eq!(address(text).unwrap().unwrap().to_string(), text);
        }
        for text in
            ["239.9.9.1", "239.9.9.1:", "239.9.9.1:0", "239.9.9.1:65536", "ff05::1", "[ff05::1]"]
        {
            let error = address(text).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!(
                    "STREAM is {text:?}; accepted is an address with a port"
                )),
                "{error}"
            );
        }
        for text in ["camera.sdp", "streams:1.json", "239.9.9"] {
            assert!(address(text).unwrap().is_none(), "{text}");
        }
    }

    #[test]
    fn a_stream_is_analysed_by_its_description() {
        let text = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=x\nt=0 0\nm=video 5004 RTP/AVP 96\nc=IN IP4 239.0.0.1/9\n\
            a=rtpmap:96 raw/90000\na=fmtp:96 sampling=YCbCr-4:2:2; depth=10; width=1920; height=1080; exactframerate=25; \
            TP=2110TPN; TROFF=500; MAXUDP=8960\na=mediaclk:direct=7\n";
        let description = describe(text, Kind::Receiver).unwrap();
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
