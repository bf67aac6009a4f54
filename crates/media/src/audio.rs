//! Audio formats and the size of a packet.

use crate::error::ConfigError;
use crate::named;

/// Channels may be at most this many: what ST 2110-30 carries in one stream at its highest level.
pub const MAX_CHANNELS: u16 = 64;

named! {
    /// Samples a second and channel.
    #[derive(Default)]
    pub enum SampleRate {
        /// 48 kHz.
        #[default]
        Hz48000 = "48000",
        /// 96 kHz.
        Hz96000 = "96000",
        /// 44.1 kHz.
        Hz44100 = "44100",
    }
}

impl SampleRate {
    /// The rate in hertz.
    pub const fn hz(self) -> u32 {
        match self {
            Self::Hz48000 => 48_000,
            Self::Hz96000 => 96_000,
            Self::Hz44100 => 44_100,
        }
    }

    /// The rate of so many hertz; `None` if it is not supported.
    pub fn from_hz(hz: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|rate| rate.hz() == hz)
    }
}

named! {
    /// How a sample is stored. Samples of all channels are interleaved.
    #[derive(Default)]
    pub enum AudioFormat {
        /// Signed 8 bits.
        PcmS8 = "pcm_s8",
        /// Signed 16 bits, big endian (L16).
        PcmS16be = "pcm_s16be",
        /// Signed 24 bits, big endian (L24).
        #[default]
        PcmS24be = "pcm_s24be",
        /// An AES3 subframe in 32 bits, as ST 2110-31 sends it: status bits, then 24 bits of a
        /// sample or of data.
        Am824 = "am824",
    }
}

impl AudioFormat {
    /// Bytes of one sample of one channel.
    pub const fn sample_size(self) -> usize {
        match self {
            Self::PcmS8 => 1,
            Self::PcmS16be => 2,
            Self::PcmS24be => 3,
            Self::Am824 => 4,
        }
    }
}

named! {
    /// How much time the samples of one packet span (ST 2110-30, AES67).
    #[derive(Default)]
    pub enum PacketTime {
        /// 1 ms, at 48 and 96 kHz.
        #[default]
        Ms1 = "1ms",
        /// 125 µs, at 48 and 96 kHz.
        Us125 = "125us",
        /// 250 µs, at 48 and 96 kHz.
        Us250 = "250us",
        /// 333 µs, at 48 and 96 kHz.
        Us333 = "333us",
        /// 4 ms, at 48 and 96 kHz.
        Ms4 = "4ms",
        /// 80 µs, at 48 and 96 kHz.
        Us80 = "80us",
        /// 1.09 ms, at 44.1 kHz.
        Ms1_09 = "1.09ms",
        /// 0.14 ms, at 44.1 kHz.
        Ms0_14 = "0.14ms",
        /// 0.09 ms, at 44.1 kHz.
        Ms0_09 = "0.09ms",
    }
}

impl PacketTime {
    /// Samples of one channel in a packet; `None` if this packet time does not exist at this rate.
    pub const fn samples_per_packet(self, rate: SampleRate) -> Option<u32> {
        let at_48k = match self {
            Self::Ms1 => 48,
            Self::Us125 => 6,
            Self::Us250 => 12,
            Self::Us333 => 16,
            Self::Ms4 => 192,
            Self::Us80 => 4,
            Self::Ms1_09 | Self::Ms0_14 | Self::Ms0_09 => 0,
        };
        let at_44k = match self {
            Self::Ms1_09 => 48,
            Self::Ms0_14 => 6,
            Self::Ms0_09 => 4,
            _ => 0,
        };
        let samples = match rate {
            SampleRate::Hz48000 => at_48k,
            SampleRate::Hz96000 => at_48k * 2,
            SampleRate::Hz44100 => at_44k,
        };
        if samples == 0 { None } else { Some(samples) }
    }
}

/// Audio, one packet in each buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Audio {
    /// Channels, 1 to 64.
    pub channels: u16,
    /// Samples a second.
    pub sample_rate: SampleRate,
    /// Format of a sample.
    pub format: AudioFormat,
    /// Time that one packet spans.
    pub packet_time: PacketTime,
}

