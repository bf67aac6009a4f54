//! Enumerations of the configuration and their numbers on the wire.

use crate::{Delivery, EndOfStream};
use media::{AudioFormat, ConfigError, PacketTime, PixelFormat, SampleRate};
use proto::sdk;
use st2110::Transport;

/// Declares how an enumeration of `media` is written on the wire, and read back.
macro_rules! numbers {
    ($to:ident, $from:ident, $media:ident, $wire:ident, $path:literal, $( $variant:ident = $name:ident ),+ $(,)?) => {
        pub(super) fn $to(value: $media) -> i32 {
            (match value { $( $media::$variant => sdk::$wire::$name, )+ }) as i32
        }

        pub(super) fn $from(number: i32) -> Result<$media, ConfigError> {
            match sdk::$wire::try_from(number) {
                $( Ok(sdk::$wire::$name) => Ok($media::$variant), )+
                #[allow(unreachable_patterns)]
                _ => {
                    let known = [$( stringify!($variant) ),+].join(", ");
                    Err(ConfigError::invalid($path, format!("number {number}"), known))
                }
            }
        }
    };
}

numbers!(
    pixel_format_number,
    pixel_format,
    PixelFormat,
    VideoPixelFormat,
    "payload.video.pixelFormat",
    Yuv422p10le = Yuv422planar10le,
    V210 = V210,
    Yuv422p10Rfc4175 = Yuv422rfc4175be10,
    Uyvy422 = Uyvy422,
    Yuv420p = Yuv420p,
    Nv12 = Nv12,
    Yuv422p = Yuv422p,
    Yuv444p10le = Yuv444p10le,
    Yuv420p10le = Yuv420p10le,
    P010le = P010le,
    Rgb24 = Rgb24,
    Bgr24 = Bgr24,
    Rgba = Rgba,
    Bgra = Bgra,
    Gray8 = Gray8,
    Gray10le = Gray10le,
    Gray16le = Gray16le,
);

numbers!(
    sample_rate_number,
    sample_rate,
    SampleRate,
    AudioSampleRate,
    "payload.audio.sampleRate",
    Hz48000 = AudioSampleRate48000,
    Hz96000 = AudioSampleRate96000,
    Hz44100 = AudioSampleRate44100,
);

numbers!(
    audio_format_number,
    audio_format,
    AudioFormat,
    AudioFormat,
    "payload.audio.format",
    PcmS8 = PcmS8,
    PcmS16be = PcmS16be,
    PcmS24be = PcmS24be,
    Am824 = Am824,
);

numbers!(
    packet_time_number,
    packet_time,
    PacketTime,
    AudioPacketTime,
    "payload.audio.packetTime",
    Ms1 = AudioPacketTime1ms,
    Us125 = AudioPacketTime125us,
    Us250 = AudioPacketTime250us,
    Us333 = AudioPacketTime333us,
    Ms4 = AudioPacketTime4ms,
    Us80 = AudioPacketTime80us,
    Ms1_09 = AudioPacketTime109ms,
    Ms0_14 = AudioPacketTime014ms,
    Ms0_09 = AudioPacketTime009ms,
);

numbers!(
    transport_number,
    transport,
    Transport,
    St2110Transport,
    "connection.st2110.transport",
    St2110_20 = ConnTransportSt211020,
    St2110_22 = ConnTransportSt211022,
    St2110_30 = ConnTransportSt211030,
    St2110_31 = ConnTransportSt211031,
    St2110_40 = ConnTransportSt211040,
);

numbers!(
    delivery_number,
    delivery,
    Delivery,
    Delivery,
    "options.delivery",
    Reliable = Reliable,
    Live = Live,
);

numbers!(
    end_of_stream_number,
    end_of_stream,
    EndOfStream,
    EndOfStream,
    "options.endOfStream",
    Wait = Wait,
    Close = Close,
);

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that existing peers speak.
    #[test]
    fn established_numbers() {
        assert_eq!(pixel_format_number(PixelFormat::Yuv422p10le), 0);
        assert_eq!(pixel_format_number(PixelFormat::V210), 1);
        assert_eq!(pixel_format_number(PixelFormat::Yuv422p10Rfc4175), 2);
        assert_eq!(sample_rate_number(SampleRate::Hz44100), 2);
        assert_eq!(audio_format_number(AudioFormat::PcmS24be), 2);
        assert_eq!(transport_number(Transport::St2110_30), 2);
        // What existing peers do not know lies beyond all that they may ever add.
        assert_eq!(transport_number(Transport::St2110_31), 1000);
        assert_eq!(transport_number(Transport::St2110_40), 1001);
        assert_eq!(audio_format_number(AudioFormat::Am824), 1000);
        let times: Vec<_> = PacketTime::ALL.iter().map(|time| packet_time_number(*time)).collect();
        assert_eq!(times, (0..9).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_are_read_back() {
        for format in PixelFormat::ALL {
            assert_eq!(pixel_format(pixel_format_number(*format)), Ok(*format));
        }
        for rate in SampleRate::ALL {
            assert_eq!(sample_rate(sample_rate_number(*rate)), Ok(*rate));
        }
        for value in Transport::ALL {
            assert_eq!(transport(transport_number(*value)), Ok(*value));
        }
        for format in AudioFormat::ALL {
            assert_eq!(audio_format(audio_format_number(*format)), Ok(*format));
        }
        let error = pixel_format(3).unwrap_err().to_string();
        assert!(error.contains("payload.video.pixelFormat: found number 3"), "{error}");
        assert!(delivery(0).is_err());
    }
}
