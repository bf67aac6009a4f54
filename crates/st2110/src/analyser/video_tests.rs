//! Tests of the analyser: Cinst and VRX computed by hand, and streams whose format is learnt.

use std::time::Duration;

use media::{FrameRate, Tai};
use proptest::prelude::*;

use super::*;
use crate::pacing::{Raster, Schedule, SenderType};
use crate::rtp::Header;
use crate::time::{FrameClock, MediaClock};

const P50: FrameRate = FrameRate { num: 50, den: 1 };
const HD: Raster = Raster { height: 1080, fields: false };
/// 50 000 packets a second: Tf = 20 ms; TRS = 20 ms · 0.96 / 1000 = 19.2 µs, linear 20 µs; Td = 20
/// ms / 1100 = 18.18 µs. Narrow: Cmax = max(4, 50000 / 41472) = 4, VRX = max(8, 1) = 8. Wide: Cmax
/// = max(16, 2) = 16, VRX = max(720, 166) = 720.
const PACKETS: u32 = 1000;
const TRS: i64 = 19_200;
/// The frames begin at 2 s; the offset is 500 µs.
const FIRST: u64 = 100;
const FRAME_NS: i64 = 20_000_000;
const TPR0: i64 = 2_000_500_000;

fn analyser() -> VideoAnalyser {
    VideoAnalyser::new(Expectation {
        frame_rate: Some(P50),
        raster: Some(HD),
        packets: Some(PACKETS),
        offset: Some(Duration::from_micros(500)),
        ..Expectation::default()
    })
}

/// Sends `frames` frames of `packets` packets; `when` tells the nanosecond at which packet j of
/// frame i arrives.
fn play(
    analyser: &mut VideoAnalyser,
    frames: u64,
    packets: u32,
    when: impl Fn(u64, u32) -> i64,
) -> Vec<UnitReport> {
    let clock = FrameClock::frames(P50);
    let mut reports = Vec::new();
    for i in 0..frames {
        for j in 0..packets {
            let header = Header {
                marker: j + 1 == packets,
                payload_type: 96,
                sequence: (i * u64::from(packets) + u64::from(j)) as u16,
                timestamp: clock.timestamp(FIRST + i, MediaClock::VIDEO).0,
                ssrc: 1,
            };
            reports.extend(analyser.packet(Tai::from_nanos(when(i, j) as u64), &header, 1220));
        }
    }
    reports
}

/// The second of two frames: the beginning of the first one may have been missed.
fn second(when: impl Fn(u64, u32) -> i64) -> UnitReport {
    let reports = play(&mut analyser(), 2, PACKETS, when);
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[0].conformance(), Conformance::Unknown);
    reports[1]
}

/// TPR(j) of frame i.
fn read(i: u64, j: u32) -> i64 {
    TPR0 + i as i64 * FRAME_NS + i64::from(j) * TRS
}

fn complies(kind: SenderType) -> Conformance {
    Conformance::Complies(kind)
}

#[test]
fn a_packet_at_each_read_time_is_narrow() {
    let report = second(read);
    // Each packet comes as it is read: the buffer goes from 0 to 1. 19.2 µs drain 1.056 packets: C
    // = max(0, 1 − 1.056) + 1.
    assert_eq!((report.cinst, report.vrx), (Some(1.0), Some((0, 1))));
    assert_eq!(
        (report.conformance(), report.first_packet),
        (complies(SenderType::Narrow), Some(0))
    );
    assert_eq!((report.packets, report.lost, report.whole), (1000, 0, true));
    // Read linearly, packet 999 comes at 19.1808 ms, before which ceil(959.04) = 960 have been
    // read: level 39, then 40.
    assert_eq!(report.vrx_linear, Some((0, 40)));
    // 500 µs are 45 ticks of 90 kHz.
    assert_eq!(report.rtp_offset, 45);
}

#[test]
fn a_packet_each_linear_time_is_narrow_linear() {
    let report = second(|i, j| TPR0 + i as i64 * FRAME_NS + i64::from(j) * 20_000);
    assert_eq!((report.cinst, report.vrx_linear), (Some(1.0), Some((0, 1))));
    // Read with a gap, packet 999 comes at 19.98 ms, after all 1000 have been read: 999 − 1000. The
    // lowest is where 0.04 j is greatest before that: at j = 959, 19.18 ms, ceil(998.96) = 999 are
    // read: −40; at j = 960, 19.2 ms, exactly 1000: −40.
    assert_eq!(report.vrx.unwrap().0, -40);
    assert_eq!(report.conformance(), complies(SenderType::NarrowLinear));
    let compliance = report.compliance.unwrap();
    assert!(!compliance.with(SenderType::Narrow) && !compliance.with(SenderType::Wide));
}

