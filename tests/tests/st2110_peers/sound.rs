//! Audio streams, and our end of them.

use crate::noise::Noise;
use crate::video::{open_receiver, open_source};
use mcm::{Receiver, Source, Timeout};
use mcm_tests::drops::loss;
use mcm_tests::pair::Pair;
use mcm_tests::wait;
use media::AudioFormat;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes of noise that are sent: whole samples and whole buffers of each case, a second of the
/// largest.
pub(crate) const SECOND: usize = 1000 * 48 * 2 * 3;

/// Time-out of a buffer: a peer has to start first.
const PATIENCE: Duration = Duration::from_secs(20);

/// Audio with 48 kHz from host 1 to host 2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sound {
    pub(crate) format: AudioFormat,
    pub(crate) channels: usize,
    pub(crate) multicast: bool,
    pub(crate) port: u16,
}

pub(crate) fn cases() -> [Sound; 4] {
    let case = |format, channels, multicast, port| Sound { format, channels, multicast, port };
    [
        case(AudioFormat::PcmS24be, 2, true, 5100),
        case(AudioFormat::PcmS24be, 1, false, 5102),
        case(AudioFormat::PcmS16be, 2, false, 5104),
        case(AudioFormat::PcmS16be, 2, true, 5106),
    ]
}

impl Sound {
    pub(crate) fn destination(&self) -> &'static str {
        if self.multicast { "239.77.0.2" } else { "10.77.0.2" }
    }

    pub(crate) fn group(&self) -> String {
        format!("{}:{}", self.destination(), self.port)
    }

    /// Bytes of a sample of all channels.
    fn unit(&self) -> usize {
        self.channels * if self.format == AudioFormat::PcmS16be { 2 } else { 3 }
    }

    /// With buffers of so many milliseconds.
    fn config(&self, stream: &Value, buffers: &str) -> Value {
        json!({
            "connection": { "st2110": stream },
            "payload": { "audio": {
                "channels": self.channels, "sampleRate": 48000, "format": self.format.name(),
                "packetTime": buffers,
            }},
            "bufferQueueCapacity": 128,
        })
    }

    /// Sends it from host 1.
    pub(crate) fn source(&self, pair: &Pair) -> Source {
        let stream = json!({
            "ipAddr": self.destination(), "port": self.port, "transport": "st2110-30",
            "payloadType": 97,
        });
        open_source(&pair.programs[0], &self.config(&stream, "1ms"))
    }

    /// Receives it on host 2 from host 1 alone, by what this says of it. The longest buffers: with
    /// as many as there may be in a queue, this program may stand still for a quarter of a second
    /// without missing one.
    pub(crate) fn receiver(&self, pair: &Pair, mut stream: Value) -> Receiver {
        if self.multicast {
            stream["multicastSourceIpAddr"] = json!("10.77.0.1");
        }
        open_receiver(&pair.programs[1], &self.config(&stream, "4ms"))
    }

    /// Takes buffers that hold exactly these samples. The first and the last buffer may be filled
    /// in part, as buffers begin at whole packet times of the clock. Fails with [`loss`] if some
    /// are missing.
    ///
    /// # Panics
    /// If samples are wrong.
    pub(crate) fn take(&self, receiver: &Receiver, samples: &[u8]) {
        let unit = self.unit() * 4 * 48;
        let mut taken = Vec::new();
        while taken.len() + 2 * unit < samples.len() {
            let (place, asked) = (taken.len(), Instant::now());
            let buffer = receiver.recv(PATIENCE);
            let buffer = buffer.unwrap_or_else(|e| loss(format!("after {place} bytes: {e}")));
            let buffer = buffer.expect("no end");
            assert_eq!(buffer.payload().len(), unit);
            if taken.is_empty() && buffer.info().incomplete {
                continue;
            }
            if buffer.info().incomplete {
                loss(format!("gap after {place} bytes, which took {:?}", asked.elapsed()));
            }
            taken.extend_from_slice(buffer.payload());
        }
        let begin = (0..=unit).find(|begin| samples[*begin..].starts_with(&taken[..unit]));
        let begin = begin.unwrap_or_else(|| loss("it begins with later samples"));
        let equal = taken.iter().zip(&samples[begin..]).take_while(|(a, b)| a == b).count();
        if equal < taken.len() {
            loss(format!("samples differ after {equal} bytes"));
        }
    }

    /// Sends the samples again and again.
    pub(crate) fn send(&self, source: Source, samples: Arc<Noise>) -> Sending {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let unit = self.unit() * 48;
        let thread = std::thread::spawn(move || {
            for part in samples.frame(0).chunks_exact(unit).cycle() {
                if stopped.load(Relaxed) {
                    break;
                }
                let mut buffer = source.frame(wait::DEADLINE).expect("a buffer");
                buffer.payload_mut().copy_from_slice(part);
                buffer.publish_within(Timeout::Infinite).unwrap();
            }
        });
        Sending { stop, thread: Some(thread) }
    }

    /// Checks that a peer has written only these samples, from any one on. Fails with [`loss`]
    /// where others come.
    pub(crate) fn check(&self, written: &[u8], samples: &[u8]) {
        let unit = self.unit();
        assert!(written.len() >= 100 * 48 * unit, "{self:?}: {} bytes", written.len());
        let twice = [samples, samples].concat();
        let start = &written[..16 * unit];
        let begin =
            (0..samples.len()).step_by(unit).find(|begin| twice[*begin..].starts_with(start));
        let begin = begin.unwrap_or_else(|| panic!("{self:?}: it begins with other samples"));
        let equal = written.iter().zip(&twice[begin..]).take_while(|(a, b)| a == b).count();
        let compared = written.len().min(twice.len() - begin);
        if equal < compared {
            loss(format!("{equal} of {compared} bytes are equal"));
        }
    }
}

/// Sends until it is dropped.
pub(crate) struct Sending {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
