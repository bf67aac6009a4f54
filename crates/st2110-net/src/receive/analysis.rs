//! Conformance analysis of the packets of one path as they arrive.

use media::Tai;
use st2110::{
    analyser::{AudioAnalyser, AudioSummary, Expectation, VideoAnalyser, VideoSummary},
    rtp::Run,
    time::MediaClock,
};

/// Figures of a stream on one path: of any sender's stream, as the kernel's times of arrival show
/// it.
#[derive(Clone, Debug)]
pub enum Analysis {
    /// Of video: its conformance to ST 2110-21.
    Video(Box<Summaries<VideoSummary>>),
    /// Of audio.
    Audio(Box<Summaries<AudioSummary>>),
}

/// Figures over two times.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summaries<S> {
    /// Since the session began.
    pub all: S,
    /// In the second of the last packet and the five seconds before it.
    pub recent: S,
}

/// An analyser for the essence.
#[derive(Clone, Debug)]
pub(super) enum Analyser {
    Video(Box<VideoAnalyser>),
    Audio(Box<AudioAnalyser>),
    /// Ancillary data have no schedule to analyse.
    None,
}

impl Analyser {
    pub(super) fn video(expected: Expectation) -> Self {
        Self::Video(Box::new(VideoAnalyser::new(expected)))
    }

    pub(super) fn audio(clock: MediaClock) -> Self {
        Self::Audio(Box::new(AudioAnalyser::new(clock, AudioAnalyser::PERIOD)))
    }

    /// Takes in packets that arrived together.
    pub(super) fn run(&mut self, at: Tai, run: &Run<'_>) {
        match self {
            // What it reports of a frame is in the summary as well.
            Self::Video(analyser) => analyser.run(at, run, drop),
            Self::Audio(analyser) => {
                for ((header, _), datagram) in run.packets().zip(run.datagrams().iter()) {
                    let _ = analyser.packet(at, &header, datagram.len());
                }
            }
            Self::None => {}
        }
    }

    pub(super) fn analysis(&self) -> Option<Analysis> {
        match self {
            Self::Video(analyser) => {
                let (all, recent) = (analyser.summary(), analyser.recent());
                Some(Analysis::Video(Box::new(Summaries { all, recent })))
            }
            Self::Audio(analyser) => {
                let (all, recent) = (analyser.summary(), analyser.recent());
                Some(Analysis::Audio(Box::new(Summaries { all, recent })))
            }
            Self::None => None,
        }
    }
}