/// Bursts of `size` packets, each at the read time of its first.
fn bursts(size: u32) -> UnitReport {
    second(|i, j| read(i, j / size * size))
}

#[test]
fn bursts_by_hand() {
    // 4 at once: C = 4, the buffer 4. In 4 · 19.2 µs 4.224 packets drain, so it stays at that.
    let report = bursts(4);
    assert_eq!((report.cinst, report.vrx), (Some(4.0), Some((0, 4))));
    assert_eq!(report.conformance(), complies(SenderType::Narrow));
    // 5 at once are above Cmax = 4.
    let report = bursts(5);
    assert_eq!((report.cinst, report.vrx), (Some(5.0), Some((0, 5))));
    assert_eq!(report.conformance(), complies(SenderType::Wide));
    // 16 are just Wide, 17 are not. (1000 = 62 · 16 + 8.)
    assert_eq!(
        (bursts(16).cinst, bursts(16).conformance()),
        (Some(16.0), complies(SenderType::Wide))
    );
    assert_eq!((bursts(17).cinst, bursts(17).conformance()), (Some(17.0), Conformance::Fails));
}

#[test]
fn cinst_between_packets_by_hand() {
    // Packets 500…503 come 10 µs apart instead of 19.2, at the read time of 500 and later. With Td
    // = 18.1818 µs, 0.55 drain in 10 µs: C = 1, 1.45, 1.9, 2.35.
    let report = second(|i, j| match j {
        500..=503 => read(i, 500) + i64::from(j - 500) * 10_000,
        j => read(i, j),
    });
    assert!((report.cinst.unwrap() - 2.35).abs() < 1e-9);
    // Packet 503 is 27.6 µs early, which is 1.4 read times: before it comes at 30 µs, 502 have been
    // read (500 and 501 of these), so the level goes from 1 to 2.
    assert_eq!(report.vrx, Some((0, 2)));
}

#[test]
fn cinst_runs_on_across_frames() {
    // The last 10 packets of a frame come at once at the read time of packet 990; the first 10 of
    // the next one 10 µs later: C = 10 − 10/18.18 + 10 = 19.45. Each alone would be Wide.
    let report = second(|i, j| match (i, j) {
        (_, 990..) => read(i, 990),
        (1, 0..10) => read(0, 990) + 10_000,
        _ => read(i, j),
    });
    assert!((report.cinst.unwrap() - 19.45).abs() < 1e-9);
    // Packet 0 comes 1000 − 990 read times, the gap of 800 µs less 10 µs early; the buffer holds
    // what is left of the frame before: 991 are read there, 9 and then 10 more remain.
    assert_eq!((report.vrx, report.conformance()), (Some((0, 19)), Conformance::Fails));
    let early = 9 * TRS + TRS + 800_000 - 10_000;
    assert_eq!(report.first_packet, Some(-early));
}

#[test]
fn a_packet_after_its_read_time_underruns() {
    let late = |by: i64| second(move |i, j| read(i, j) + if j == 700 { by } else { 0 });
    assert_eq!(late(0).conformance(), complies(SenderType::Narrow));
    // One nanosecond: it has been read when it comes, 700 − 701.
    let report = late(1);
    assert_eq!((report.vrx, report.conformance()), (Some((-1, 1)), Conformance::Fails));
}

#[test]
fn packets_that_are_too_early_overflow() {
    let early = |by: i64| second(move |i, j| read(i, j) - by * TRS);
    // 7 read times early: 7 and then 8 packets are in the buffer, all that Narrow has.
    let report = early(7);
    assert_eq!((report.vrx.unwrap().1, report.conformance()), (8, complies(SenderType::Narrow)));
    let report = early(8);
    assert_eq!((report.vrx.unwrap().1, report.conformance()), (9, complies(SenderType::Wide)));
    // 719 read times, 13.8 ms, are all that Wide has. It is more than half a frame; the timestamps
    // tell which frame it is. The last of the frame before are read until 18.82 ms less 20 ms…:
    // nothing of it remains at the end of the frame.
    let report = early(719);
    assert_eq!((report.vrx.unwrap().1, report.conformance()), (720, complies(SenderType::Wide)));
    let report = early(720);
    assert_eq!((report.vrx.unwrap().1, report.conformance()), (721, Conformance::Fails));
}

