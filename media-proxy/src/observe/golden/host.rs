//! A made-up host that has a value for each statistic.

use crate::bridge::st2110::{analysis, refusals};
use crate::bridge::statistics::Max;
use crate::bridge::{BridgeStatistics, Figures, PathStatistics, Phase, Row};
use crate::broker::exchange::{Detail, ReceiverDelays, Slots, Snapshot};
use config::{ConnectionConfig, Endpoint, St2110};
use media::{Payload, Video};
use mesh::topology::{BridgeLink, BridgeSpec, Direction, RdmaLink};
use proto::control::{Connection, Group, Kind, State};
use shm::Delays;
use st2110::Transport;
use st2110::analyser::{AudioSummary, Markers, Spread, VideoSummary};
use st2110::reference::{ClockState, ClockWarning, Discipline, ReferenceClock, TaiSource};
use st2110::sequence::Counts;
use st2110_net::receive::{Analysis, Refused, Summaries};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A bridge with these statistics.
#[derive(Default)]
struct Fixed {
    statistics: BridgeStatistics,
    no_link: Option<&'static str>,
    cpu: Option<Duration>,
    warnings: Vec<String>,
}

impl Figures for Fixed {
    fn local(&self) -> String {
        "192.168.1.1:5000".into()
    }
    fn statistics(&self) -> BridgeStatistics {
        self.statistics.clone()
    }
    fn no_link(&self) -> Option<String> {
        self.no_link.map(str::to_owned)
    }
    fn cpu_time(&self) -> Option<Duration> {
        self.cpu
    }
    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }
    fn sdp(&self) -> Option<String> {
        None
    }
}

fn spread(values: &[i64]) -> Spread {
    let mut spread = Spread::default();
    values.iter().for_each(|value| spread.add(*value));
    spread
}

fn video(path: u64) -> VideoSummary {
    VideoSummary {
        packets_per_unit: Some(4320),
        offset: Some(Duration::from_nanos(637_037)),
        units: 1000 + path,
        narrow: 900 + path,
        linear: 40 + path,
        wide: 30 + path,
        failed: 20 + path,
        unknown: 10 + path,
        cinst: 3.25,
        vrx: spread(&[0, 6, 7]),
        vrx_linear: spread(&[-1, 9, 9]),
        first_packet: spread(&[-1000, 5001]),
        gaps: spread(&[300, 3801]),
        rtp_offset: spread(&[55, 58]),
        markers: Markers { missing: 4 + path, repeated: 6 + path },
        counts: Counts { received: 111 + path, lost: 2 + path, ..Counts::default() },
        ..VideoSummary::default()
    }
}

fn audio(path: u64) -> AudioSummary {
    AudioSummary {
        delay_factor: spread(&[40_000, 60_001]),
        gaps: spread(&[900_000, 1_100_000]),
        rtp_offset: spread(&[47, 50]),
        samples: Some(48),
        discontinuities: 17 + path,
        counts: Counts { received: 222 + path, lost: 3, ..Counts::default() },
        ..AudioSummary::default()
    }
}

fn reasons() -> Refused {
    Refused {
        truncated: 101,
        empty: 102,
        length: 103,
        too_long: 104,
        field: 105,
        line: 106,
        offset: 107,
        mode: 108,
        picture: 109,
        last: 110,
        parity: 111,
        checksum: 112,
        room: 113,
    }
}

fn link() -> Fixed {
    let statistics = BridgeStatistics {
        linked: Some(true),
        frames: Some(7001),
        bytes: Some(7002),
        unsent: Some(7003),
        connects: Some(7004),
        losses: Some(7005),
        gaps: Some(7006),
        malformed: Some(7007),
        replayed: Some(7008),
        wild: Some(7009),
        foreign: Some(7010),
        ..BridgeStatistics::default()
    };
    Fixed { statistics, cpu: Some(Duration::from_millis(1250)), ..Fixed::default() }
}

fn sender() -> Fixed {
    let path = |full| PathStatistics {
        full: Some(full),
        refused: Some(full + 1),
        ..PathStatistics::default()
    };
    let statistics = BridgeStatistics {
        frames: Some(8001),
        packets: Some(8002),
        bytes: Some(8003),
        idle_periods: Some(8004),
        slipped_periods: Some(8005),
        late_frames: Some(8006),
        implausible_times: Some(8007),
        wrong_sizes: Some(8008),
        compliant_frames: Some(8009),
        unjudged_frames: Some(8010),
        ancillary_packets: Some(8031),
        codec_frames: Some(8032),
        codec_failures: Some(8033),
        codec_dropped: Some(8034),
        kernel_paced: Some(0.0),
        lateness: Some(Max(17.03)),
        wake_late: Some(Max(18.07)),
        codec: Some(Max(12_345.0)),
        stream: PathStatistics { cinst: Some(Max(4.125)), ..PathStatistics::default() },
        paths: vec![path(8011), path(8021)],
        ..BridgeStatistics::default()
    };
    let full = "the send buffer was full".to_owned();
    Fixed { statistics, warnings: vec![full.clone(), full], ..Fixed::default() }
}

