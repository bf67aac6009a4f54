//! What is wrong with one medium of a session description.

use media::{FrameRate, Scan};

use super::check::Findings;
use super::document::Section;
use super::{AncillaryEssence, AudioEssence, Essence, Parameters, Picture, Stream};
use crate::audio::{Coding, MAX_PAYLOAD};
use crate::reference::{MediaClockSource, ReferenceClock};

const COLORIMETRIES: [&str; 8] =
    ["BT601", "BT709", "BT2020", "BT2100", "ST2065-1", "ST2065-3", "XYZ", "ALPHA"];
const TCS: [&str; 12] = [
    "SDR",
    "PQ",
    "HLG",
    "LINEAR",
    "BT2100LINPQ",
    "BT2100LINHLG",
    "ST2065-1",
    "ST428-1",
    "DENSITY",
    "ST2115LOGS3",
    "UNSPECIFIED",
    "BT2100LIN",
];
const SAMPLINGS: [&str; 12] = [
    "YCbCr-4:4:4",
    "YCbCr-4:2:2",
    "YCbCr-4:2:0",
    "CLYCbCr-4:4:4",
    "CLYCbCr-4:2:2",
    "CLYCbCr-4:2:0",
    "ICtCp-4:4:4",
    "ICtCp-4:2:2",
    "ICtCp-4:2:0",
    "RGB",
    "XYZ",
    "KEY",
];
const DEPTHS: [&str; 5] = ["8", "10", "12", "16", "16f"];
const UNSPECIFIED: &str = "UNSPECIFIED";

/// Adds what is wrong with a stream.
pub(super) fn check_medium(
    session: &Section,
    section: &Section,
    stream: &Stream,
    findings: &mut Findings,
) {
    check_leg(stream, findings);
    check_clocks(stream, findings);
    // Parameters are told apart by their own line.
    let fmtp = section.attribute("fmtp");
    let line = fmtp.map_or(stream.line, |(line, _)| line);
    let text = fmtp.and_then(|(_, value)| value.trim_start().split_once(' '));
    let parameters = Parameters::parse(text.map_or("", |(_, parameters)| parameters));
    match &stream.essence {
        Essence::Video(video) => {
            check_picture(&video.picture, &parameters, line, findings);
            if video.packing.is_none() {
                findings.error(line, "ST 2110-20 §7.2", "PM is missing: 2110GPM or 2110BPM");
            }
            check_ssn(
                video.picture.ssn.as_deref(),
                "ST2110-20:",
                line,
                "ST 2110-20 §7.2",
                findings,
            );
        }
        Essence::Compressed(video) => {
            check_picture(&video.picture, &parameters, line, findings);
            check_ssn(
                video.picture.ssn.as_deref(),
                "ST2110-22:",
                line,
                "ST 2110-22 §7.2",
                findings,
            );
            if video.packet_mode.is_none() {
                findings.error(line, "RFC 9134 §7.1", "packetmode is missing: 0 or 1");
            }
            if stream.bandwidth.is_none() {
                let text = "b=AS, the bit rate in kbit/s, is missing";
                findings.error(stream.line, "ST 2110-22 §7.3", text);
            }
        }
        Essence::Audio(audio) => check_audio(audio, stream.line, findings),
        Essence::Ancillary(ancillary) => check_ancillary(ancillary, &parameters, line, findings),
    }
    if !(96..=127).contains(&stream.payload_type) {
        let text =
            format!("payload type {} is none of the dynamic ones, 96 to 127", stream.payload_type);
        findings.warning(stream.line, "ST 2110-10 §6.2", text);
    }
    let direction = ["sendrecv", "sendonly", "inactive"];
    for name in direction {
        let own = section.attribute(name).or_else(|| session.attribute(name));
        if let Some((line, _)) = own {
            let text = format!("a={name}: senders describe what others receive, a=recvonly");
            findings.note(line, "RFC 8866 §6.7", text);
        }
    }
}

fn check_leg(stream: &Stream, findings: &mut Findings) {
    let (leg, line) = (&stream.leg, stream.line);
    let multicast = leg.destination.is_multicast();
    if multicast && leg.destination.is_ipv4() && leg.ttl.is_none() {
        findings.error(line, "RFC 8866 §5.7", "c= has a multicast address without /TTL");
    }
    if !multicast && leg.ttl.is_some() {
        findings.error(line, "RFC 8866 §5.7", "c= has a time to live with a unicast address");
    }
    if multicast && leg.source.is_none() {
        let text =
            "there is no a=source-filter: receivers cannot ask for one source (IGMPv3, MLDv2)";
        findings.warning(line, "ST 2110-10 §8.4, RFC 4570", text);
    }
    if leg.destination.is_unspecified() {
        findings.error(line, "RFC 8866 §5.7", "c= has no particular address");
    }
    if leg.port % 2 == 1 {
        let text = format!("port {} is odd, and RTP uses even ones", leg.port);
        findings.note(line, "RFC 3550 §11", text);
    }
}

