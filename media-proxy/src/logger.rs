//! The log: one line each, on standard output.

use std::io::Write;

/// The environment variable that asks for more or less, in the filter syntax of `env_logger`.
const VARIABLE: &str = "MCM_LOG";
/// Other libraries tell only what needs somebody's attention.
const USUAL: &str = "warn,media_proxy=info,mesh_agent=info,fabric=info";

/// Starts the log.
pub(crate) fn start() {
    let filter = std::env::var(VARIABLE).unwrap_or_else(|_| USUAL.to_owned());
    env_logger::Builder::new()
        .parse_filters(&filter)
        .target(env_logger::Target::Stdout)
        .format(|out, record| writeln!(out, "{}: {}", record.level(), record.args()))
        .init();
}