/// What every receiver counts, with the analyses of its paths.
fn receiver(kind: refusals::Kind, analyses: Vec<Option<Analysis>>) -> BridgeStatistics {
    let mut statistics = BridgeStatistics {
        frames: Some(9001),
        incomplete_frames: Some(9002),
        dropped_frames: Some(9003),
        frames_without_slot: Some(9004),
        packets: Some(9005),
        bytes: Some(9006),
        lost: Some(9007),
        late: Some(9008),
        stray: Some(9009),
        not_rtp: Some(9010),
        other_payload_type: Some(9011),
        other_ssrc: Some(9012),
        other_sender: Some(9013),
        too_long: Some(9014),
        other_format: Some(9015),
        unaligned_times: Some(9016),
        ..BridgeStatistics::default()
    };
    refusals::of_stream(&mut statistics, kind, reasons());
    for (path, analysis) in (1..).zip(analyses) {
        let (all, recent) = analysis.map(analysis::statistics).unwrap_or_default();
        let count = 9000 + 100 * path;
        statistics.paths.push(PathStatistics {
            received: Some(count + 1),
            lost: Some(count + 2),
            reordered: Some(count + 3),
            duplicates: Some(count + 4),
            late: Some(count + 5),
            restarts: Some(count + 6),
            foreign: Some(count + 7),
            socket_drops: Some(count + 8),
            ..all
        });
        statistics.recent.push(recent);
    }
    statistics
}

fn video_receiver() -> Fixed {
    let judged = |path| {
        let recent = VideoSummary { units: 5, wide: 2, cinst: 1.5, ..video(path) };
        Some(Analysis::Video(Box::new(Summaries { all: video(path), recent })))
    };
    let mut statistics = BridgeStatistics {
        ancillary_packets: Some(9301),
        ancillary_lost: Some(9302),
        ancillary_incomplete: Some(9303),
        ancillary_late: Some(9304),
        ancillary_too_large: Some(9305),
        ancillary_unmatched: Some(9306),
        ..receiver(refusals::Kind::Video, vec![judged(1), judged(2)])
    };
    statistics.paths[0].silent = Some(0.0);
    statistics.paths[1].silent = Some(1_500_000.0);
    refusals::of_ancillary(&mut statistics, reasons());
    Fixed { statistics, ..Fixed::default() }
}

fn coded_receiver() -> Fixed {
    let all = VideoSummary { vrx: Spread::default(), offset: None, ..video(1) };
    let judged = Analysis::Video(Box::new(Summaries { all, recent: VideoSummary::default() }));
    let statistics = BridgeStatistics {
        codec_frames: Some(9401),
        codec_failures: Some(9402),
        codec_dropped: Some(9403),
        codec: Some(Max(9404.0)),
        ..receiver(refusals::Kind::Codestreams, vec![Some(judged)])
    };
    Fixed { statistics, ..Fixed::default() }
}

fn audio_receiver() -> Fixed {
    let judged =
        Summaries { all: audio(1), recent: AudioSummary { discontinuities: 1, ..audio(2) } };
    let judged = Analysis::Audio(Box::new(judged));
    let statistics = receiver(refusals::Kind::Audio, vec![Some(judged)]);
    Fixed { statistics, ..Fixed::default() }
}

fn ancillary_receiver() -> Fixed {
    let statistics = receiver(refusals::Kind::Ancillary, vec![None]);
    Fixed { statistics, ..Fixed::default() }
}

fn config(transport: Option<Transport>) -> Arc<ConnectionConfig> {
    let endpoint = match transport {
        None => Endpoint::MultipointGroup { urn: "studio".into() },
        Some(transport) => {
            let stream = St2110::new([239, 1, 1, 1].into(), 5004);
            Endpoint::St2110(St2110 { transport, ..stream })
        }
    };
    Arc::new(ConnectionConfig::new(endpoint, Payload::Video(Video::default())))
}

