//! `cargo bench -p mcm-benches [-- --quick SCENARIO…]`; `mcm bench` runs the same scenarios.

use benches::{BenchError, Case, Machine, Options, Scenario};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(code) = benches::receiver_process(&arguments) {
        return code;
    }
    let mut options = Options::default();
    for argument in &arguments {
        match &*argument.to_string_lossy() {
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
    match run(&options) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), BenchError> {
    println!("{}\n\n{}", Machine::here()?, Case::heading());
    benches::run(options, |case| {
        println!("{case}");
        Ok(())
    })
    .map(drop)
}
