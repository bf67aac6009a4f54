//! The tables of metrics in the documentation are those of the programs: same names, types and
//! labels, as the golden files of `/metrics` have them.

use mcm_tests::scrape::Scrape;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Types and labels of metrics by their names.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a program shows.
fn shown(program: &str) -> Metrics {
    // Values that differ from run to run are masked.
    let text = read(&format!("{program}/tests/golden/metrics.txt")).replace(" …\n", " 0\n");
    let scrape = Scrape::read(&text).unwrap();
    let labels = |name: &str| {
        let of_family = |sample: &str| match sample.strip_prefix(name) {
            Some(suffix) => ["", "_bucket", "_sum", "_count"].contains(&suffix),
            None => false,
        };
        let samples = scrape.samples.iter().filter(|sample| of_family(&sample.name));
        samples.flat_map(|sample| sample.labels.keys().cloned()).collect()
    };
    scrape.types.iter().map(|(name, kind)| (name.clone(), (kind.clone(), labels(name)))).collect()
}

/// What the tables between two headings say.
fn documented(text: &str, from: &str, to: &str) -> Metrics {
    let section = text.split_once(from).unwrap().1.split_once(to).unwrap().0;
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let mut labels = BTreeSet::new();
        for label in cells[3].split(", ").filter(|label| !label.is_empty()) {
            match label {
                "*conn*" => labels.extend(["connection", "stream", "group", "kind", "direction"]),
                "*bridge*" => labels.extend(["bridge", "stream", "group", "kind", "direction"]),
                "*told*" => labels.extend(["id", "stream", "group", "media_proxy", "kind"]),
                own => drop(labels.insert(own.trim_matches('`'))),
            }
        }
        let labels = labels.into_iter().map(str::to_owned).collect();
        (cells[0].trim_end_matches('`').to_owned(), (cells[1].to_owned(), labels))
    });
    rows.collect()
}

#[track_caller]
fn same(shown: &Metrics, documented: &Metrics) {
    for (name, metric) in shown {
        assert_eq!(documented.get(name), Some(metric), "{name}: documented, shown");
    }
    let unknown: Vec<_> = documented.keys().filter(|name| !shown.contains_key(*name)).collect();
    assert!(unknown.is_empty(), "documented, and not shown: {unknown:?}");
}

#[test]
fn metrics_are_documented_as_they_are() {
    let text = read("docs/observability.md");
    same(&shown("media-proxy"), &documented(&text, "### Proxy\n", "### Agent\n"));
    same(&shown("mesh-agent"), &documented(&text, "### Agent\n", "## Dashboard"));
}
