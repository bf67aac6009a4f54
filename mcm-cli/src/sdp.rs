//! `mcm sdp`: checks a session description, or prints that of a running stream.

use crate::error::CliError;
use crate::output::print;
use crate::proxy::{PATIENCE, Proxy, refused};
use crate::server::{ProxyOptions, Server};
use crate::stream::read_text;
use clap::{Args, ValueHint};
use proto::control::{GetInfoRequest, GetSdpRequest, ReferenceClock};
use st2110::sdp::{Finding, Severity, check};
use std::fmt::Write;
use std::path::Path;

/// Check a session description, or print that of a stream
#[derive(Debug, Args)]
#[command(after_help = "\
With a file: checks a session description (SDP) against RFC 8866 and ST 2110-10, -20, -21, -22, -30, -31 \
and -40. Each finding has its line, how much it matters and the clause: errors break a rule, warnings are \
likely to cause trouble, notes are worth knowing. The exit status is 1 if there are errors.

With a stream of a media proxy: prints its session description, and on standard error which clock the host \
follows.")]
pub(crate) struct Options {
    #[command(flatten)]
    proxy: ProxyOptions,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// A description: a path with a slash, a name that ends with .sdp or exists, or - for standard
    /// input. Or the id of a group (239.1.1.1:5004), a connection or a bridge, as mcm list prints
    /// it
    #[arg(value_name = "FILE|STREAM", value_hint = ValueHint::FilePath)]
    what: String,
}

/// Runs the command.
pub(crate) fn run(options: Options) -> Result<(), CliError> {
    let Options { proxy, json, what } = options;
    if proxy.server.is_some() || !is_file(&what) {
        return show(&proxy.server(), what);
    }
    let findings =
        check(&read_text(&what)?).map_err(|error| CliError::Sdp { path: what.clone(), error })?;
    print(&if json { to_json(&findings) } else { to_text(&what, &findings) })?;
    match count(&findings, Severity::Error) {
        0 => Ok(()),
        _ => Err(CliError::Flawed),
    }
}

/// Ids of groups, connections and bridges are taken for files only if there is such a file.
fn is_file(what: &str) -> bool {
    what == "-" || what.contains('/') || what.ends_with(".sdp") || Path::new(what).exists()
}

/// Prints the description of a running stream.
fn show(server: &Server, id: String) -> Result<(), CliError> {
    let mut proxy = Proxy::connect(server)?;
    let mut request = tonic::Request::new(GetSdpRequest { id });
    request.set_timeout(PATIENCE);
    let answer = proxy.runtime.block_on(proxy.client.get_sdp(request));
    print(&answer.map_err(|status| refused(server, &status))?.into_inner().sdp)?;
    let mut request = tonic::Request::new(GetInfoRequest {});
    request.set_timeout(PATIENCE);
    let answer = proxy.runtime.block_on(proxy.client.get_info(request));
    let info = answer.map_err(|status| refused(server, &status))?.into_inner();
    // Standard output is the description alone, so that it can be written to a file.
    eprint!("{}", info.reference_clock.as_ref().map(clock_to_text).unwrap_or_default());
    Ok(())
}

/// The clock of the proxy's host, a line for each warning.
pub(crate) fn clock_to_text(clock: &ReferenceClock) -> String {
    let synchronised = match (clock.synchronised, clock.max_error_us) {
        (Some(true), Some(error)) => format!("synchronised within {error} µs"),
        (Some(true), None) => "synchronised".to_owned(),
        (Some(false), _) => "not synchronised".to_owned(),
        (None, _) => "the system does not say whether it is synchronised".to_owned(),
    };
    let mut text = format!("time: {}; {synchronised}\n", clock.source);
    for warning in &clock.warnings {
        let _ = writeln!(text, "time: warning: {warning}");
    }
    text
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

fn to_text(path: &str, findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let _ = writeln!(text, "{path}: {finding}");
    }
    let number = |severity| match count(findings, severity) {
        1 => format!("1 {severity}"),
        count => format!("{count} {severity}s"),
    };
    let [errors, warnings, notes] =
        [Severity::Error, Severity::Warning, Severity::Note].map(number);
    let _ = writeln!(text, "{errors}, {warnings}, {notes}");
    text
}

fn to_json(findings: &[Finding]) -> String {
    let all: Vec<_> = findings
        .iter()
        .map(|finding| {
            serde_json::json!({
                "severity": finding.severity.to_string(),
                "line": finding.line,
                "clause": finding.clause,
                "text": finding.text,
            })
        })
        .collect();
    format!("{:#}\n", serde_json::Value::from(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_for_people() {
        let clock = ReferenceClock {
            source: "CLOCK_TAI, 37 s ahead of UTC".into(),
            synchronised: Some(true),
            max_error_us: Some(20),
            ..ReferenceClock::default()
        };
        let text = "time: CLOCK_TAI, 37 s ahead of UTC; synchronised within 20 µs\n";
        assert_eq!(clock_to_text(&clock), text);
        let free = ReferenceClock {
            synchronised: Some(false),
            warnings: vec!["it drifts".into()],
            ..clock
        };
        let text =
            "time: CLOCK_TAI, 37 s ahead of UTC; not synchronised\ntime: warning: it drifts\n";
        assert_eq!(clock_to_text(&free), text);
    }

    #[test]
    fn files_are_told_from_streams() {
        for file in ["-", "./x", "/tmp/none", "camera.sdp", "Cargo.toml"] {
            assert!(is_file(file), "{file}");
        }
        for id in ["239.1.1.1:5004", "[ff15::1]:5004", "camera-1"] {
            assert!(!is_file(id), "{id}");
        }
    }
}
