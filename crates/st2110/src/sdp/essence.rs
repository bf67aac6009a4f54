//! What a medium is: its encoding and the parameters of that.

use crate::video::Packing;
use media::{FrameRate, Scan};

use super::notes::Notes;
use super::value::{exact_rate, number, rate};
use super::{Parameters, SdpError};
use crate::audio::Coding;

/// Parameters of audio that are known.
const AUDIO: [&str; 1] = ["channel-order"];
/// Those of ancillary data.
const ANCILLARY: [&str; 7] =
    ["exactframerate", "DID_SDID", "VPID_Code", "SSN", "TM", "TROFF", "TSMODE"];
/// Those that all video has.
const PICTURE: [&str; 18] = [
    "sampling",
    "depth",
    "width",
    "height",
    "exactframerate",
    "interlace",
    "segmented",
    "colorimetry",
    "TCS",
    "RANGE",
    "PAR",
    "SSN",
    "TP",
    "TROFF",
    "CMAX",
    "MAXUDP",
    "TSMODE",
    "TSDELAY",
];

const WHOLE: &str = "a whole number is needed";

/// A whole number that may be there.
fn optional_number<T: std::str::FromStr>(
    line: usize,
    name: &str,
    clause: &'static str,
    allowed: &'static str,
    parameters: &Parameters,
    notes: &mut Notes,
) -> Option<T> {
    let text = parameters.get(name)?;
    notes.try_read(clause, number(line, name, text, allowed))
}

/// What video streams have in common (ST 2110-20 §7.2 and §7.3, ST 2110-21 §8, ST 2110-22 §7). What
/// is `None` does not stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// `sampling`, as written: `YCbCr-4:2:2`.
    pub sampling: Option<String>,
    /// `depth`, as written: `10`, `16f`.
    pub depth: Option<String>,
    /// Pixels of a row.
    pub width: u32,
    /// Rows of a frame.
    pub height: u32,
    /// `exactframerate`: frames a second.
    pub rate: Option<FrameRate>,
    /// `interlace` and `segmented`.
    pub scan: Scan,
    /// `colorimetry`: `BT709`, `BT2020`, …
    pub colorimetry: Option<String>,
    /// `TCS`: `SDR`, `PQ`, `HLG`, …
    pub tcs: Option<String>,
    /// `RANGE`: `NARROW`, `FULL`, …
    pub range: Option<String>,
    /// `PAR`: width and height of a pixel.
    pub par: Option<(u32, u32)>,
    /// `SSN`: `ST2110-20:2017`, …
    pub ssn: Option<String>,
    /// `TP`: sender type, `2110TPN`, `2110TPNL` or `2110TPW`.
    pub tp: Option<String>,
    /// `TROFF` in microseconds.
    pub troff: Option<u32>,
    /// `CMAX` in packets.
    pub cmax: Option<u32>,
    /// `MAXUDP` in bytes.
    pub max_udp: Option<u32>,
    /// `TSMODE`: `NEW`, `PRES`, `SAMP`.
    pub ts_mode: Option<String>,
    /// `TSDELAY` in microseconds.
    pub ts_delay: Option<u32>,
}

