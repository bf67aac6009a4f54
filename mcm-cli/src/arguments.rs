//! The command line: commands, and parsers of values that several of them take.

use crate::{analyze, bench, delete, graph, info, list, sdp, st2110, top};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};
use std::time::Duration;

/// Command-line tool of the Media Communications Mesh: shows what flows, checks streams, measures.
#[derive(Debug, Parser)]
#[command(name = "mcm", version, args_override_self = true, subcommand_value_name = "COMMAND")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What `mcm` is asked to do.
#[derive(Debug, Subcommand)]
#[command(subcommand_help_heading = "Commands")]
pub(crate) enum Command {
    List(list::Options),
    Top(top::Options),
    Graph(graph::Options),
    Info(info::Options),
    Delete(delete::Options),
    Bench(bench::Options),
    Sdp(sdp::Options),
    Analyze(analyze::Options),
    St2110(st2110::Options),
}

/// A parser of lengths of time, from a tenth of a second to `most` seconds.
pub(crate) fn seconds(
    most: u32,
) -> impl Fn(&str) -> Result<Duration, String> + Clone + Send + Sync + 'static {
    move |text| {
        let range = 0.1..=f64::from(most);
        let value = text.parse().ok().filter(|value| range.contains(value));
        value
            .map(Duration::from_secs_f64)
            .ok_or_else(|| format!("accepted is a number of seconds from 0.1 to {most}"))
    }
}

/// A parser of the names of values.
pub(crate) fn one_of<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.iter().map(|value| name(*value))).try_map(move |found| {
        let value = all.iter().find(|value| name(**value) == found);
        value.copied().ok_or("accepted are the names above")
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::{Args, CommandFactory};

    /// Reads the options of one command, without its name.
    pub(crate) fn read<T: Args>(arguments: &[&str]) -> Result<T, String> {
        let command = T::augment_args(clap::Command::new("test").no_binary_name(true));
        let matches = command.try_get_matches_from(arguments).map_err(|error| error.to_string())?;
        T::from_arg_matches(&matches).map_err(|error| error.to_string())
    }

    #[test]
    fn manual_pages_and_completions_are_up_to_date() {
        manual::check(Arguments::command()).unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn lengths_of_time_have_limits() {
        assert_eq!(seconds(3600)("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["0", "3601", "soon", "nan"] {
            assert!(seconds(3600)(wrong).is_err_and(|error| error.contains("0.1 to 3600")));
        }
    }

    #[test]
    fn without_a_command_nothing_is_run() {
        assert!(Arguments::try_parse_from(["mcm"]).unwrap().command.is_none());
        let error = Arguments::try_parse_from(["mcm", "lits"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("'list'"), "{error}");
    }
}