fn row(
    id: &str,
    direction: Direction,
    transport: Option<Transport>,
    phase: Phase,
    figures: Option<Fixed>,
) -> Row {
    let link = match transport {
        Some(_) => BridgeLink::St2110,
        None => BridgeLink::Rdma(RdmaLink {
            peer: "p2".into(),
            remote_ip: [10, 0, 0, 2].into(),
            port: 9100,
            session_key: None,
        }),
    };
    Row {
        spec: Arc::new(BridgeSpec {
            id: id.into(),
            group: "studio".into(),
            proxy: "p1".into(),
            direction,
            config: config(transport),
            link,
        }),
        phase,
        since: Instant::now(),
        conn_id: figures.as_ref().map(|_| format!("of-{id}")).unwrap_or_default(),
        figures: figures.map(|fixed| Arc::new(fixed) as Arc<dyn Figures>),
    }
}

pub(super) fn rows() -> Vec<Row> {
    use Direction::{Egress, Ingress};
    let [video, coded, audio, ancillary] =
        [Transport::St2110_20, Transport::St2110_22, Transport::St2110_30, Transport::St2110_40]
            .map(Some);
    let down = Fixed { no_link: Some("nothing is heard"), ..link() };
    let broken = Phase::Failed("libfabric cannot be loaded".into());
    vec![
        row("b1", Egress, None, Phase::Active, Some(link())),
        row("b2", Egress, None, Phase::Active, Some(down)),
        row("b3", Ingress, None, broken, None),
        row("b4", Egress, coded, Phase::Active, Some(sender())),
        row("b5", Ingress, video, Phase::Active, Some(video_receiver())),
        row("b6", Ingress, coded, Phase::Active, Some(coded_receiver())),
        row("b7", Ingress, audio, Phase::Stopping, Some(audio_receiver())),
        row("b8", Ingress, ancillary, Phase::Active, Some(ancillary_receiver())),
        row("b9", Egress, video, Phase::Starting, None),
    ]
}

pub(super) fn snapshot() -> Snapshot {
    let source = Connection {
        conn_id: "s".into(),
        group_id: "studio".into(),
        stream_id: "s".into(),
        kind: Kind::Source.into(),
        state: State::Active.into(),
        program: "camera \"1\"".into(),
        pid: 11,
        format: "video 1920x1080 50 v210".into(),
        frames: 12,
        bytes: 13,
        fps: 49.95,
        mbit_per_s: 14.5,
        queue_depth: 1,
        capacity: 16,
        waits: 17,
        age_ms: 18_250,
        ..Connection::default()
    };
    let receiver = |conn_id: &str, state: State| Connection {
        conn_id: conn_id.into(),
        kind: Kind::Receiver.into(),
        state: state.into(),
        program: "monitor".into(),
        host_pid: 21,
        missed: 22,
        held: 3,
        behind: 24,
        waits: 0,
        ..source.clone()
    };
    let live = Connection { live: true, ..receiver("r2", State::Stalled) };
    let bridge = |conn_id: &str| Connection {
        bridge: true,
        remote: "10.0.0.2:9100".into(),
        program: "media_proxy".into(),
        ..receiver(conn_id, State::Active)
    };
    let receivers = vec![
        receiver("r1", State::Active),
        live,
        receiver("r3", State::Waiting),
        receiver("r4", State::Detached),
        bridge("of-b1"),
        bridge("of-b2"),
    ];
    let delays = |first: u64| {
        let mut buckets = Delays::default().buckets;
        (buckets[0], buckets[9]) = (first, 2);
        Delays { buckets, sum_ns: 1000 * first }
    };
    let delays = ReceiverDelays { handoff: delays(5), age: delays(7) };
    let of_receiver = Detail { delays: Some(delays), ..Detail::default() };
    let of_source = Detail {
        rated: true,
        nominal_rate: Some(50.0),
        slots: Some(Slots { touched: 18, all: 72 }),
        ..Detail::default()
    };
    let details = HashMap::from([("s".to_owned(), of_source), ("r1".to_owned(), of_receiver)]);
    let group = Group {
        id: "studio".into(),
        stream_id: "s".into(),
        source: Some(source),
        receivers,
        ..Group::default()
    };
    Snapshot { groups: vec![group], has_rates: true, details }
}

pub(super) fn clock() -> ClockState {
    ClockState {
        source: TaiSource::Kernel { offset: 37 },
        discipline: Discipline::Steered { error: Duration::from_micros(20) },
        reference: ReferenceClock::LocalMac([2, 0, 0, 0, 0, 0x1f]),
        warnings: vec![ClockWarning::RunsFree],
    }
}
