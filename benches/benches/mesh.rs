//! `cargo bench -p mcm-benches [-- --quick SCENARIO…]`; `mcm bench` runs the same scenarios.

use benches::{Options, Scenario};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = benches::receiver_process(&arguments) {
        return code;
    }
    let mut options = Options::default();
    for argument in &arguments {
        match argument.as_str() {
            // Cargo adds this one of its own accord.
            "--bench" => {}
            "--quick" => options.quick = true,
            name => match name.parse::<Scenario>() {
                Ok(scenario) => options.scenarios.push(scenario),
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::FAILURE;
                }
            },
        }
    }
    match benches::run(&options, |case| println!("{case}")) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