impl Audio {
    /// Bytes of one packet: samples × channels × sample size.
    ///
    /// # Errors
    /// Invalid if the channels are not within 1 to 64; Incompatible if the packet time does not
    /// exist at the sample rate.
    pub fn packet_size(&self) -> Result<usize, ConfigError> {
        if !(1..=MAX_CHANNELS).contains(&self.channels) {
            let allowed = format!("1 to {MAX_CHANNELS}");
            return Err(ConfigError::invalid("payload.audio.channels", self.channels, allowed));
        }
        let Some(samples) = self.packet_time.samples_per_packet(self.sample_rate) else {
            return Err(ConfigError::incompatible(
                "payload.audio.packetTime",
                format!("{} with sampleRate {}", self.packet_time, self.sample_rate),
                format!("{} with this sample rate", self.packet_times()),
            ));
        };
        Ok(samples as usize * usize::from(self.channels) * self.format.sample_size())
    }

    fn packet_times(&self) -> String {
        let fits = |time: &&PacketTime| time.samples_per_packet(self.sample_rate).is_some();
        PacketTime::ALL.iter().filter(fits).map(|time| time.name()).collect::<Vec<_>>().join(", ")
    }
}

impl Default for Audio {
    /// Two channels of 24 bits at 48 kHz, 1 ms: the defaults of the configuration.
    fn default() -> Self {
        Self {
            channels: 2,
            sample_rate: SampleRate::default(),
            format: AudioFormat::default(),
            packet_time: PacketTime::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ConfigErrorKind;

    #[test]
    fn samples_per_packet() {
        use PacketTime::*;
        for (time, at_48k, at_96k, at_44k) in [
            (Ms1, Some(48), Some(96), None),
            (Us125, Some(6), Some(12), None),
            (Us250, Some(12), Some(24), None),
            (Us333, Some(16), Some(32), None),
            (Ms4, Some(192), Some(384), None),
            (Us80, Some(4), Some(8), None),
            (Ms1_09, None, None, Some(48)),
            (Ms0_14, None, None, Some(6)),
            (Ms0_09, None, None, Some(4)),
        ] {
            assert_eq!(time.samples_per_packet(SampleRate::Hz48000), at_48k, "{time}");
            assert_eq!(time.samples_per_packet(SampleRate::Hz96000), at_96k, "{time}");
            assert_eq!(time.samples_per_packet(SampleRate::Hz44100), at_44k, "{time}");
        }
    }

    #[test]
    fn packet_sizes() {
        assert_eq!(Audio::default().packet_size(), Ok(288));
        let audio = Audio {
            channels: 64,
            sample_rate: SampleRate::Hz96000,
            format: AudioFormat::PcmS24be,
            packet_time: PacketTime::Ms4,
        };
        assert_eq!(audio.packet_size(), Ok(384 * 64 * 3));
        let audio = Audio { channels: 1, format: AudioFormat::PcmS8, ..Audio::default() };
        assert_eq!(audio.packet_size(), Ok(48));
        let audio = Audio { format: AudioFormat::PcmS16be, ..Audio::default() };
        assert_eq!(audio.packet_size(), Ok(192));
    }

    #[test]
    fn channels_are_bounded() {
        for channels in [0, 65, u16::MAX] {
            let error = Audio { channels, ..Audio::default() }.packet_size().unwrap_err();
            assert_eq!(error.kind, ConfigErrorKind::Invalid);
            assert_eq!(error.path, "payload.audio.channels");
        }
    }

    #[test]
    fn packet_time_must_fit_the_rate() {
        let audio = Audio { sample_rate: SampleRate::Hz44100, ..Audio::default() };
        let error = audio.packet_size().unwrap_err();
        assert_eq!(error.kind, ConfigErrorKind::Incompatible);
        assert_eq!(error.allowed, "1.09ms, 0.14ms, 0.09ms with this sample rate");
    }

    #[test]
    fn names_are_read_back() {
        for rate in SampleRate::ALL {
            assert_eq!(SampleRate::from_hz(rate.hz()), Some(*rate));
            assert_eq!(rate.name(), rate.hz().to_string());
        }
        for format in AudioFormat::ALL {
            assert_eq!(AudioFormat::from_name(format.name()), Some(*format));
        }
        for time in PacketTime::ALL {
            assert_eq!(PacketTime::from_name(time.name()), Some(*time));
        }
        assert_eq!(SampleRate::from_hz(32_000), None);
    }
}
