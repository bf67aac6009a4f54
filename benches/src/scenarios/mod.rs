//! The scenarios and their selection.

mod fabric;
mod fill;
mod flat;
mod paced;
mod packing;
mod pipe;
mod rounds;
mod size;
mod spinning;
mod st2110;

use crate::case::Case;
use crate::error::BenchError;
use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

/// The scenarios to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Fewer and shorter rounds: a first impression, not a measurement.
    pub quick: bool,
    /// All, where there are none.
    pub scenarios: Vec<Scenario>,
}

impl Options {
    /// One number for a full run, another for a quick one.
    pub(crate) fn either(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

/// A scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// 60 frames a second: latency of the last receiver.
    Video,
    /// 1000 audio packets a second: the same.
    Audio,
    /// Hand-offs flat out.
    Flat,
    /// A source that fills frames by memcpy.
    Fill,
    /// Frames of all sizes, uncontended.
    Size,
    /// The same frames through a pipe.
    Pipe,
    /// Spinning where it cannot help.
    Spinning,
    /// Pixels to packets of ST 2110-20 and back.
    Packing,
    /// Streams of ST 2110 between two hosts.
    St2110,
    /// From host to host, beside bare TCP.
    Fabric,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Video,
        Self::Audio,
        Self::Flat,
        Self::Fill,
        Self::Size,
        Self::Pipe,
        Self::Spinning,
        Self::Packing,
        Self::St2110,
        Self::Fabric,
    ];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Flat => "flat",
            Self::Fill => "fill",
            Self::Size => "size",
            Self::Pipe => "pipe",
            Self::Spinning => "spinning",
            Self::Packing => "packing",
            Self::St2110 => "st2110",
            Self::Fabric => "fabric",
        }
    }

    /// One-line description.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Video => "60 frames a second: time from put to the last receiver's get",
            Self::Audio => "1000 packets a second of 288 bytes: the same",
            Self::Flat => "hand-offs a second, flat out",
            Self::Fill => "a source that fills 1080p 10-bit 4:2:2 frames by memcpy",
            Self::Size => "put, get and release of 1 KB, 8 MB and 33 MB frames, uncontended",
            Self::Pipe => "the same through a pipe, as a baseline",
            Self::Spinning => "spinning where it cannot help, against none",
            Self::Packing => "1080 lines of video to packets of ST 2110-20 and back",
            Self::St2110 => "CPU time of ST 2110 streams, against bare sockets (60 s a stream)",
            Self::Fabric => "1080p 10-bit 4:2:2 frames from host to host over TCP, beside bare TCP",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scenario {
    type Err = BenchError;

    fn from_str(name: &str) -> Result<Self, BenchError> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            BenchError::UnknownScenario { name: name.to_owned(), known }
        })
    }
}

/// Runs the scenarios, and hands over each case as soon as it is measured.
///
/// # Errors
/// See [`BenchError`], and whatever `each` returns. A missed target is none.
pub fn run<E: From<BenchError>>(
    options: &Options,
    mut each: impl FnMut(&Case) -> Result<(), E>,
) -> Result<Vec<Case>, E> {
    let chosen: &[Scenario] =
        if options.scenarios.is_empty() { &Scenario::ALL } else { &options.scenarios };
    let mut cases = Vec::new();
    let refused = RefCell::new(None);
    let mut report = |case: Case| {
        if refused.borrow().is_none() {
            refused.replace(each(&case).err());
        }
        cases.push(case);
    };
    for scenario in chosen {
        if let Some(error) = refused.take() {
            return Err(error);
        }
        match scenario {
            Scenario::Video => paced::video(options, &mut report)?,
            Scenario::Audio => paced::audio(options, &mut report)?,
            Scenario::Flat => flat::run(options, &mut report)?,
            Scenario::Fill => fill::run(options, &mut report)?,
            Scenario::Size => size::run(options, &mut report)?,
            Scenario::Pipe => pipe::run(options, &mut report)?,
            Scenario::Spinning => spinning::run(options, &mut report)?,
            Scenario::Packing => packing::run(options, &mut report)?,
            Scenario::St2110 => st2110::run(options, &mut report)?,
            Scenario::Fabric => fabric::run(options, &mut report)?,
        }
    }
    refused.into_inner().map_or(Ok(cases), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for scenario in Scenario::ALL {
            assert_eq!(scenario.name().parse::<Scenario>().unwrap(), scenario);
        }
        assert!("nothing".parse::<Scenario>().unwrap_err().to_string().contains("video, audio"));
    }
}
