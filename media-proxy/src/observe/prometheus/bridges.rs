//! Bridges: their state and their statistics.

use super::MAX_SHOWN;
use crate::bridge::{BridgeStatistics, Family, Figure, PathStatistics, Phase, Row};
use crate::observe::bridges;
use daemon::exposition::{self, Exposition, Kind::Counter, Kind::Gauge};
use mesh::topology::Direction;
use proto::control::Group;
use std::collections::HashMap;

type Label<'a> = (&'static str, &'a str);

/// A bridge with its labels.
struct Line<'a> {
    labels: [Label<'a>; 5],
    row: &'a Row,
    statistics: Option<BridgeStatistics>,
}

pub(super) fn write(out: &mut Exposition, groups: &[Group], rows: &[Row]) {
    let streams: HashMap<_, _> =
        groups.iter().map(|group| (group.id.as_str(), group.stream_id.as_str())).collect();
    let lines = rows.iter().take(MAX_SHOWN).map(|row| {
        let group = row.spec.group.as_str();
        let direction = match row.spec.direction {
            Direction::Ingress => "in",
            Direction::Egress => "out",
        };
        Line {
            labels: [
                ("bridge", row.spec.id.as_str()),
                ("stream", streams.get(group).copied().unwrap_or_default()),
                ("group", group),
                ("kind", row.kind()),
                ("direction", direction),
            ],
            row,
            statistics: row.figures.as_ref().map(|figures| figures.statistics()),
        }
    });
    let lines: Vec<_> = lines.collect();
    state(out, &lines);
    for family in BridgeStatistics::FAMILIES {
        let mut written = out.family(family.name, family.kind, family.help);
        for Line { labels, statistics, .. } in &lines {
            if let Some(statistics) = statistics {
                samples(&mut written, family, statistics, labels, &[]);
            }
        }
    }
    for family in PathStatistics::FAMILIES.iter().filter(|family| !family.name.is_empty()) {
        let mut written = out.family(family.name, family.kind, family.help);
        for Line { labels, statistics, .. } in &lines {
            for level in statistics.iter().flat_map(BridgeStatistics::levels) {
                let place = match family.kind {
                    // Counts of the last seconds have a family of their own.
                    Counter if level.is_recent() => continue,
                    Counter => vec![("path", level.path)],
                    _ => vec![("path", level.path), ("window", level.window)],
                };
                samples(&mut written, family, level.statistics, labels, &place);
            }
        }
    }
    recent(out, &lines);
}

/// Writes what a family has of a bridge, or of one of its paths. Labels of `place` and of the
/// family are left out where they are empty.
fn samples<S>(
    written: &mut exposition::Family<'_>,
    family: &Family<S>,
    statistics: &S,
    labels: &[Label<'_>],
    place: &[Label<'_>],
) {
    for member in family.members {
        let Some(figure) = (member.get)(statistics) else { continue };
        let labels = |stat: &'static str| {
            let own = [(family.label, member.value), ("stat", stat)];
            let more = place.iter().copied().chain(own).filter(|(_, value)| !value.is_empty());
            labels.iter().copied().chain(more).collect::<Vec<_>>()
        };
        if let Figure::Count(count) = figure {
            written.sample(&labels(""), count);
        }
        for (stat, value) in figure.measured() {
            let value = if family.unit == "seconds" { value / 1e6 } else { value };
            written.sample(&labels(stat), value);
        }
    }
}

/// Counts of the last seconds, which fall again.
fn recent(out: &mut Exposition, lines: &[Line<'_>]) {
    let help = "Counts of the last seconds; see the counters with _total for all.";
    let mut written = out.family("mcm_st2110_recent", Gauge, help);
    for Line { labels, statistics, .. } in lines {
        for level in statistics.iter().flat_map(BridgeStatistics::levels) {
            for member in PathStatistics::FAMILIES.iter().flat_map(|family| family.members) {
                if let (true, Some(Figure::Count(count))) =
                    (level.is_recent(), (member.get)(level.statistics))
                {
                    let more = [("path", level.path), ("count", member.name)];
                    written.sample(&[&labels[..], &more].concat(), count);
                }
            }
        }
    }
}

fn state(out: &mut Exposition, lines: &[Line<'_>]) {
    let mut info = out.family("mcm_bridge_info", Gauge, "Always 1; what a bridge is.");
    for Line { labels, row, .. } in lines {
        let remote = bridges::remote(&row.spec);
        let local = row.figures.as_ref().map(|figures| figures.local()).unwrap_or_default();
        let more = [("connection", row.conn_id.as_str()), ("local", &local), ("remote", &remote)];
        info.sample(&[&labels[..], &more].concat(), true);
    }
    let help = "Whether a bridge runs; 0 while it starts, stops or has failed.";
    let mut active = out.family("mcm_bridge_active", Gauge, help);
    for line in lines {
        active.sample(&line.labels, line.row.phase == Phase::Active);
    }
    let help = "Whether a bridge could not start or has broken down, and is tried again.";
    let mut failed = out.family("mcm_bridge_failed", Gauge, help);
    for line in lines {
        failed.sample(&line.labels, matches!(line.row.phase, Phase::Failed(_)));
    }
    let help = "What works less well at a bridge than it should; ListBridges has the words.";
    let mut warnings = out.family("mcm_bridge_warnings", Gauge, help);
    for line in lines.iter().filter(|line| line.row.phase == Phase::Active) {
        warnings.sample(&line.labels, bridges::warnings(line.row).len() as u64);
    }
    let help = "CPU time of a bridge's own thread. ST 2110 bridges share theirs: see mcm_thread_cpu_seconds_total.";
    let mut cpu = out.family("mcm_bridge_cpu_seconds_total", Counter, help);
    for line in lines {
        if let Some(used) = line.row.figures.as_ref().and_then(|figures| figures.cpu_time()) {
            cpu.sample(&line.labels, used.as_secs_f64());
        }
    }
}
