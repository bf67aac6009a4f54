//! `mcm bench`: how fast the ring is on this machine, beside floors measured in the same run.

use crate::arguments::one_of;
use crate::error::CliError;
use crate::output::print;
use benches::{Case, Machine, Scenario};
use clap::Args;

/// Measure how fast frames are exchanged
#[derive(Debug, Args)]
#[command(after_help = about())]
pub(crate) struct Options {
    /// Fewer and shorter rounds: a look, not a measurement
    #[arg(long)]
    quick: bool,
    /// Print JSON, at the end
    #[arg(long)]
    json: bool,
    /// What to measure; all of them if none is named
    #[arg(value_name = "SCENARIO", hide_possible_values = true)]
    #[arg(value_parser = one_of(&Scenario::ALL, Scenario::name))]
    scenarios: Vec<Scenario>,
}

fn about() -> String {
    let scenarios = Scenario::ALL
        .map(|scenario| format!("  {:<9} {}", scenario.name(), scenario.about()))
        .join("\n");
    format!(
        "Measures the exchange of frames between processes, beside floors measured in the same run. \
         Needs no media proxy.\n\nScenarios:\n{scenarios}"
    )
}

/// Runs the command.
pub(crate) fn run(options: Options) -> Result<(), CliError> {
    let Options { quick, json, scenarios } = options;
    let options = benches::Options { quick, scenarios };
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