fn check_clocks(stream: &Stream, findings: &mut Findings) {
    let line = stream.line;
    if stream.reference_clocks.is_empty() {
        let text = "a=ts-refclk is missing: ptp=IEEE1588-2008:… or localmac=…";
        findings.error(line, "ST 2110-10 §8.2", text);
    }
    for clock in &stream.reference_clocks {
        match clock {
            ReferenceClock::Other(other) => {
                let text = format!("ts-refclk is {other:?}, and only ptp and localmac are allowed");
                findings.error(line, "ST 2110-10 §8.2", text);
            }
            ReferenceClock::LocalMac(_) => {
                let text =
                    "the sender follows its own clock: streams of others are not aligned to it";
                findings.note(line, "ST 2110-10 §8.2", text);
            }
            ReferenceClock::Ptp { server: None, .. } => {
                let text = "ts-refclk names no PTP clock: its identity and domain, or traceable";
                findings.error(line, "ST 2110-10 §8.2", text);
            }
            ReferenceClock::Ptp { .. } => {}
        }
    }
    match &stream.media_clock {
        None => findings.error(line, "ST 2110-10 §8.3", "a=mediaclk is missing: direct=0"),
        Some(MediaClockSource::Direct { offset: 0 }) => {}
        Some(MediaClockSource::Sender) => {
            let text = "mediaclk is sender: time stamps are not those of the reference clock";
            findings.warning(line, "ST 2110-10 §8.3", text);
        }
        Some(MediaClockSource::Direct { offset }) => {
            let text = format!("mediaclk has the offset {offset}; ST 2110 wants 0");
            findings.error(line, "ST 2110-10 §8.3", text);
        }
        Some(MediaClockSource::Other(other)) => {
            let text = format!("mediaclk is {other:?}; direct=0 or sender is possible");
            findings.error(line, "ST 2110-10 §8.3", text);
        }
    }
}

fn check_word(
    name: &str,
    value: Option<&str>,
    known: &[&str],
    line: usize,
    clause: &'static str,
    findings: &mut Findings,
) {
    match value {
        None => findings.error(line, clause, format!("{name} is missing: {}", known.join(", "))),
        Some(value) if !known.contains(&value) => {
            let text = format!("{name} is {value:?}; known are {}", known.join(", "));
            findings.error(line, clause, text);
        }
        Some(_) => {}
    }
}

fn check_ssn(
    ssn: Option<&str>,
    prefix: &str,
    line: usize,
    clause: &'static str,
    findings: &mut Findings,
) {
    match ssn {
        None => findings.error(line, clause, format!("SSN is missing: {prefix}YEAR")),
        Some(ssn) if !ssn.starts_with(prefix) => {
            findings.error(line, clause, format!("SSN is {ssn:?} and should begin with {prefix}"));
        }
        Some(_) => {}
    }
}

fn check_picture(picture: &Picture, parameters: &Parameters, line: usize, findings: &mut Findings) {
    const REQUIRED: &str = "ST 2110-20 §7.2";
    const DEFAULTED: &str = "ST 2110-20 §7.3";
    check_word("sampling", picture.sampling.as_deref(), &SAMPLINGS, line, REQUIRED, findings);
    check_word("depth", picture.depth.as_deref(), &DEPTHS, line, REQUIRED, findings);
    let known = [&COLORIMETRIES[..], &[UNSPECIFIED]].concat();
    check_word("colorimetry", picture.colorimetry.as_deref(), &known, line, REQUIRED, findings);
    check_rate(picture.rate, parameters, line, REQUIRED, findings);
    let tps = ["2110TPN", "2110TPNL", "2110TPW"];
    check_word("TP", picture.tp.as_deref(), &tps, line, "ST 2110-21 §8.1", findings);
    if let Some(tcs) = picture.tcs.as_deref() {
        check_word("TCS", Some(tcs), &TCS, line, DEFAULTED, findings);
    }
    if let Some(range) = picture.range.as_deref() {
        let known = ["NARROW", "FULLPROTECT", "FULL"];
        check_word("RANGE", Some(range), &known, line, DEFAULTED, findings);
    }
    if let Some(mode) = picture.ts_mode.as_deref() {
        check_word(
            "TSMODE",
            Some(mode),
            &["NEW", "PRES", "SAMP"],
            line,
            "ST 2110-10 §8.7",
            findings,
        );
    }
    if parameters.has("segmented") && !parameters.has("interlace") {
        findings.error(line, DEFAULTED, "segmented needs interlace beside it");
    }
    let sampling = picture.sampling.as_deref().unwrap_or("");
    if picture.scan != Scan::Progressive && sampling.ends_with("4:2:0") {
        findings.error(line, "ST 2110-20 §6.2.4", "4:2:0 is for progressive pictures only");
    }
    if !picture.width.is_multiple_of(2)
        && (sampling.ends_with("4:2:2") || sampling.ends_with("4:2:0"))
    {
        let text = format!("a width of {} does not fit {sampling}", picture.width);
        findings.error(line, "ST 2110-20 §6.2", text);
    }
    if picture.par.is_none() && matches!(picture.height, 480 | 486 | 576) && picture.width == 720 {
        let text = "PAR is missing, which means square pixels; standard definition has others, such as 12:11";
        findings.warning(line, DEFAULTED, text);
    }
    if picture.max_udp.is_some_and(|bytes| !(1460..=8960).contains(&bytes)) {
        let text = "MAXUDP is the Extended UDP Size Limit, 8960, or a value from 1460 on";
        findings.error(line, "ST 2110-10 §8.6", text);
    }
}

