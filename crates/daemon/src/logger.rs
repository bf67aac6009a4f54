//! The log: one line per event. A daemon's is on standard output.

use clap::ValueEnum;
use media::log_filter::LogFilter;
use std::fmt;
use std::io::{self, Write};

/// The environment variable that sets log levels.
const LEVELS: &str = "MCM_LOG";
/// The environment variable that sets the format.
pub const FORMAT: &str = "MCM_LOG_FORMAT";

/// Format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// `INFO: text`: for terminals, and for service managers that add the time.
    #[default]
    Plain,
    /// The time in UTC before that.
    Time,
    /// An object of JSON with `time`, `level`, `target` and `message`: for collectors of
    /// containers' logs.
    Json,
}

impl LogFormat {
    /// The accepted words, for error messages.
    pub const WORDS: &'static str = "plain, time or json";

    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Time => "time",
            Self::Json => "json",
        }
    }
}

/// Starts the log. `usual` are the directives of `env_logger` without `MCM_LOG` in the environment;
/// `format` is that of the command line, which precedes `MCM_LOG_FORMAT`.
pub fn start(usual: &str, format: Option<LogFormat>) {
    survive_size_limits();
    start_on(env_logger::Target::Stdout, usual, format);
}

/// As [`start`], for a tool: on standard error, since its output goes to standard output, and
/// nothing unless `MCM_LOG` asks for it.
pub fn start_for_tool() {
    start_on(env_logger::Target::Stderr, "off", None);
}

/// A log that is at the limit of a file's size (`ulimit -f`) loses lines; a daemon without this
/// would be killed by the next one.
fn survive_size_limits() {
    // SAFETY: no handler is installed that could run.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

fn start_on(target: env_logger::Target, usual: &str, format: Option<LogFormat>) {
    let levels = std::env::var(LEVELS).ok();
    let filter = LogFilter::read(levels.as_deref(), usual);
    let asked = std::env::var(FORMAT).ok().filter(|text| !text.is_empty());
    let read = asked.as_deref().map(|word| LogFormat::from_str(word, false));
    let format = format.or(read.clone().and_then(Result::ok)).unwrap_or_default();
    env_logger::Builder::new()
        .parse_filters(&filter.directives)
        .target(target)
        .format(move |out, record| {
            let time = matches!(format, LogFormat::Time | LogFormat::Json)
                .then(|| out.timestamp_millis().to_string());
            write_line(out, format, time.as_deref(), record)
        })
        .init();
    if let Some(complaint) = filter.complaint {
        log::warn!("{LEVELS}: {complaint}");
    }
    if let (Some(text), Some(Err(_))) = (&asked, read) {
        log::warn!("{FORMAT}: found {text:?}, ignored; allowed: {}", LogFormat::WORDS);
    }
}

/// Logs why a program ends, and prints it on standard error if that is a different file.
pub fn last_words(program: &str, reason: &dyn fmt::Display) {
    log::error!("{reason}");
    let one = rustix::fs::fstat(io::stdout()).ok().zip(rustix::fs::fstat(io::stderr()).ok());
    if one.is_none_or(|(out, err)| (out.st_dev, out.st_ino) != (err.st_dev, err.st_ino)) {
        eprintln!("{program}: {reason}");
    }
}

fn write_line(
    out: &mut impl Write,
    format: LogFormat,
    time: Option<&str>,
    record: &log::Record<'_>,
) -> io::Result<()> {
    let (level, text) = (record.level(), record.args());
    match (format, time) {
        (LogFormat::Json, time) => {
            let member = |text: &dyn fmt::Display| serde_json::Value::from(text.to_string());
            let (time, level) = (member(&time.unwrap_or_default()), member(&level));
            let (target, text) = (member(&record.target()), member(text));
            writeln!(out, r#"{{"time":{time},"level":{level},"target":{target},"message":{text}}}"#)
        }
        (_, Some(time)) => writeln!(out, "{time} {level}: {text}"),
        (_, None) => writeln!(out, "{level}: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: LogFormat, time: Option<&str>) -> String {
        let mut out = Vec::new();
        let mut record = log::Record::builder();
        record.level(log::Level::Info).target("media_proxy::x");
        write_line(
            &mut out,
            format,
            time,
            &record.args(format_args!("group \"a\\\"b\": {}", 7)).build(),
        )
        .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn three_formats() {
        let time = Some("2026-01-02T03:04:05.678Z");
        assert_eq!(line(LogFormat::Plain, None), "INFO: group \"a\\\"b\": 7\n");
        assert_eq!(
            line(LogFormat::Time, time),
            "2026-01-02T03:04:05.678Z INFO: group \"a\\\"b\": 7\n"
        );
        let json: serde_json::Value =
            serde_json::from_str(&line(LogFormat::Json, time)).expect("one object a line");
        assert_eq!(json["message"], "group \"a\\\"b\": 7");
        assert_eq!((&json["level"], &json["target"]), (&"INFO".into(), &"media_proxy::x".into()));
        assert_eq!(json["time"], "2026-01-02T03:04:05.678Z");
    }

    #[test]
    fn names() {
        for format in LogFormat::value_variants() {
            assert_eq!(LogFormat::from_str(format.word(), false), Ok(*format));
            assert!(LogFormat::WORDS.contains(format.word()));
        }
        assert!(LogFormat::from_str("xml", false).is_err());
    }
}
