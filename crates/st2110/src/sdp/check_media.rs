//! What is wrong with one medium of a session description.

use media::{FrameRate, Scan};

use super::check::Findings;
use super::document::Section;
use super::place::Senders;
use super::reading::Reading;
use super::{AncillaryEssence, AudioEssence, Essence, Parameters, Picture};
use crate::audio::{Coding, MAX_PAYLOAD};
use crate::reference::{MediaClockRate, MediaClockSource, ReferenceClock};

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
/// Ticks a second of all but audio.
const VIDEO_CLOCK: u32 = 90_000;
const UNSPECIFIED: &str = "UNSPECIFIED";

/// Adds what is wrong with a medium, besides what was noted when it was read.
pub(super) fn check_medium(
    session: &Section,
    section: &Section,
    stream: &Reading,
    findings: &mut Findings,
) {
    check_place(section, stream, findings);
    check_clocks(session, section, stream, findings);
    let (line, parameters) = (stream.parameters_line, &stream.parameters);
    match &stream.essence {
        Some(Essence::Video(video)) => {
            check_picture(&video.picture, parameters, line, findings);
            if !parameters.has("PM") {
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
        Some(Essence::Compressed(video)) => {
            check_picture(&video.picture, parameters, line, findings);
            check_ssn(
                video.picture.ssn.as_deref(),
                "ST2110-22:",
                line,
                "ST 2110-22 §7.2",
                findings,
            );
            if !parameters.has("packetmode") {
                findings.error(line, "RFC 9134 §7.1", "packetmode is missing: 0 or 1");
            }
            if stream.bandwidth.is_none() {
                let text = "b=AS, the bit rate in kbit/s, is missing";
                findings.error(stream.line, "ST 2110-22 §7.3", text);
            }
        }
        Some(Essence::Audio(audio)) => check_audio(section, audio, stream, findings),
        Some(Essence::Ancillary(ancillary)) => {
            check_ancillary(ancillary, parameters, line, findings);
        }
        None => {}
    }
    if let Some(essence) = &stream.essence {
        check_name(section, essence, findings);
    }
    if let Some(payload_type) = stream.payload_type.filter(|it| !(96..=127).contains(it)) {
        let text = format!("payload type {payload_type} is none of the dynamic ones, 96 to 127");
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

/// The first word of `m=`: encodings are registered for one kind of media.
fn check_name(section: &Section, essence: &Essence, findings: &mut Findings) {
    let Some(line) = section.line('m') else { return };
    let found = line.value.split_ascii_whitespace().next().unwrap_or_default();
    let right = essence.medium();
    if found != right {
        let clause = match essence {
            Essence::Video(_) => "RFC 4175 §6.1",
            Essence::Compressed(_) => "RFC 9134 §7.1",
            Essence::Audio(_) => "RFC 3551 §4.5, RFC 3190 §4",
            Essence::Ancillary(_) => "RFC 8331 §3.1",
        };
        let encoding = essence.encoding();
        let text = format!("m={found} with {encoding}, which is registered as {right}/{encoding}");
        findings.error(line.number, clause, text);
    }
}

fn check_place(section: &Section, stream: &Reading, findings: &mut Findings) {
    if let Some(port) = stream.port.filter(|port| port % 2 == 1) {
        let text = format!("port {port} is odd, and RTP uses even ones");
        findings.note(stream.line, "RFC 3550 §11", text);
    }
    let Some(place) = stream.place else { return };
    let (line, destination) = (place.line, place.destination);
    let multicast = destination.is_multicast();
    if multicast && destination.is_ipv4() && place.ttl.is_none() {
        findings.error(line, "RFC 8866 §5.7", "c= has a multicast address without /TTL");
    }
    if !multicast && place.ttl.is_some() {
        findings.error(line, "RFC 8866 §5.7", "c= has a time to live with a unicast address");
    }
    if destination.is_unspecified() {
        findings.error(line, "RFC 8866 §5.7", "c= has no particular address");
    }
    if multicast && stream.senders == Senders::default() {
        let text =
            "there is no a=source-filter: receivers cannot ask for one source (IGMPv3, MLDv2)";
        // A filter that cannot be read has been named already.
        if section.attribute("source-filter").is_none() {
            findings.warning(stream.line, "ST 2110-10 §8.4, RFC 4570", text);
        }
    }
}

fn check_clocks(session: &Section, section: &Section, stream: &Reading, findings: &mut Findings) {
    let is_missing = |name| section.attribute(name).or_else(|| session.attribute(name)).is_none();
    if is_missing("ts-refclk") {
        let text = "a=ts-refclk is missing: ptp=IEEE1588-2008:… or localmac=…";
        findings.error(stream.line, "ST 2110-10 §8.2", text);
    }
    for (line, clock) in &stream.reference_clocks {
        let line = *line;
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
                let text = format!(
                    "ts-refclk is \"{clock}\" and names no PTP clock: its identity and domain, or traceable"
                );
                findings.error(line, "ST 2110-10 §8.2", text);
            }
            ReferenceClock::Ptp { .. } => {}
        }
    }
    if is_missing("mediaclk") {
        findings.error(stream.line, "ST 2110-10 §8.3", "a=mediaclk is missing: direct=0");
    }
    let Some((line, clock)) = &stream.media_clock else { return };
    match clock {
        MediaClockSource::Direct { offset, rate } => {
            if *offset != 0 {
                let text = format!("mediaclk has the offset {offset}; ST 2110 wants 0");
                findings.note(*line, "ST 2110-10 §8.3", text);
            }
            let own = match &stream.essence {
                Some(Essence::Audio(audio)) => audio.rate,
                _ => VIDEO_CLOCK,
            };
            match rate {
                Some(MediaClockRate { ticks, seconds: 1 }) if *ticks == own => {
                    let text = format!("mediaclk has rate={own}, which a=rtpmap tells as well");
                    findings.note(*line, "ST 2110-10 §8.3", text);
                }
                Some(rate) => {
                    let text = format!("mediaclk has rate={rate}; that of a=rtpmap is {own}");
                    findings.error(*line, "RFC 7273 §5.4", text);
                }
                None => {}
            }
        }
        MediaClockSource::Sender => {
            let text = "mediaclk is sender: timestamps are not those of the reference clock";
            findings.warning(*line, "ST 2110-10 §8.3", text);
        }
        MediaClockSource::Other(other) => {
            let text = format!("mediaclk is {other:?}; direct=0 or sender is possible");
            findings.error(*line, "ST 2110-10 §8.3", text);
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
    if !parameters.has("PAR") && matches!(picture.height, 480 | 486 | 576) && picture.width == 720 {
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

fn check_audio(section: &Section, audio: &AudioEssence, stream: &Reading, findings: &mut Findings) {
    let line = stream.map_line;
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
    match (audio.ptime, section.attribute("ptime")) {
        (None, None) => findings.error(stream.line, "AES67 §8.1", "a=ptime is missing"),
        // It was named when it was read.
        (None, Some(_)) => {}
        (Some(ptime), attribute) => {
            let line = attribute.map_or(line, |(line, _)| line);
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
    let line = stream.parameters_line;
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
