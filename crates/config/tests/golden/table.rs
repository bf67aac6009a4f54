//! Tables of inputs and expected outputs: lines of text, each output indented below its inputs.

use std::path::Path;

/// Compares the outputs of a table with those of `output`, which is given `inputs` lines at a time.
///
/// With the environment variable `MCM_BLESS=1` the table is rewritten instead.
#[track_caller]
pub(crate) fn check(path: &Path, inputs: usize, output: impl Fn(&[&str]) -> String) {
    let table = std::fs::read_to_string(path).unwrap();
    let given: Vec<_> =
        table.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()).collect();
    let mut found = String::new();
    for entry in given.chunks(inputs) {
        for line in entry {
            found += &format!("{line}\n");
        }
        for line in output(entry).lines() {
            found += &format!("    {line}\n");
        }
    }
    if std::env::var_os("MCM_BLESS").is_some() {
        std::fs::write(path, found).unwrap();
        return;
    }
    for (number, (expected, found)) in table.lines().zip(found.lines()).enumerate() {
        assert_eq!(found, expected, "{}, line {}", path.display(), number + 1);
    }
    assert_eq!(found, table, "{}", path.display());
}
