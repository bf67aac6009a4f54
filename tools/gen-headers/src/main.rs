//! Generates the C header from the C ABI's source, or checks that the committed one is up to date.
use std::path::Path;
use std::process::ExitCode;

const HEADER: &str = "include/mesh_dp.h";
const USAGE: &str = "usage: gen-headers [--check]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--check"] => true,
        _ => return fail(USAGE),
    };
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let path = root.join(HEADER);
    let header = match generate(root) {
        Ok(header) => header,
        Err(error) => return fail(&format!("src/ffi: {error}")),
    };
    if check {
        match std::fs::read_to_string(&path) {
            Ok(found) if found == header => ExitCode::SUCCESS,
            Ok(_) => fail(&format!("{HEADER} is out of date: run `cargo run -p gen-headers`")),
            Err(error) => fail(&format!("{HEADER}: {error}")),
        }
    } else {
        match std::fs::write(&path, header) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("{HEADER}: {error}")),
        }
    }
}

/// The header's text. Only the files of the C ABI are read, so that it can be made while other code
/// is broken.
fn generate(root: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in ["version", "error", "timeout", "client", "connection", "buffer"] {
        builder = builder.with_src(root.join(format!("src/ffi/{file}.rs")));
    }
    let mut text = Vec::new();
    builder.generate()?.write(&mut text);
    Ok(String::from_utf8(text)?)
}

fn fail(message: &str) -> ExitCode {
    eprintln!("gen-headers: {message}");
    ExitCode::FAILURE
}
