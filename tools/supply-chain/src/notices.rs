//! The list of third-party packages, with the texts of their licences.

use crate::Error;
use crate::metadata::{Metadata, Package};
use std::collections::BTreeMap;
use std::fmt::Write;

/// How the names of files with licences begin.
const NAMES: [&str; 5] = ["license", "licence", "copying", "unlicense", "notice"];

/// The list, in Markdown: a table of packages, then each text once, under the names of the packages
/// that have it.
pub(crate) fn write(metadata: &Metadata) -> Result<String, Error> {
    let packages = metadata.installed();
    let mut list = String::from(
        "# Third-party software\n\n\
         The programs and libraries of this installation are built with Rust's standard \
         library (MIT OR Apache-2.0) and with these packages of crates.io:\n\n\
         | package | version | licence | authors |\n|---|---|---|---|\n",
    );
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let Package { name, version, .. } = package;
        let licence = package.license.as_deref().unwrap_or("none");
        let authors = package.authors.join(", ").replace('|', "/");
        // Writing to a string cannot fail.
        let _ = writeln!(list, "| {name} | {version} | {licence} | {authors} |");
        for text in licences(package)? {
            texts.entry(text).or_default().push(format!("{name} {version}"));
        }
    }
    let mut texts: Vec<_> = texts.into_iter().map(|(text, packages)| (packages, text)).collect();
    texts.sort();
    for (packages, text) in texts {
        let _ = write!(list, "\n## {}\n\n````text\n{text}\n````\n", packages.join(", "));
    }
    Ok(list)
}

/// The texts of the licences that a package comes with, without what differs by white space alone.
fn licences(package: &Package) -> Result<Vec<String>, Error> {
    let directory = package.directory();
    let fail = |error: std::io::Error| Error::File {
        path: directory.display().to_string(),
        reason: error.to_string(),
    };
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if NAMES.iter().any(|start| name.starts_with(start)) && entry.path().is_file() {
            let text = std::fs::read_to_string(entry.path()).map_err(fail)?;
            let lines: Vec<_> = text.lines().map(str::trim_end).collect();
            texts.push(lines.join("\n").trim_matches('\n').to_owned());
        }
    }
    texts.sort();
    Ok(texts)
}
