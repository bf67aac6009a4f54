//! The options that `mcm list`, `mcm top` and `mcm graph` share.

use crate::error::CliError;
use crate::server::{Place, PlaceOptions};
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;
use std::time::Duration;

/// What to look at, and how to show it.
#[derive(Debug, PartialEq)]
pub(crate) struct ViewOptions {
    pub(crate) place: Place,
    pub(crate) group: String,
    pub(crate) json: bool,
    pub(crate) interval: Duration,
    pub(crate) number: Option<u64>,
    /// The file to draw to; "-" is standard output.
    pub(crate) svg: Option<String>,
}

/// What differs between the commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// Once.
    List,
    /// Again and again.
    Top,
    /// A drawing.
    Graph,
}

impl ViewOptions {
    /// Reads the options that a view has. `None` if the usage was asked for, and printed.
    pub(crate) fn parse(
        mut arguments: lexopt::Parser,
        usage: &str,
        view: View,
    ) -> Result<Option<Self>, CliError> {
        let mut place = PlaceOptions::default();
        let mut options = Self {
            place: PlaceOptions::default().place()?,
            svg: None,
            group: String::new(),
            json: false,
            interval: Duration::from_secs(1),
            number: None,
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Short('h') | Long("help") => {
                    crate::output::print(usage)?;
                    return Ok(None);
                }
                Short('s') | Long("server") => place.server = Some(arguments.value()?.string()?),
                Short('a') | Long("agent") => place.agent = Some(arguments.value()?.string()?),
                Long("tls-cert") => place.tls.cert = Some(arguments.value()?.into()),
                Long("tls-key") => place.tls.key = Some(arguments.value()?.into()),
                Long("tls-ca") => place.tls.ca = Some(arguments.value()?.into()),
                Long("json") if view != View::Graph => options.json = true,
                Long("svg") if view == View::Graph => {
                    options.svg = Some(arguments.value()?.string()?);
                }
                Short('i') | Long("interval") if view == View::Top => {
                    options.interval = interval(&arguments.value()?.string()?)?;
                }
                Short('n') | Long("number") if view == View::Top => {
                    options.number = Some(arguments.value()?.parse()?);
                }
                Value(group) if options.group.is_empty() => options.group = group.string()?,
                other => return Err(other.unexpected().into()),
            }
        }
        options.place = place.place()?;
        Ok(Some(options))
    }
}

fn interval(text: &str) -> Result<Duration, CliError> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.1..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| CliError::Option {
        option: "--interval",
        found: text.to_owned(),
        allowed: "0.1 to 3600 seconds",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str], view: View) -> Result<Option<ViewOptions>, CliError> {
        ViewOptions::parse(lexopt::Parser::from_args(arguments), "usage", view)
    }

    #[test]
    fn all_options_are_read() {
        let arguments = ["-s", "h:1", "-i", "0.5", "-n", "3", "--json", "camera"];
        let options = parse(&arguments, View::Top).unwrap().unwrap();
        let Place::Proxy(server) = &options.place else { panic!("{options:?}") };
        assert_eq!((server.address.as_str(), options.group.as_str()), ("h:1", "camera"));
        assert_eq!((options.interval, options.number), (Duration::from_millis(500), Some(3)));
        assert!(options.json);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = parse(&["-i", "0"], View::Top).unwrap_err().to_string();
        assert!(error.contains("--interval") && error.contains("0.1"), "{error}");
        assert!(parse(&["-i", "1"], View::List).is_err(), "an option of the other command");
        assert!(
            parse(&["--json"], View::Graph).is_err() && parse(&["--svg=x"], View::Top).is_err()
        );
        assert!(parse(&["a", "b"], View::Top).is_err());
    }
}