impl Picture {
    /// A picture of which nothing but the size is known.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self {
            sampling: None,
            depth: None,
            width,
            height,
            rate: None,
            scan: Scan::Progressive,
            colorimetry: None,
            tcs: None,
            range: None,
            par: None,
            ssn: None,
            tp: None,
            troff: None,
            cmax: None,
            max_udp: None,
            ts_mode: None,
            ts_delay: None,
        }
    }

    /// A size that cannot be read is 0, and fatal.
    fn read(line: usize, parameters: &Parameters, notes: &mut Notes) -> Self {
        const DEFAULTED: &str = "ST 2110-20 §7.3";
        const TIMING: &str = "ST 2110-21 §8";
        let text = |name: &str| parameters.get(name).map(str::to_owned);
        let mut needed = |name: &'static str| {
            let value = parameters.get(name).and_then(|text| text.parse().ok());
            let value = value.filter(|value| (1..=32_767_u32).contains(value));
            notes.need(value.ok_or_else(|| match parameters.get(name) {
                Some(found) => SdpError::value(line, name, found, "1 to 32767 is possible"),
                None => SdpError::missing(line, name, "ST 2110-20 §7.2"),
            }))
        };
        let (width, height) = (needed("width"), needed("height"));
        let par = parameters.get("PAR").map(|text| {
            let allowed = "two whole numbers with a colon, such as 12:11";
            let parts = text.split_once(':');
            let side = |part: &str| part.trim().parse::<u32>().ok().filter(|side| *side != 0);
            let pair = parts.and_then(|(w, h)| Some((side(w)?, side(h)?)));
            pair.ok_or_else(|| SdpError::value(line, "PAR", text, allowed))
        });
        let par = par.and_then(|par| notes.try_read(DEFAULTED, par));
        let rate = parameters.get("exactframerate").map(|text| rate(line, "exactframerate", text));
        let rate = rate.and_then(|rate| notes.need(rate));
        let mut optional =
            |name: &str, clause| optional_number(line, name, clause, WHOLE, parameters, notes);
        Self {
            sampling: text("sampling"),
            depth: text("depth"),
            width: width.unwrap_or(0),
            height: height.unwrap_or(0),
            rate,
            scan: match (parameters.has("interlace"), parameters.has("segmented")) {
                (_, true) => Scan::Psf,
                (true, false) => Scan::Interlaced,
                (false, false) => Scan::Progressive,
            },
            colorimetry: text("colorimetry"),
            tcs: text("TCS"),
            range: text("RANGE"),
            par,
            ssn: text("SSN"),
            tp: text("TP"),
            troff: optional("TROFF", TIMING),
            cmax: optional("CMAX", TIMING),
            max_udp: optional("MAXUDP", "ST 2110-10 §8.6"),
            ts_mode: text("TSMODE"),
            ts_delay: optional("TSDELAY", "ST 2110-10 §8.7"),
        }
    }

    fn write(&self, out: &mut Parameters, packing: Option<Packing>) {
        out.push_some("sampling", self.sampling.as_ref());
        out.push("width", self.width);
        out.push("height", self.height);
        out.push_some("exactframerate", self.rate.map(exact_rate));
        out.push_some("depth", self.depth.as_ref());
        out.push_some("TCS", self.tcs.as_ref());
        out.push_some("colorimetry", self.colorimetry.as_ref());
        out.push_some("PM", packing.map(Packing::parameter));
        out.push_some("SSN", self.ssn.as_ref());
        out.push_some("RANGE", self.range.as_ref());
        out.push_some("PAR", self.par.map(|(w, h)| format!("{w}:{h}")));
        if self.scan != Scan::Progressive {
            out.push_flag("interlace");
        }
        if self.scan == Scan::Psf {
            out.push_flag("segmented");
        }
        out.push_some("TP", self.tp.as_ref());
        out.push_some("TROFF", self.troff);
        out.push_some("CMAX", self.cmax);
        out.push_some("MAXUDP", self.max_udp);
        out.push_some("TSMODE", self.ts_mode.as_ref());
        out.push_some("TSDELAY", self.ts_delay);
    }
}

/// Parameters that nobody here knows, in order.
type Others = Vec<(String, Option<String>)>;

/// Uncompressed video (ST 2110-20, RFC 4175): `raw`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoEssence {
    /// The picture.
    pub picture: Picture,
    /// `PM`.
    pub packing: Option<Packing>,
    /// Further parameters.
    pub others: Others,
}

/// JPEG XS (ST 2110-22, RFC 9134): `jxsv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompressedEssence {
    /// The picture.
    pub picture: Picture,
    /// `packetmode`: 0 for whole codestreams, 1 for slices.
    pub packet_mode: Option<u8>,
    /// `transmode`: 1 for packets in order, 0 otherwise.
    pub trans_mode: Option<u8>,
    /// `profile`, `level` and `sublevel`, and further parameters.
    pub others: Others,
}

