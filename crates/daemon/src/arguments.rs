//! Parsers of values on command lines.

use clap::builder::{PathBufValueParser, TypedValueParser};
use std::path::PathBuf;
use std::str::FromStr;

/// A parser of values by their [`FromStr`], whose error names what is accepted instead.
pub fn accept<T: FromStr>(
    accepted: &'static str,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| text.parse().map_err(|_| format!("accepted is {accepted}"))
}

/// A parser of paths, which are made absolute. An empty one is an error.
#[must_use]
pub fn absolute_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(std::path::absolute)
}
