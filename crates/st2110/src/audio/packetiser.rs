//! Packetising of audio frames.

use crate::Transport;
use media::{Audio, AudioFormat};

use super::aes3::{BLOCK_FRAMES, Subframe, channel_status};
use super::{AudioError, Coding, MAX_PAYLOAD, StreamFormat};

/// Makes the payload of one packet of each frame.
#[derive(Clone, Debug)]
pub struct Packetiser {
    format: StreamFormat,
    samples: u32,
    status: [u8; 24],
    /// Frames of AES3 since the start of a block.
    block: u32,
}

impl Packetiser {
    /// For a configured stream.
    ///
    /// # Errors
    /// The transport does not carry that format, the packet time does not exist, or a packet time
    /// does not fit a packet.
    pub fn new(transport: Transport, audio: &Audio) -> Result<Self, AudioError> {
        let format = StreamFormat::new(transport, audio)?;
        let rate = audio.sample_rate;
        let samples = audio
            .packet_time
            .samples_per_packet(rate)
            .ok_or(AudioError::PacketTime { packet_time: audio.packet_time, rate: rate.hz() })?;
        let found = samples as usize * format.wire_size();
        if found > MAX_PAYLOAD {
            return Err(AudioError::TooLarge { found, max: MAX_PAYLOAD });
        }
        Ok(Self { format, samples, status: channel_status(rate.hz()), block: 0 })
    }

    /// Samples on the wire and in memory.
    #[must_use]
    pub const fn format(&self) -> StreamFormat {
        self.format
    }

    /// Samples of a channel in a packet: the step of its RTP timestamps.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.samples
    }

    /// Bytes of a frame.
    #[must_use]
    pub const fn frame_len(&self) -> usize {
        self.samples as usize * self.format.memory_size()
    }

    /// Bytes of a packet's payload.
    #[must_use]
    pub const fn payload_len(&self) -> usize {
        self.samples as usize * self.format.wire_size()
    }

    /// Whether a frame is the payload, as it lies in memory. Then [`Packetiser::write`] need not be
    /// called.
    #[must_use]
    pub fn borrows(&self) -> bool {
        self.format.is_the_wires()
    }

    /// Writes the payload of a frame.
    ///
    /// # Errors
    /// The frame or the room for the payload has another size than [`Packetiser::frame_len`] or
    /// [`Packetiser::payload_len`].
    pub fn write(&mut self, frame: &[u8], payload: &mut [u8]) -> Result<(), AudioError> {
        for (what, found, needed) in [
            ("frame of audio", frame.len(), self.frame_len()),
            ("payload of a packet", payload.len(), self.payload_len()),
        ] {
            if found != needed {
                return Err(AudioError::Buffer { what, found, needed });
            }
        }
        match (self.format.coding, self.format.memory) {
            (Coding::L8, _) => {
                for (out, sample) in payload.iter_mut().zip(frame) {
                    *out = sample ^ 0x80;
                }
            }
            (Coding::Am824, AudioFormat::PcmS24be) => self.write_subframes(frame, payload),
            _ => payload.copy_from_slice(frame),
        }
        Ok(())
    }

    fn write_subframes(&mut self, frame: &[u8], payload: &mut [u8]) {
        let channels = usize::from(self.format.channels);
        let samples = frame.as_chunks::<3>().0.chunks_exact(channels);
        let rooms = payload.as_chunks_mut::<4>().0.chunks_exact_mut(channels);
        for (samples, room) in samples.zip(rooms) {
            let status = self.status[self.block as usize / 8] >> (self.block % 8) & 1 == 1;
            for (channel, (sample, out)) in samples.iter().zip(room).enumerate() {
                let first = channel.is_multiple_of(2);
                let subframe = Subframe {
                    block_start: first && self.block == 0,
                    frame_start: first,
                    channel_status: status,
                    sample: *sample,
                    ..Subframe::default()
                };
                *out = subframe.with_parity().to_bytes();
            }
            self.block = (self.block + 1) % BLOCK_FRAMES;
        }
    }
}

#[cfg(test)]
mod tests {
    use media::{PacketTime, SampleRate};

    use super::*;

    fn audio(format: AudioFormat, channels: u16) -> Audio {
        Audio { format, channels, ..Audio::default() }
    }

    #[test]
    fn every_packet_time_has_its_samples() {
        for rate in SampleRate::ALL {
            for time in PacketTime::ALL {
                let audio = Audio {
                    channels: 1,
                    sample_rate: *rate,
                    packet_time: *time,
                    format: AudioFormat::PcmS16be,
                };
                match (
                    Packetiser::new(Transport::St2110_30, &audio),
                    time.samples_per_packet(*rate),
                ) {
                    (Ok(packetiser), Some(samples)) => {
                        assert_eq!(packetiser.samples(), samples);
                        assert_eq!(packetiser.payload_len(), samples as usize * 2);
                        assert!(packetiser.borrows());
                    }
                    (Err(AudioError::PacketTime { .. }), None) => {}
                    other => panic!("{rate} {time}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn a_packet_time_must_fit_a_packet() {
        // 48 samples of 10 channels with 3 bytes are 1440 bytes.
        assert!(Packetiser::new(Transport::St2110_30, &audio(AudioFormat::PcmS24be, 10)).is_ok());
        let error = Packetiser::new(Transport::St2110_30, &audio(AudioFormat::PcmS24be, 11));
        assert_eq!(error.unwrap_err(), AudioError::TooLarge { found: 1584, max: 1440 });
    }

    #[test]
    fn eight_bits_are_offset_on_the_wire() {
        let mut packetiser =
            Packetiser::new(Transport::St2110_30, &audio(AudioFormat::PcmS8, 1)).unwrap();
        assert!(!packetiser.borrows());
        let mut frame = [0_u8; 48];
        (frame[0], frame[1], frame[2]) = (0x80, 0x00, 0x7f);
        let mut payload = [0; 48];
        packetiser.write(&frame, &mut payload).unwrap();
        // RFC 3551 §4.5.10: the most negative signal is coded as zero.
        assert_eq!(payload[..3], [0, 0x80, 0xff]);
        assert!(packetiser.write(&frame[1..], &mut payload).is_err());
    }

    #[test]
    fn subframes_of_pcm() {
        let mut packetiser =
            Packetiser::new(Transport::St2110_31, &audio(AudioFormat::PcmS24be, 2)).unwrap();
        let frame: Vec<u8> = (0..packetiser.frame_len()).map(|i| (i * 7) as u8).collect();
        let mut payload = vec![0; packetiser.payload_len()];
        let mut status = Vec::new();
        for packet in 0..8 {
            packetiser.write(&frame, &mut payload).unwrap();
            for (i, bytes) in payload.as_chunks::<4>().0.iter().enumerate() {
                let subframe = Subframe::from_bytes(*bytes);
                assert!(subframe.parity_is_even());
                assert_eq!(subframe.frame_start, i % 2 == 0);
                // 48 frames a packet: a block is four packets.
                assert_eq!(subframe.block_start, packet % 4 == 0 && i == 0);
                assert_eq!(subframe.sample[..], frame[i * 3..i * 3 + 3]);
                if i % 2 == 0 && packet < 4 {
                    status.push(subframe.channel_status);
                }
            }
        }
        let bytes: Vec<u8> = status
            .chunks(8)
            .map(|bits| bits.iter().enumerate().map(|(n, bit)| u8::from(*bit) << n).sum())
            .collect();
        assert_eq!(bytes, channel_status(48_000));
    }
}