#[test]
fn loss_and_markers_are_told() {
    let mut analyser = analyser();
    let clock = FrameClock::frames(P50);
    let mut reports = Vec::new();
    for i in 0..4_u64 {
        for j in 0..PACKETS {
            // Frame 1 loses two packets; frame 2 has no marker.
            if i == 1 && (j == 10 || j == 20) {
                continue;
            }
            let header = Header {
                marker: j + 1 == PACKETS && i != 2,
                payload_type: 96,
                sequence: (i * 1000 + u64::from(j)) as u16,
                timestamp: clock.timestamp(FIRST + i, MediaClock::VIDEO).0,
                ssrc: 1,
            };
            reports.extend(analyser.packet(Tai::from_nanos(read(i, j) as u64), &header, 1220));
            // A stranger does not disturb.
            let stranger = Header { ssrc: 9, marker: true, ..header };
            assert_eq!(analyser.packet(Tai::from_nanos(read(i, j) as u64), &stranger, 99), None);
        }
    }
    assert_eq!(reports.iter().map(|report| report.lost).collect::<Vec<_>>(), [0, 2, 0, 0]);
    // What is there of frame 1 was on time.
    assert_eq!(reports[1].conformance(), complies(SenderType::Narrow));
    let summary = analyser.take_summary();
    assert_eq!(summary.markers, Markers { missing: 1, repeated: 0 });
    assert_eq!((summary.counts.lost, summary.units, summary.largest), (2, 4, 1220));
    assert_eq!((summary.gaps.min, summary.gaps.max), (TRS, TRS + 800_000));
    assert_eq!(analyser.summary().units, 0);
}

/// A stream with a rate, packets and timestamps of its own, sent narrow.
fn unknown_stream(
    rate: FrameRate,
    packets: u32,
    stamp: u32,
    phase: u64,
    frames: u64,
) -> VideoSummary {
    let clock = FrameClock::frames(rate);
    let schedule = Schedule::gapped(HD, rate, Some(Duration::from_nanos(phase)));
    let mut analyser = VideoAnalyser::new(Expectation::default());
    let mut sequence = 65_000_u16;
    for i in 0..frames {
        for j in 0..packets {
            sequence = sequence.wrapping_add(1);
            let header = Header {
                marker: j + 1 == packets,
                payload_type: 112,
                sequence,
                timestamp: clock.timestamp(70_000 + i, MediaClock::VIDEO).plus(stamp).0,
                ssrc: 5,
            };
            analyser.packet(schedule.read_time(70_000 + i, packets, j), &header, 1000);
        }
    }
    analyser.summary()
}

#[test]
fn an_unknown_stream_is_learnt() {
    let ntsc = FrameRate { num: 60_000, den: 1001 };
    let summary = unknown_stream(ntsc, 300, 123_456_789, 9_000_000, 40);
    assert_eq!((summary.rate, summary.packets_per_unit), (Some(ntsc), Some(300)));
    let offset = summary.offset.unwrap().as_nanos();
    assert!(offset.abs_diff(9_000_000) <= 2, "{offset}");
    // Some frames for learning, and every other one is Narrow.
    assert!(summary.unknown <= 6 && summary.narrow == 40 - summary.unknown, "{summary:#?}");
    assert_eq!(summary.vrx.min, 0);
}

#[test]
fn a_sender_that_starts_again_is_learnt_again() {
    let mut analyser = VideoAnalyser::new(Expectation::default());
    play(&mut analyser, 10, 100, |i, j| TPR0 + i as i64 * FRAME_NS + i64::from(j) * 100_000);
    assert_eq!(analyser.summary().packets_per_unit, Some(100));
    let clock = FrameClock::frames(FrameRate { num: 25, den: 1 });
    for i in 0..10 {
        for j in 0..50 {
            let header = Header {
                marker: j == 49,
                payload_type: 96,
                sequence: (i * 50 + j) as u16,
                timestamp: clock.timestamp(i, MediaClock::VIDEO).0,
                ssrc: 2,
            };
            let arrival = 4_000_000_000 + i * 40_000_000 + j * 500_000;
            analyser.packet(Tai::from_nanos(arrival), &header, 1000);
        }
    }
    let summary = analyser.summary();
    assert_eq!(summary.rate, Some(FrameRate { num: 25, den: 1 }));
    assert_eq!((summary.packets_per_unit, summary.counts.restarts), (Some(50), 1));
}

