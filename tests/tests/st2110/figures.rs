//! Measurements of streams and of the clock.

use crate::{hosts, open_receiver, open_source, put, send, take, take_row, video};
use mcm_tests::content::Stamp;
use mcm_tests::pair::Pair;
use mcm_tests::wait;
use proto::control::Bridge;
use serde_json::json;

#[test]
fn a_stream_is_described_for_others() {
    hosts(|pair| {
        let [a, b] = pair.programs.clone();
        let _source = open_source(&a, &video("239.77.0.1", 5004));
        let sdp = pair.net.on(1, || pair.a.control().sdp("239.77.0.1:5004")).unwrap();
        for part in
            ["c=IN IP4 239.77.0.1", "m=video 5004", "raw/90000", "width=320", "IN IP4 10.77.0.1"]
        {
            assert!(sdp.contains(part), "{part}: {sdp}");
        }
        let findings = st2110::sdp::check(&sdp).unwrap();
        assert!(
            findings.iter().all(|it| it.severity != st2110::sdp::Severity::Error),
            "{findings:?}"
        );
        // With it a receiver needs to know nothing else.
        let by_sdp = json!({
            "connection": { "st2110": { "sdp": sdp } },
            "payload": { "video": { "pixelFormat": "yuv422p10rfc4175" } },
        });
        let receiver = open_receiver(&b, &by_sdp);
        put(&_source, Stamp { source: 1, index: 0 });
        assert_eq!(take(&receiver).index, 0);
        let unknown = pair.net.on(1, || pair.a.control().sdp("nothing")).unwrap_err();
        assert_eq!(unknown.code(), tonic::Code::NotFound);
    });
}

/// The ingress bridge of host 2, as soon as it has a measurement with that name.
pub(crate) fn measured(pair: &Pair, name: &str) -> Bridge {
    wait::some(&format!("the measurement {name}"), || {
        let bridge = pair.bridges(2).into_iter().next()?;
        bridge.measurements.contains_key(name).then_some(bridge)
    })
}

#[test]
fn received_video_is_judged() {
    hosts(|pair| {
        let [a, b] = pair.programs.clone();
        let config = video("239.77.0.1", 5004);
        let receiver = open_receiver(&b, &config);
        let _sender = send(open_source(&a, &config), 1);
        take_row(&receiver, 1, 5);
        let bridge = measured(pair, "path1_vrx_max");
        let count = |name: &str| bridge.counters[name];
        // Each unit has one verdict, and some have been judged.
        let verdicts = ["path1_narrow", "path1_narrow_linear", "path1_wide", "path1_not_compliant"];
        let judged: u64 = verdicts.into_iter().map(count).sum();
        assert!(judged > 0, "{bridge:?}");
        assert_eq!(judged + count("path1_not_judged"), count("path1_units"), "{bridge:?}");
        let figure = |name: &str| bridge.measurements[name];
        // 180 rows of 800 bytes: at least one packet for each row but what fits into the packet
        // before.
        let packets = figure("path1_packets_per_unit");
        assert!((100.0..=360.0).contains(&packets), "{bridge:?}");
        assert!(figure("path1_cinst_max") >= 1.0, "{bridge:?}");
        let units = figure("path1_last_units");
        assert!(units > 0.0 && units <= count("path1_units") as f64, "{bridge:?}");
        assert!(figure("path1_last_vrx_max") <= figure("path1_vrx_max"), "{bridge:?}");
        assert_eq!(figure("path1_last_lost"), 0.0, "{bridge:?}");
        for name in ["vrx", "vrx_linear", "first_packet", "gap", "rtp_offset"] {
            let unit = if matches!(name, "first_packet" | "gap") { "_us" } else { "" };
            let [min, mean, max] =
                ["min", "mean", "max"].map(|part| figure(&format!("path1_{name}_{part}{unit}")));
            assert!(min <= mean && mean <= max, "{name}: {bridge:?}");
        }
        assert!(!bridge.counters.contains_key("path2_units"), "{bridge:?}");
    });
}

#[test]
fn received_audio_is_measured() {
    hosts(|pair| {
        let [a, b] = pair.programs.clone();
        let config = json!({
            "connection": { "st2110": {
                "ipAddr": "239.77.0.2", "port": 5010, "transport": "st2110-30", "payloadType": 97,
            }},
            "payload": { "audio": {
                "channels": 2, "sampleRate": 48000, "format": "pcm_s24be", "packetTime": "1ms",
            }},
            "bufferQueueCapacity": 128,
        });
        let _receiver = open_receiver(&b, &config);
        let _sender = send(open_source(&a, &config), 1);
        let bridge = measured(pair, "path1_ts_df_max_us");
        assert_eq!(bridge.measurements["path1_samples_per_packet"], 48.0, "{bridge:?}");
        assert!(bridge.measurements["path1_ts_df_min_us"] >= 0.0, "{bridge:?}");
        assert!(bridge.counters.contains_key("path1_discontinuities"), "{bridge:?}");
        assert!(!bridge.counters.contains_key("path1_units"), "{bridge:?}");
    });
}

#[test]
fn the_clock_is_shown() {
    hosts(|pair| {
        let a = pair.programs[0].clone();
        let clock = || pair.net.on(1, || pair.a.control().info()).reference_clock.expect("a clock");
        let before = clock();
        assert!(!before.source.is_empty() && before.tai_offset_s.is_some(), "{before:?}");
        let _source = open_source(&a, &video("239.77.0.1", 5004));
        let now = clock();
        assert_eq!(now.synchronised.is_none(), before.synchronised.is_none());
        // Session descriptions name the same clock.
        assert!(!now.ts_refclk.is_empty(), "{now:?}");
        let sdp = pair.net.on(1, || pair.a.control().sdp("239.77.0.1:5004")).unwrap();
        assert!(sdp.contains(&format!("a=ts-refclk:{}\r\n", now.ts_refclk)), "{now:?} {sdp}");
        // Who is not synchronised is warned.
        assert!(now.synchronised != Some(false) || !now.warnings.is_empty(), "{now:?}");
    });
}
