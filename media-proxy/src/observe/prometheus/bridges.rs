//! Bridges: their state, what they count and what they measure.

use super::names::{FAMILIES, SUMS, of_path};
use super::{MAX_SHOWN, paths};
use crate::bridge::{Phase, Row};
use daemon::exposition::{Exposition, Kind::Counter, Kind::Gauge};
use mesh::topology::Direction;
use proto::control::Group;
use std::collections::{BTreeMap, HashMap};

/// A bridge with its labels.
pub(super) struct Line<'a> {
    pub(super) labels: [(&'static str, &'a str); 5],
    row: &'a Row,
    counters: BTreeMap<&'static str, u64>,
    pub(super) measurements: Vec<(&'static str, f64)>,
}

pub(super) fn write(out: &mut Exposition, groups: &[Group], rows: &[Row]) {
    let streams: HashMap<_, _> =
        groups.iter().map(|group| (group.id.as_str(), group.stream_id.as_str())).collect();
    let lines: Vec<_> = rows
        .iter()
        .take(MAX_SHOWN)
        .map(|row| {
            let group = row.spec.group.as_str();
            let figures = row.figures.as_ref();
            Line {
                labels: [
                    ("bridge", row.spec.id.as_str()),
                    ("stream", streams.get(group).copied().unwrap_or_default()),
                    ("group", group),
                    ("kind", row.kind()),
                    (
                        "direction",
                        match row.spec.direction {
                            Direction::Ingress => "in",
                            Direction::Egress => "out",
                        },
                    ),
                ],
                row,
                counters: figures.into_iter().flat_map(|f| f.counters()).collect(),
                measurements: figures.map(|f| f.measurements()).unwrap_or_default(),
            }
        })
        .collect();
    state(out, &lines);
    for family in FAMILIES {
        let mut written = out.family(family.name, family.kind, family.help);
        for line in &lines {
            for (name, count) in &line.counters {
                let (path, short) = match (family.paths, of_path(name)) {
                    (true, Some((path, short))) => (Some(path), short),
                    (false, None) => (None, *name),
                    _ => continue,
                };
                let member = family.members.iter().find(|(known, _)| *known == short);
                let Some((_, value)) = member else { continue };
                let mut labels = line.labels.to_vec();
                labels.extend(path.map(|path| ("path", path)));
                if !family.label.is_empty() {
                    labels.push((family.label, value));
                }
                written.sample(&labels, *count);
            }
        }
    }
    others(out, &lines);
    paths::write(out, &lines);
}

fn state(out: &mut Exposition, lines: &[Line<'_>]) {
    let mut info = out.family("mcm_bridge_info", Gauge, "Always 1; what a bridge is.");
    for Line { labels, row, .. } in lines {
        let remote = crate::observe::bridges::remote(&row.spec);
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
        warnings.sample(&line.labels, crate::observe::bridges::warnings(line.row).len() as u64);
    }
    let help = "CPU time of a bridge's own thread. ST 2110 bridges share theirs: see mcm_thread_cpu_seconds_total.";
    let mut cpu = out.family("mcm_bridge_cpu_seconds_total", Counter, help);
    for line in lines {
        if let Some(used) = line.row.figures.as_ref().and_then(|figures| figures.cpu_time()) {
            cpu.sample(&line.labels, used.as_secs_f64());
        }
    }
}

/// What has no family of its own.
fn others(out: &mut Exposition, lines: &[Line<'_>]) {
    let known = |name: &str| {
        let (paths, short) = of_path(name).map_or((false, name), |(_, short)| (true, short));
        let mut families = FAMILIES.iter().filter(|family| family.paths == paths);
        SUMS.contains(&short)
            || families.any(|family| family.members.iter().any(|(member, _)| *member == short))
    };
    let help = "Counts of bridges that have no name of their own yet.";
    let mut family = out.family("mcm_bridge_count_total", Counter, help);
    for line in lines {
        for (name, count) in line.counters.iter().filter(|(name, _)| !known(name)) {
            family.sample(&[&line.labels[..], &[("count", *name)]].concat(), *count);
        }
    }
}
