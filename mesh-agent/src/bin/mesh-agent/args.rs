//! The command line.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use daemon::arguments::accept;
use daemon::logger::LogFormat;
use daemon::{Networks, TlsFiles};
use mesh_agent::StoreAddress;
use std::net::IpAddr;
use std::str::FromStr;

/// Control plane of a fleet of media proxies: decides who is connected to whom
#[derive(Debug, Parser, PartialEq)]
#[command(name = "mesh-agent", version, args_override_self = true)]
#[command(after_help = "\
A port number of 0 takes any free port; the log tells which. MCM_LOG=debug in the environment logs more.")]
pub(crate) struct Args {
    /// Port for media proxies
    #[arg(short = 'p', long = "proxy", value_name = "PORT", default_value = "50051")]
    #[arg(value_parser = accept::<u16>("a port number, 0 to 65535"))]
    pub(crate) proxy_port: u16,
    /// Port of the REST API
    #[arg(short = 'c', long = "control", value_name = "PORT", default_value = "8100")]
    #[arg(value_parser = accept::<u16>("a port number, 0 to 65535"))]
    pub(crate) control_port: u16,
    /// Address on which both ports listen
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0")]
    #[arg(value_parser = accept::<IpAddr>("an IP address"))]
    pub(crate) listen: IpAddr,
    /// Where the state of the fleet is: memory, or etcd://HOST:PORT[,HOST:PORT...][/PREFIX];
    /// etcds:// with TLS and the certificates below
    #[arg(long, value_name = "URL", default_value = "memory")]
    #[arg(value_parser = accept::<Store>("memory, etcd://host:port[,host:port...][/prefix], etcds://..."))]
    pub(crate) store: Store,
    /// Networks whose hosts may call without a certificate, such as 10.1.0.0/16,fd00::/8 [default:
    /// none]
    #[arg(long, value_name = "NETWORKS")]
    pub(crate) allow: Option<Networks>,
    /// Origin whose pages may use the REST API in a browser, such as https://ops.example.org; may
    /// be given several times [default: none]
    #[arg(long = "cors-origin", value_name = "ORIGIN", value_parser = origin)]
    pub(crate) origins: Vec<String>,
    /// Lines of the log: plain, time (with the time before them) or json (an object each)
    /// [default: $MCM_LOG_FORMAT, or plain]
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) log_format: Option<LogFormat>,
    /// As in the original's agent, which said more: it has no effect here; see MCM_LOG
    #[arg(short = 'v')]
    pub(crate) verbose: bool,
    /// Mutual TLS, also for other hosts.
    #[command(flatten)]
    pub(crate) tls: Option<TlsFiles>,
}

impl Args {
    /// Reads the command line, with the program's name.
    pub(crate) fn read<I>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item: Into<std::ffi::OsString> + Clone>,
    {
        let args = Self::try_parse_from(arguments)?;
        if args.tls.is_none() && args.store.0.as_ref().is_some_and(StoreAddress::uses_tls) {
            let text = "--store etcds://... needs --tls-cert, --tls-key and --tls-ca";
            return Err(Self::command().error(ErrorKind::MissingRequiredArgument, text));
        }
        Ok(args)
    }
}

/// The value of `--store`; `None`: in memory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Store(pub(crate) Option<StoreAddress>);

impl FromStr for Store {
    type Err = mesh::AgentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "memory" { Ok(Self(None)) } else { Ok(Self(Some(text.parse()?))) }
    }
}

/// The value of `--cors-origin`: scheme, host and port, as browsers write it.
fn origin(text: &str) -> Result<String, &'static str> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
    match host {
        Some(host) if !host.is_empty() && host.chars().all(fine) => Ok(text.to_owned()),
        _ => Err(
            "accepted is an origin such as https://ops.example.org or http://10.0.0.1:3000, in \
            small letters and without a path; * is not, as any page could then delete connections",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn parse(args: &[&str]) -> Result<Args, clap::Error> {
        Args::read(["mesh-agent"].iter().chain(args))
    }

    fn run(args: &[&str]) -> Args {
        parse(args).unwrap()
    }

    #[test]
    fn manual_pages_and_completions_are_up_to_date() {
        manual::check(Args::command()).unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn everything() {
        let args = run(&[
            "-p",
            "1",
            "-c",
            "2",
            "--listen=::1",
            "--allow=10.0.0.0/8",
            "--store=etcd://a:2379,b:2379/x",
            "--tls-cert=/a",
            "--tls-key=/b",
            "--tls-ca=/c",
        ]);
        assert_eq!((args.proxy_port, args.control_port), (1, 2));
        assert_eq!(args.store.0, Some("etcd://a:2379,b:2379/x".parse().unwrap()));
        assert_eq!(args.allow, Some("10.0.0.0/8".parse().unwrap()));
        assert_eq!(args.tls.unwrap().ca, Path::new("/c"));
        for options in [&["-p", "1", "-h"][..], &["-V"], &["--version"]] {
            assert_eq!(parse(options).unwrap_err().exit_code(), 0, "{options:?}");
        }
        assert!(run(&["-v"]).verbose);
        let args = run(&["--cors-origin=https://a.example:8080", "--cors-origin", "http://[::1]"]);
        assert_eq!(args.origins, ["https://a.example:8080", "http://[::1]"]);
        assert_eq!(run(&[]).store, Store(None));
    }

    #[test]
    fn errors_name_the_option_the_value_and_what_is_accepted() {
        for (args, option, part) in [
            (&["-p", "65536"][..], "'65536' for '--proxy <PORT>'", "accepted is a port number"),
            (&["--control=x"], "'x' for '--control <PORT>'", "0 to 65535"),
            (&["--listen=here"], "'here' for '--listen <ADDRESS>'", "an IP address"),
            (&["--store=redis://a"], "'redis://a' for '--store <URL>'", "memory, etcd://"),
            (&["--store=etcds://a:1"], "--store etcds://", "needs --tls-cert"),
            (&["--allow=10.0.0.1/8"], "'10.0.0.1/8' for '--allow <NETWORKS>'", "10.1.0.0/16"),
            (&["--cors-origin=*"], "'*' for '--cors-origin <ORIGIN>'", "any page"),
            (&["--cors-origin=https://a/b"], "'https://a/b' for", "without a path"),
            (&["--tls-cert=a"], "--tls-key", "--tls-ca"),
            (&["--tls-ca="], "--tls-ca", "required"),
            (&["--nothing"], "--nothing", "unexpected"),
        ] {
            let error = parse(args).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{error}");
            let error = error.to_string();
            assert!(error.contains(option) && error.contains(part), "{args:?}: {error}");
            assert!(error.contains("--help"), "{args:?}: {error}");
        }
    }
}
