//! What may go wrong with a command.

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line cannot be understood.
    #[error("{0}; see --help")]
    Usage(#[from] lexopt::Error),
    /// A value that an option does not take.
    #[error("{option} is {found:?}; accepted is {allowed}")]
    Option {
        /// The option.
        option: &'static str,
        /// Its value.
        found: String,
        /// What it takes.
        allowed: &'static str,
    },
    /// The proxy cannot be reached, or refused the request.
    #[error("media proxy at {server}: {reason}")]
    Proxy {
        /// Where it was sought.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The proxy went away while it was watched.
    #[error("media proxy at {server} has ended")]
    Ended {
        /// Where it was.
        server: String,
    },
    /// A measurement could not be made.
    #[error("{0}")]
    Bench(#[from] benches::BenchError),
    /// Nobody reads the output any more.
    #[error("standard output: {0}")]
    Output(std::io::Error),
}

impl CliError {
    /// The exit status: 2 for a wrong command line, else 1.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Option { .. } => 2,
            Self::Proxy { .. } | Self::Ended { .. } | Self::Bench(_) | Self::Output(_) => 1,
        }
    }
}