/// Interlaced pictures, or segmented ones whose segments share a timestamp, sent as agreed by
/// default.
fn fields(segmented: bool, frame_rate: Option<FrameRate>) -> VideoSummary {
    let raster = Raster { height: 1080, fields: true };
    let film = FrameRate { num: 30_000, den: 1001 };
    let schedule = Schedule::gapped(raster, film, None);
    let expected = Expectation { frame_rate, raster: Some(raster), ..Expectation::default() };
    let mut analyser = VideoAnalyser::new(expected);
    for unit in 0..40 {
        let stamped = if segmented { unit & !1 } else { unit };
        for j in 0..200 {
            let header = Header {
                marker: j == 199,
                payload_type: 96,
                sequence: (unit * 200 + u64::from(j)) as u16,
                timestamp: schedule.clock().timestamp(80_000 + stamped, MediaClock::VIDEO).0,
                ssrc: 5,
            };
            analyser.packet(schedule.read_time(80_000 + unit, 200, j), &header, 1000);
        }
    }
    analyser.summary()
}

#[test]
fn fields_are_analysed_as_units() {
    let film = FrameRate { num: 30_000, den: 1001 };
    for (segmented, rate) in [(false, Some(film)), (true, Some(film)), (false, None), (true, None)]
    {
        let summary = fields(segmented, rate);
        assert_eq!(summary.rate, Some(FrameRate { num: 60_000, den: 1001 }));
        // 22 / 1125 of 33.3667 ms.
        assert_eq!(summary.offset, Some(Duration::from_nanos(652_503)));
        assert!(summary.unknown <= 7 && summary.narrow == 40 - summary.unknown, "{summary:#?}");
        assert_eq!(summary.vrx.min, 0);
        assert_eq!(summary.markers.repeated, if segmented { 20 } else { 0 });
    }
}

proptest! {
    #[test]
    fn an_even_stream_is_narrow_whatever_it_is(
        rate in prop::sample::select(vec![(24_000, 1001), (25, 1), (30_000, 1001), (50, 1), (60_000, 1001), (60, 1)]),
        packets in 8_u32..200, stamp: u32, phase in 0_u64..40_000_000,
    ) {
        let rate = FrameRate { num: rate.0, den: rate.1 };
        let summary = unknown_stream(rate, packets, stamp, phase, 24);
        prop_assert_eq!((summary.rate, summary.packets_per_unit), (Some(rate), Some(packets)));
        prop_assert!(summary.failed == 0 && summary.narrow >= 16, "{:#?}", summary);
    }

    #[test]
    fn anything_may_arrive(
        packets in prop::collection::vec((any::<Header>(), 0_u64..50_000_000, any::<bool>()), 1..300),
    ) {
        let mut analyser = VideoAnalyser::new(Expectation::default());
        let mut audio = AudioAnalyser::new(MediaClock::VIDEO, AudioAnalyser::PERIOD);
        let (mut time, mut sequence) = (0, 0_u16);
        for (header, step, tame) in packets {
            time += step;
            sequence = sequence.wrapping_add(1);
            let header = if tame { Header { sequence, ssrc: 0, ..header } } else { header };
            analyser.packet(Tai::from_nanos(time), &header, 1000);
            audio.packet(Tai::from_nanos(time), &header, 1000);
        }
        let summary = analyser.summary();
        prop_assert!(summary.cinst.is_finite());
    }
}

impl Arbitrary for Header {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        (any::<bool>(), 0_u8..128, any::<u16>(), any::<u32>(), 0_u32..3)
            .prop_map(|(marker, payload_type, sequence, timestamp, ssrc)| Self {
                marker,
                payload_type,
                sequence,
                timestamp: timestamp % 40_000,
                ssrc,
            })
            .boxed()
    }
}
