//! Streams that keep to no rules, judged.
#![no_main]

use std::time::Duration;

use fuzz::Choices;
use libfuzzer_sys::fuzz_target;
use media::{FrameRate, Tai};
use st2110::analyser::{AudioAnalyser, Expectation, VideoAnalyser};
use st2110::pacing::Raster;
use st2110::rtp::Header;
use st2110::time::MediaClock;

fuzz_target!(|data: &[u8]| {
    let _ = play(&mut Choices(data));
});

fn play(choices: &mut Choices<'_>) -> Option<()> {
    let shape = choices.byte()?;
    let mut expected = Expectation::default();
    if shape & 1 != 0 {
        expected.frame_rate =
            FrameRate::new(choices.number()? as u32, choices.number()? as u32).ok();
    }
    if shape & 2 != 0 {
        expected.raster = Some(Raster { height: choices.number()? as u32, fields: shape & 4 != 0 });
    }
    if shape & 8 != 0 {
        expected.packets = Some(choices.number()? as u32);
    }
    if shape & 16 != 0 {
        expected.offset = Some(Duration::from_nanos(choices.number()?));
    }
    if shape & 32 != 0 {
        expected.max_udp = Some(choices.short()? as u16);
    }
    let mut video = VideoAnalyser::new(expected);
    let mut audio = AudioAnalyser::new(MediaClock::VIDEO, Duration::from_millis(20));
    let mut header = Header::default();
    let mut time = choices.number()? >> (shape >> 6);
    while let Some(kind) = choices.byte() {
        time = match kind & 7 {
            0 => choices.number()?,
            1 => time.saturating_sub(u64::from(choices.byte()?)),
            _ => time.saturating_add(u64::from(choices.byte()?) << (kind & 15)),
        };
        header.sequence = match kind >> 3 & 7 {
            0 => choices.short()? as u16,
            1 => header.sequence.wrapping_sub(u16::from(choices.byte()?)),
            _ => header.sequence.wrapping_add(1),
        };
        if kind & 64 != 0 {
            header.timestamp = header.timestamp.wrapping_add(choices.number()? as u32);
        }
        header.marker = kind & 128 != 0;
        header.ssrc = u32::from(kind == 0xff);
        let size = choices.byte()?.into();
        let arrival = Tai::from_nanos(time);
        if let Some(report) = video.packet(arrival, &header, size) {
            assert!(report.cinst.is_none_or(f64::is_finite));
        }
        audio.packet(arrival, &header, size);
    }
    let summary = video.take_summary();
    let judged = summary.narrow + summary.linear + summary.wide + summary.failed + summary.unknown;
    assert_eq!(judged, summary.units);
    let _ = audio.take_summary();
    Some(())
}
