//! JPEG XS codestreams for tests, and a stand-in for the codec library.

use std::path::PathBuf;
use std::process::Command;

#[path = "../../crates/st2110/src/jpegxs/sample.rs"]
mod sample;

/// A codestream of three slices, different for each number: right in its markers, and not a
/// picture. Its header says how long it is, or not.
#[must_use]
pub fn codestream(number: u8, length_known: bool) -> Vec<u8> {
    let slices = vec![5_000, 9_000 + usize::from(number) * 700, 3_000];
    sample::codestream(&sample::Sample { slices, fill: number, length_known })
}

/// A directory with a `libSvtJpegxs.so.0` that stores samples as they are. `None`, loudly, where
/// there is no C compiler.
///
/// # Panics
/// In continuous integration, if there is none; and if the stand-in does not compile.
#[must_use]
pub fn stand_in() -> Option<(tempfile::TempDir, PathBuf)> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/jpegxs/tests/stand_in.c");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_owned();
    let mut cc = Command::new("cc");
    cc.args(["-std=c99", "-shared", "-fPIC", "-o"]);
    match cc.arg(path.join("libSvtJpegxs.so.0")).arg(source).status() {
        Ok(status) => assert!(status.success(), "{source} does not compile"),
        Err(error) => {
            testkit::skip(&format!("cc: {error}"));
            return None;
        }
    }
    Some((directory, path))
}
