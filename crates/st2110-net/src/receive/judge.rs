//! Judgement of the packets of one path as they arrive.

use media::Tai;
use st2110::{
    analyser::{AudioAnalyser, AudioSummary, Expectation, VideoAnalyser, VideoSummary},
    rtp::Header,
    time::MediaClock,
};

/// Figures of a stream on one path since the session began: of any sender's stream, as the kernel's times of arrival show it.
#[derive(Clone, Debug)]
pub enum Analysis {
    /// Of video, or ancillary data: the judgement of ST 2110-21.
    Video(Box<VideoSummary>),
    /// Of audio.
    Audio(Box<AudioSummary>),
}

/// An analyser for the essence.
#[derive(Clone, Debug)]
pub(super) enum Judge {
    Video(Box<VideoAnalyser>),
    Audio(Box<AudioAnalyser>),
    /// Ancillary data have no schedule that is worth judging.
    None,
}

impl Judge {
    pub(super) fn video(expected: Expectation) -> Self {
        Self::Video(Box::new(VideoAnalyser::new(expected)))
    }

    pub(super) fn audio(clock: MediaClock) -> Self {
        Self::Audio(Box::new(AudioAnalyser::new(clock, AudioAnalyser::PERIOD)))
    }

    pub(super) fn packet(&mut self, at: Tai, header: &Header, size: usize) {
        match self {
            // What it reports of a frame is in the summary as well.
            Self::Video(analyser) => drop(analyser.packet(at, header, size)),
            Self::Audio(analyser) => drop(analyser.packet(at, header, size)),
            Self::None => {}
        }
    }

    pub(super) fn analysis(&self) -> Option<Analysis> {
        match self {
            Self::Video(analyser) => Some(Analysis::Video(Box::new(analyser.summary()))),
            Self::Audio(analyser) => Some(Analysis::Audio(Box::new(analyser.summary()))),
            Self::None => None,
        }
    }
}
