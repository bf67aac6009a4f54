//! Checks the dependencies by the rules of `deny.toml`, or writes the list of them that is
//! installed.
//!
//! `cargo deny` reads the same file and checks more, such as advisories. This tool needs nothing
//! but the sources that a build has fetched, so it runs with all tests.

mod metadata;
mod notices;
mod rules;

use metadata::Metadata;
use rules::Rules;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: supply-chain --check | supply-chain FILE";

/// Why the dependencies are not in order, or cannot be read.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{USAGE}")]
    Usage,
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error("cargo metadata: {0}")]
    Cargo(String),
    #[error("{0}")]
    Rules(String),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("supply-chain: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Error> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    match arguments {
        [option] if option == "--check" => {
            let faults = Rules::read(&root.join("deny.toml"))?.check(&Metadata::read(root)?);
            if faults.is_empty() { Ok(()) } else { Err(Error::Rules(faults.join("\n"))) }
        }
        [file] if !file.starts_with('-') => {
            let text = notices::write(&Metadata::read(root)?)?;
            std::fs::write(file, text)
                .map_err(|error| Error::File { path: file.clone(), reason: error.to_string() })
        }
        _ => Err(Error::Usage),
    }
}
