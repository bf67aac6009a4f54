//! Standard output, whose reader may have gone.

use crate::error::CliError;
use std::io::Write;

/// Prints a text at once.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::Output)
}
