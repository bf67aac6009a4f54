//! Coding of samples in packets.

use crate::Transport;
use media::{Audio, AudioFormat};

use super::{AudioError, Subframe};

/// The coding of samples on the wire, by its name in session descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// 8 bits, offset by 128.
    L8,
    /// 16 bits, signed, big endian.
    L16,
    /// 24 bits, signed, big endian.
    L24,
    /// AES3 subframes in 32 bits.
    Am824,
}

impl Coding {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::L8, Self::L16, Self::L24, Self::Am824];

    /// The encoding name in `a=rtpmap`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::L8 => "L8",
            Self::L16 => "L16",
            Self::L24 => "L24",
            Self::Am824 => "AM824",
        }
    }

    /// The coding of this name; letter case does not matter (RFC 8866 §6.6).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|coding| coding.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of one sample of one channel.
    #[must_use]
    pub const fn sample_size(self) -> usize {
        match self {
            Self::L8 => 1,
            Self::L16 => 2,
            Self::L24 => 3,
            Self::Am824 => 4,
        }
    }

    /// The format in memory that holds the same samples.
    #[must_use]
    pub const fn natural(self) -> AudioFormat {
        match self {
            Self::L8 => AudioFormat::PcmS8,
            Self::L16 => AudioFormat::PcmS16be,
            Self::L24 => AudioFormat::PcmS24be,
            Self::Am824 => AudioFormat::Am824,
        }
    }
}

/// Samples on the wire and in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamFormat {
    /// On the wire.
    pub coding: Coding,
    /// In memory.
    pub memory: AudioFormat,
    /// Channels, 1 to 64.
    pub channels: u16,
}

impl StreamFormat {
    /// The format of a configured stream.
    ///
    /// # Errors
    /// The transport does not carry that format or number of channels.
    pub fn new(transport: Transport, audio: &Audio) -> Result<Self, AudioError> {
        let memory = audio.format;
        let refuse = |allowed| AudioError::Format { format: memory, transport, allowed };
        let coding = match (transport, memory) {
            (Transport::St2110_30, AudioFormat::PcmS8) => Coding::L8,
            (Transport::St2110_30, AudioFormat::PcmS16be) => Coding::L16,
            (Transport::St2110_30, AudioFormat::PcmS24be) => Coding::L24,
            (Transport::St2110_30, AudioFormat::Am824) => {
                return Err(refuse("pcm_s8, pcm_s16be and pcm_s24be are possible"));
            }
            (Transport::St2110_31, AudioFormat::PcmS24be | AudioFormat::Am824) => Coding::Am824,
            (Transport::St2110_31, _) => return Err(refuse("pcm_s24be and am824 are possible")),
            _ => return Err(refuse("audio needs st2110-30 or st2110-31")),
        };
        let found = audio.channels;
        if !(1..=64).contains(&found) {
            return Err(AudioError::Channels { found, allowed: "1 to 64" });
        }
        if coding == Coding::Am824 && !found.is_multiple_of(2) {
            return Err(AudioError::Channels { found, allowed: "AES3 has channels in pairs" });
        }
        Ok(Self { coding, memory, channels: found })
    }

    /// Bytes of one sample of all channels on the wire.
    #[must_use]
    pub const fn wire_size(&self) -> usize {
        self.coding.sample_size() * self.channels as usize
    }

    /// Bytes of one sample of all channels in memory.
    #[must_use]
    pub const fn memory_size(&self) -> usize {
        self.memory.sample_size() * self.channels as usize
    }

    /// Whether memory holds the bytes of the wire, so that packets can be sent from it without a
    /// copy.
    #[must_use]
    pub fn is_the_wires(&self) -> bool {
        self.coding != Coding::L8 && self.coding.natural() == self.memory
    }

    /// Copies whole samples from the wire to memory. Both hold the same number of samples.
    pub(super) fn to_memory(self, wire: &[u8], memory: &mut [u8]) {
        match (self.coding, self.memory) {
            (Coding::L8, _) => {
                for (out, sample) in memory.iter_mut().zip(wire) {
                    *out = sample ^ 0x80;
                }
            }
            (Coding::Am824, AudioFormat::PcmS24be) => {
                let (samples, _) = memory.as_chunks_mut::<3>();
                for (out, subframe) in samples.iter_mut().zip(wire.as_chunks::<4>().0) {
                    *out = Subframe::from_bytes(*subframe).sample;
                }
            }
            _ => memory.copy_from_slice(wire),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for coding in Coding::ALL {
            assert_eq!(Coding::from_name(coding.name()), Some(coding));
            assert_eq!(Coding::from_name(&coding.name().to_lowercase()), Some(coding));
            assert_eq!(coding.natural().sample_size(), coding.sample_size());
        }
        assert_eq!(Coding::from_name("L20"), None);
    }

    #[test]
    fn what_a_transport_carries() {
        let audio = |format, channels| Audio { format, channels, ..Audio::default() };
        let format = |transport, format, channels| {
            StreamFormat::new(transport, &audio(format, channels)).map(|f| f.coding)
        };
        assert_eq!(format(Transport::St2110_30, AudioFormat::PcmS8, 1), Ok(Coding::L8));
        assert_eq!(format(Transport::St2110_30, AudioFormat::PcmS24be, 64), Ok(Coding::L24));
        assert_eq!(format(Transport::St2110_31, AudioFormat::PcmS24be, 2), Ok(Coding::Am824));
        for (transport, memory, channels) in [
            (Transport::St2110_20, AudioFormat::PcmS24be, 2),
            (Transport::St2110_30, AudioFormat::Am824, 2),
            (Transport::St2110_31, AudioFormat::PcmS16be, 2),
            (Transport::St2110_31, AudioFormat::Am824, 3),
            (Transport::St2110_30, AudioFormat::PcmS24be, 0),
            (Transport::St2110_30, AudioFormat::PcmS24be, 65),
        ] {
            assert!(
                format(transport, memory, channels).is_err(),
                "{transport} {memory} {channels}"
            );
        }
    }
}