/// `exactframerate` must be in lowest terms, and a whole number must not be written as a fraction.
fn check_rate(
    rate: Option<FrameRate>,
    parameters: &Parameters,
    line: usize,
    clause: &'static str,
    findings: &mut Findings,
) {
    let Some(text) = parameters.get("exactframerate") else {
        findings.error(line, clause, "exactframerate is missing: 25, or 30000/1001");
        return;
    };
    let Some(rate) = rate else { return };
    if text != rate.to_string() {
        let text = format!(
            "exactframerate is {text:?} and must be written {rate}: a whole number, or a reduced fraction"
        );
        findings.error(line, clause, text);
    }
}

fn check_audio(audio: &AudioEssence, line: usize, findings: &mut Findings) {
    let aes3 = audio.coding == Coding::Am824;
    let standard = if aes3 { "ST 2110-31 §6.1" } else { "ST 2110-30 §6.1" };
    if audio.coding == Coding::L8 {
        findings.error(line, "ST 2110-30 §6.1", "L8 is not part of ST 2110-30: L16 or L24 is");
    }
    if !matches!(audio.rate, 44_100 | 48_000 | 96_000) {
        let text =
            format!("a sample rate of {} Hz; 48000, 96000 and 44100 are possible", audio.rate);
        findings.error(line, standard, text);
    }
    if aes3 && !audio.channels.is_multiple_of(2) {
        let text = format!("{} subframes: AES3 has them in pairs", audio.channels);
        findings.error(line, standard, text);
    }
    match audio.ptime {
        None => findings.error(line, "AES67 §8.1", "a=ptime is missing"),
        Some(ptime) => {
            let samples = (ptime * f64::from(audio.rate) / 1000.0).round();
            let size = samples * f64::from(audio.channels) * audio.coding.sample_size() as f64;
            if size > MAX_PAYLOAD as f64 {
                let text = format!("{size} bytes a packet: at most {MAX_PAYLOAD} fit");
                findings.error(line, "ST 2110-10 §6.3", text);
            }
            if !matches!(ptime, 0.9..=1.1 | 0.12..=0.14) {
                let text = format!(
                    "a packet time of {ptime} ms: receivers need only take 1 ms and 125 µs"
                );
                findings.note(line, "ST 2110-30 §6.2.1", text);
            }
        }
    }
    match audio.channel_order.as_deref() {
        None => findings.note(
            line,
            "ST 2110-30 §6.2.2",
            "channel-order is missing: channels are undefined",
        ),
        Some(order) if !order.starts_with("SMPTE2110.(") || !order.ends_with(')') => {
            let text = format!("channel-order is {order:?} and should be SMPTE2110.(…)");
            findings.error(line, "ST 2110-30 §6.2.2", text);
        }
        Some(_) => {}
    }
}

fn check_ancillary(
    ancillary: &AncillaryEssence,
    parameters: &Parameters,
    line: usize,
    findings: &mut Findings,
) {
    if parameters.has("exactframerate") {
        check_rate(ancillary.rate, parameters, line, "ST 2110-40 §7", findings);
    } else {
        findings.warning(
            line,
            "ST 2110-40 §7",
            "exactframerate is missing: receivers must guess it",
        );
    }
    if let Some(ssn) = ancillary.ssn.as_deref() {
        check_ssn(Some(ssn), "ST2110-40:", line, "ST 2110-40 §7", findings);
    } else {
        findings.warning(line, "ST 2110-40 §7", "SSN is missing: ST2110-40:2018");
    }
    if let Some(tm) = ancillary.tm.as_deref() {
        check_word("TM", Some(tm), &["CTM", "LLTM"], line, "ST 2110-40 §7", findings);
    }
}
