//! The text of `/metrics` and the objects of the REST API, letter by letter.
//!
//! With the environment variable `MCM_BLESS=1` the files in `golden` are rewritten instead.

mod common;

use common::fleet::fleet;
use serde_json::{Value, json};
use std::path::Path;

#[track_caller]
fn check(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("MCM_BLESS").is_some() {
        std::fs::write(path, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    for (number, (expected, found)) in expected.lines().zip(found.lines()).enumerate() {
        assert_eq!(found, expected, "{}, line {}", path.display(), number + 1);
    }
    assert_eq!(found, expected, "{}", path.display());
}

/// Replaces values that differ from run to run.
fn mask(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match name.as_str() {
                    "registeredAt" | "at" => *value = json!("a moment"),
                    "wanted" | "generation" => *value = json!("a generation"),
                    _ => mask(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(mask),
        _ => {}
    }
}

#[test]
fn prometheus_text() {
    let (server, _nodes) = fleet();
    let (_, text) = server.get("/metrics");
    // How many states a proxy answers depends on how many changes each of them contains.
    let lines = text.as_str().unwrap().lines().map(|line| match line.split_once(' ') {
        Some((name @ "mcm_agent_applied_total", _)) => format!("{name} …\n"),
        _ => format!("{line}\n"),
    });
    check("metrics.txt", &lines.collect::<String>());
}

#[test]
fn rest_objects() {
    let (server, _nodes) = fleet();
    for kind in ["media-proxy", "connection", "multipoint-group", "bridge"] {
        let (_, mut body) = server.get(&format!("/{kind}?config&status"));
        mask(&mut body);
        check(&format!("{kind}.json"), &format!("{body:#}\n"));
    }
}
