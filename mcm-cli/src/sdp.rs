//! `mcm sdp`: checks a session description.

use crate::error::CliError;
use crate::output::print;
use crate::stream::read_text;
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;
use st2110::sdp::{Finding, Severity, check};
use std::fmt::Write;

const USAGE: &str = "\
usage: mcm sdp [--json] FILE

Checks a session description (SDP) against RFC 8866 and ST 2110-10, -20, -21, -22, -30, -31 and -40. Each finding has its line, how
much it matters and the clause: errors break a rule, warnings are likely to cause trouble, notes are worth knowing.
The exit status is 1 if there are errors.

      --json  print JSON
  FILE        the description; - is standard input
";

/// Runs the command.
pub(crate) fn run(mut arguments: lexopt::Parser) -> Result<(), CliError> {
    let (mut json, mut file) = (false, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return print(USAGE),
            Long("json") => json = true,
            Value(path) if file.is_none() => file = Some(path.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let Some(path) = file else { return Err(lexopt::Error::from("FILE is missing").into()) };
    let findings =
        check(&read_text(&path)?).map_err(|error| CliError::Sdp { path: path.clone(), error })?;
    print(&if json { to_json(&findings) } else { to_text(&path, &findings) })?;
    match count(&findings, Severity::Error) {
        0 => Ok(()),
        errors => Err(CliError::Flawed(errors)),
    }
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

fn to_text(path: &str, findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let _ = writeln!(text, "{path}: {finding}");
    }
    let number = |severity| count(findings, severity);
    let (errors, warnings) = (number(Severity::Error), number(Severity::Warning));
    let notes = number(Severity::Note);
    let _ = writeln!(text, "{errors} errors, {warnings} warnings, {notes} notes");
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
