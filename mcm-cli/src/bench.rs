//! `mcm bench`: how fast the ring is on this machine, beside floors measured in the same run.

use crate::error::CliError;
use crate::output::print;
use benches::{Case, Machine, Options, Scenario};
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;

fn usage() -> String {
    let mut text = String::from(
        "\
usage: mcm bench [--quick] [--json] [SCENARIO…]

Measures the exchange of frames between processes, beside floors measured in the same run. Needs no media proxy.

      --quick  fewer and shorter rounds: a look, not a measurement
      --json   print JSON, at the end

scenarios (all of them without):
",
    );
    for scenario in Scenario::ALL {
        text.push_str(&format!("  {:<9} {}\n", scenario.name(), scenario.about()));
    }
    text
}

/// Runs the command.
pub(crate) fn run(mut arguments: lexopt::Parser) -> Result<(), CliError> {
    let mut options = Options::default();
    let mut json = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return print(&usage()),
            Long("quick") => options.quick = true,
            Long("json") => json = true,
            Value(name) => options.scenarios.push(name.parse_with(str::parse::<Scenario>)?),
            other => return Err(other.unexpected().into()),
        }
    }
    let machine = Machine::here()?;
    if json {
        let cases = benches::run(&options, |_| Ok::<(), CliError>(()))?;
        let text = serde_json::json!({ "machine": machine, "cases": cases });
        return print(&format!("{text:#}\n"));
    }
    print(&format!("{machine}\n\n{}\n", Case::heading()))?;
    benches::run(&options, |case| print(&format!("{case}\n")))?;
    Ok(())
}