/// Audio: `L8`, `L16`, `L24`, `AM824`.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioEssence {
    /// Coding of a sample.
    pub coding: Coding,
    /// Samples a second.
    pub rate: u32,
    /// Channels.
    pub channels: u16,
    /// `a=ptime` in milliseconds.
    pub ptime: Option<f64>,
    /// `a=maxptime` in milliseconds.
    pub max_ptime: Option<f64>,
    /// `a=framecount`: samples in a packet.
    pub frame_count: Option<u32>,
    /// `channel-order`: `SMPTE2110.(ST)`.
    pub channel_order: Option<String>,
    /// Further parameters.
    pub others: Others,
}

/// Ancillary data (ST 2110-40, RFC 8331): `smpte291`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AncillaryEssence {
    /// `exactframerate`: frames a second.
    pub rate: Option<FrameRate>,
    /// `DID_SDID`: which packets may come; none for any.
    pub kinds: Vec<(u8, u8)>,
    /// `VPID_Code` (ST 352).
    pub vpid_code: Option<u8>,
    /// `SSN`.
    pub ssn: Option<String>,
    /// `TM`: transmission model, `CTM` or `LLTM`.
    pub tm: Option<String>,
    /// `TROFF` in microseconds.
    pub troff: Option<u32>,
    /// `TSMODE`.
    pub ts_mode: Option<String>,
    /// Further parameters.
    pub others: Others,
}

/// What a medium carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Essence {
    /// ST 2110-20.
    Video(VideoEssence),
    /// ST 2110-22.
    Compressed(CompressedEssence),
    /// ST 2110-30 and -31.
    Audio(AudioEssence),
    /// ST 2110-40.
    Ancillary(AncillaryEssence),
}

impl Essence {
    /// Reads an encoding and its parameters; the times of audio are attributes and are filled in by
    /// the caller. The lines are those of the encoding and of the parameters.
    pub(super) fn read(
        map_line: usize,
        line: usize,
        encoding: &str,
        (clock, channels): (u32, Option<u16>),
        parameters: &Parameters,
        notes: &mut Notes,
    ) -> Option<Self> {
        if let Some(coding) = Coding::from_name(encoding) {
            notes.parameters(line, parameters, &AUDIO);
            return Some(Self::Audio(AudioEssence {
                coding,
                rate: clock,
                channels: channels.unwrap_or(1),
                ptime: None,
                max_ptime: None,
                frame_count: None,
                channel_order: parameters.get("channel-order").map(str::to_owned),
                others: parameters.others(&AUDIO),
            }));
        }
        match encoding.to_ascii_lowercase().as_str() {
            "raw" => {
                let known = [&PICTURE[..], &["PM"]].concat();
                notes.parameters(line, parameters, &known);
                let packing = parameters.get("PM").map(|text| packing(line, text));
                Some(Self::Video(VideoEssence {
                    picture: Picture::read(line, parameters, notes),
                    packing: packing.and_then(|it| notes.try_read("ST 2110-20 §7.2", it)),
                    others: parameters.others(&known),
                }))
            }
            "jxsv" => {
                let known = [&PICTURE[..], &["packetmode", "transmode"]].concat();
                notes.parameters(line, parameters, &known);
                let mut mode = |name: &str| {
                    let allowed = "0 or 1 is possible";
                    optional_number(line, name, "RFC 9134 §7.1", allowed, parameters, notes)
                };
                let (packet_mode, trans_mode) = (mode("packetmode"), mode("transmode"));
                Some(Self::Compressed(CompressedEssence {
                    picture: Picture::read(line, parameters, notes),
                    packet_mode,
                    trans_mode,
                    others: parameters.others(&known),
                }))
            }
            "smpte291" => Some(Self::Ancillary(AncillaryEssence::read(line, parameters, notes))),
            _ => {
                let known = "known encodings are raw, jxsv, L8, L16, L24, AM824 and smpte291";
                notes.fatal(SdpError::unsupported(map_line, encoding, known));
                None
            }
        }
    }

