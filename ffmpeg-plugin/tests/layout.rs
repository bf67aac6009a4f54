//! The declared offsets against the headers of the installed FFmpeg.

use std::process::{Command, Stdio};

/// Needs the package libavdevice-dev, which is a part of FFmpeg that users of the plugin do not
/// need.
#[test]
fn offsets_are_those_of_the_headers() {
    let headers =
        Command::new("pkg-config").args(["--cflags", "libavformat", "libavcodec"]).output();
    let Some(headers) = headers.ok().filter(|output| output.status.success()) else {
        mcm_tests::skip("Debian package libavformat-dev");
        return;
    };
    let flags = String::from_utf8(headers.stdout).expect("flags");
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("layout");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/layout.c");
    let mut compiler = Command::new("cc");
    compiler.args(flags.split_whitespace()).args(["-w", source, "-o"]).arg(&program);
    assert!(compiler.status().expect("cc").success());
    let output = Command::new(program).stderr(Stdio::inherit()).output().expect("the program");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}
