//! What may go wrong with a command.

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A value that an option does not take together with others.
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
    /// An agent cannot be reached, or refused the request.
    #[error("mesh agent at {agent}: {reason}")]
    Agent {
        /// Where it was sought.
        agent: String,
        /// What happened.
        reason: String,
    },
    /// A group that is asked for by its name.
    #[error("there is no group {0:?}")]
    NoGroup(String),
    /// The proxy went away while it was watched.
    #[error("media proxy at {server} has ended")]
    Ended {
        /// Where it was.
        server: String,
    },
    /// A measurement could not be made.
    #[error("{0}")]
    Bench(#[from] benches::BenchError),
    /// A file cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: String,
        /// What happened.
        reason: String,
    },
    /// A configuration or session description that cannot be used.
    #[error("{path}: {error}")]
    Config {
        /// The file.
        path: String,
        /// What is wrong.
        error: media::ConfigError,
    },
    /// A session description that is none.
    #[error("{path}: {error}")]
    Sdp {
        /// The file.
        path: String,
        /// What is wrong.
        error: st2110::sdp::SdpError,
    },
    /// A stream that this command cannot serve.
    #[error("{0}")]
    Stream(String),
    /// No picture was drawn.
    #[error("dot: {0}; --svg needs Graphviz (package graphviz), --dot prints the graph without it")]
    Graphviz(String),
    /// The network, or a session on it.
    #[error("{0}")]
    Network(#[from] st2110_net::Error),
    /// Something was found that is against the standards, and has been printed.
    #[error("errors were found")]
    Flawed,
    /// Nobody reads the output any more.
    #[error("standard output: {0}")]
    Output(std::io::Error),
}

impl CliError {
    /// The exit status: 2 for a wrong command line, else 1.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Option { .. } => 2,
            Self::Proxy { .. }
            | Self::Agent { .. }
            | Self::Ended { .. }
            | Self::NoGroup(_)
            | Self::Bench(_)
            | Self::File { .. }
            | Self::Config { .. }
            | Self::Sdp { .. }
            | Self::Stream(_)
            | Self::Graphviz(_)
            | Self::Network(_)
            | Self::Flawed
            | Self::Output(_) => 1,
        }
    }
}