    /// The encoding name of `a=rtpmap`.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Video(_) => "raw",
            Self::Compressed(_) => "jxsv",
            Self::Audio(audio) => audio.coding.name(),
            Self::Ancillary(_) => "smpte291",
        }
    }

    /// The medium of `m=`.
    #[must_use]
    pub const fn medium(&self) -> &'static str {
        match self {
            Self::Audio(_) => "audio",
            _ => "video",
        }
    }

    /// Picture of a video stream.
    #[must_use]
    pub const fn picture(&self) -> Option<&Picture> {
        match self {
            Self::Video(video) => Some(&video.picture),
            Self::Compressed(video) => Some(&video.picture),
            Self::Audio(_) | Self::Ancillary(_) => None,
        }
    }

    pub(super) fn parameters(&self) -> Parameters {
        let mut out = Parameters::default();
        match self {
            Self::Video(video) => {
                video.picture.write(&mut out, video.packing);
                out.extend(&video.others);
            }
            Self::Compressed(video) => {
                out.push_some("packetmode", video.packet_mode);
                out.push_some("transmode", video.trans_mode);
                video.picture.write(&mut out, None);
                out.extend(&video.others);
            }
            Self::Audio(audio) => {
                out.push_some("channel-order", audio.channel_order.as_ref());
                out.extend(&audio.others);
            }
            Self::Ancillary(ancillary) => ancillary.write(&mut out),
        }
        out
    }
}

fn packing(line: usize, text: &str) -> Result<Packing, SdpError> {
    Packing::from_parameter(text)
        .ok_or_else(|| SdpError::value(line, "PM", text, "2110GPM or 2110BPM is possible"))
}

impl AncillaryEssence {
    fn read(line: usize, parameters: &Parameters, notes: &mut Notes) -> Self {
        notes.parameters(line, parameters, &ANCILLARY);
        let text = |name: &str| parameters.get(name).map(str::to_owned);
        let rate = parameters.get("exactframerate").map(|text| rate(line, "exactframerate", text));
        let rate = rate.and_then(|rate| notes.need(rate));
        let kinds = parameters.all("DID_SDID").filter_map(|text| {
            let allowed = "two hexadecimal bytes in braces, such as {0x61,0x02}";
            let kind = kind(text).ok_or_else(|| SdpError::value(line, "DID_SDID", text, allowed));
            notes.try_read("RFC 8331 §4.1", kind)
        });
        Self {
            rate,
            kinds: kinds.collect(),
            vpid_code: optional_number(
                line,
                "VPID_Code",
                "RFC 8331 §4.1",
                "a whole number from 0 to 255",
                parameters,
                notes,
            ),
            ssn: text("SSN"),
            tm: text("TM"),
            troff: optional_number(line, "TROFF", "ST 2110-40 §7", WHOLE, parameters, notes),
            ts_mode: text("TSMODE"),
            others: parameters.others(&ANCILLARY),
        }
    }

    fn write(&self, out: &mut Parameters) {
        out.push_some("exactframerate", self.rate.map(exact_rate));
        for (did, sdid) in &self.kinds {
            out.push("DID_SDID", format_args!("{{0x{did:02X},0x{sdid:02X}}}"));
        }
        out.push_some("VPID_Code", self.vpid_code);
        out.push_some("SSN", self.ssn.as_ref());
        out.push_some("TM", self.tm.as_ref());
        out.push_some("TROFF", self.troff);
        out.push_some("TSMODE", self.ts_mode.as_ref());
        out.extend(&self.others);
    }
}

/// `{0x61,0x02}` (RFC 8331 §4.1).
fn kind(text: &str) -> Option<(u8, u8)> {
    let (did, sdid) = text.strip_prefix('{')?.strip_suffix('}')?.split_once(',')?;
    let byte = |text: &str| {
        let digits = text.trim();
        let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"))?;
        u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() <= 2)
    };
    Some((byte(did)?, byte(sdid)?))
}
