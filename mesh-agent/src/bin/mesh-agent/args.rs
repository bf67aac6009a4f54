//! The command line.

use daemon::logger::LogFormat;
use daemon::{Networks, TlsFiles};
use lexopt::prelude::*;
use mesh_agent::StoreAddress;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Usage: mesh-agent [OPTION]
-h, --help                Print this help and exit.
-V, --version             Print the version and exit.
-v                        As in the original's agent, which said more: it has no effect here; see MCM_LOG.
-p, --proxy=port_number   Port number for media proxies (defaults: 50051).
-c, --control=port_number Port number of the REST API (defaults: 8100).
    --listen=address      IP address on which both ports listen (defaults: 0.0.0.0).
    --store=url           Where the state of the fleet is: memory (the default), or etcd://host:port[,host:port...][/prefix];
                          etcds:// with TLS and the credentials below.
    --allow=networks      Networks whose hosts may call without a certificate, such as 10.1.0.0/16,fd00::/8 (defaults: none).
    --cors-origin=origin  Origin whose pages may use the REST API in a browser, such as https://ops.example.org; may be given
                          several times (defaults: none).
    --tls-cert=file       Certificate chain of this agent, PEM. With the next two: mutual TLS, also for other hosts.
    --tls-key=file        Private key of this agent, PEM.
    --tls-ca=file         Certificates of the authorities that sign callers' certificates, PEM.
    --log-format=format   plain, time or json (defaults: $MCM_LOG_FORMAT, or plain).

A port number of 0 takes any free port; the log tells which. MCM_LOG=debug in the environment logs more.
";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    Help,
    Version,
    Run(Box<Args>),
}

/// How to run.
#[derive(Debug, PartialEq)]
pub(crate) struct Args {
    pub(crate) listen: IpAddr,
    pub(crate) proxy_port: u16,
    pub(crate) control_port: u16,
    /// `None`: in memory.
    pub(crate) store: Option<StoreAddress>,
    pub(crate) allow: Networks,
    pub(crate) origins: Vec<String>,
    /// `-v` was given, which has no effect.
    pub(crate) verbose: bool,
    pub(crate) tls: Option<TlsFiles>,
    /// How the log looks, if it was given.
    pub(crate) log_format: Option<LogFormat>,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            listen: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            proxy_port: 50051,
            control_port: 8100,
            store: None,
            allow: Networks::default(),
            origins: Vec::new(),
            verbose: false,
            tls: None,
            log_format: None,
        }
    }
}

/// Reads the command line, without the program's name.
pub(crate) fn parse<I>(args: I) -> Result<Request, String>
where
    I: IntoIterator<Item: Into<OsString>>,
{
    let mut parser = lexopt::Parser::from_args(args);
    read(&mut parser)
        .map_err(|error| format!("{error}\nTry 'mesh-agent --help' for more information."))
}

fn read(parser: &mut lexopt::Parser) -> Result<Request, lexopt::Error> {
    let mut args = Args::default();
    let (mut cert, mut key, mut ca) = (None, None, None);
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Request::Help),
            Short('V') | Long("version") => return Ok(Request::Version),
            Short('v') => args.verbose = true,
            Long("cors-origin") => {
                args.origins.push(value::<Origin>("--cors-origin", Origin::ALLOWED, parser)?.0);
            }
            Short('p') | Long("proxy") => {
                args.proxy_port = value("-p, --proxy", "a port number, 0 to 65535", parser)?;
            }
            Short('c') | Long("control") => {
                args.control_port = value("-c, --control", "a port number, 0 to 65535", parser)?;
            }
            Long("listen") => args.listen = value("--listen", "an IP address", parser)?,
            Long("allow") => {
                let allowed =
                    "networks such as 10.1.0.0/16,fd00::/8, with no bits set after the prefix";
                args.allow = value("--allow", allowed, parser)?;
            }
            Long("store") => {
                let allowed = "memory, etcd://host:port[,host:port...][/prefix], etcds://...";
                args.store = value::<Store>("--store", allowed, parser)?.0;
            }
            Long("log-format") => {
                args.log_format = Some(value("--log-format", LogFormat::WORDS, parser)?);
            }
            Long("tls-cert") => cert = Some(path("--tls-cert", parser)?),
            Long("tls-key") => key = Some(path("--tls-key", parser)?),
            Long("tls-ca") => ca = Some(path("--tls-ca", parser)?),
            other => return Err(other.unexpected()),
        }
    }
    args.tls = match (cert, key, ca) {
        (None, None, None) => None,
        (Some(cert), Some(key), Some(ca)) => Some(TlsFiles { cert, key, ca }),
        _ => return Err("--tls-cert, --tls-key and --tls-ca go together".into()),
    };
    if args.tls.is_none() && args.store.as_ref().is_some_and(StoreAddress::uses_tls) {
        return Err("--store etcds://... needs --tls-cert, --tls-key and --tls-ca".into());
    }
    Ok(Request::Run(Box::new(args)))
}

/// The value of `--store`.
struct Store(Option<StoreAddress>);

impl FromStr for Store {
    type Err = mesh::AgentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "memory" { Ok(Self(None)) } else { Ok(Self(Some(text.parse()?))) }
    }
}

/// The value of `--cors-origin`: scheme, host and port, as browsers write it.
struct Origin(String);

impl Origin {
    const ALLOWED: &str = "an origin such as https://ops.example.org or http://10.0.0.1:3000, in small letters and without a path; * is not, as any page could then delete connections";
}

impl FromStr for Origin {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let host =
            text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(())?;
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
        if host.is_empty() || !host.chars().all(fine) {
            return Err(());
        }
        Ok(Self(text.to_owned()))
    }
}

fn text(option: &str, parser: &mut lexopt::Parser) -> Result<String, lexopt::Error> {
    let value = parser.value()?;
    value.into_string().map_err(|value| wrong(option, &value.to_string_lossy(), "UTF-8 text"))
}

fn value<T: FromStr>(
    option: &str,
    allowed: &str,
    parser: &mut lexopt::Parser,
) -> Result<T, lexopt::Error> {
    let text = text(option, parser)?;
    text.parse().map_err(|_| wrong(option, &text, allowed))
}

fn path(option: &str, parser: &mut lexopt::Parser) -> Result<PathBuf, lexopt::Error> {
    let value = PathBuf::from(parser.value()?);
    if value.as_os_str().is_empty() {
        return Err(wrong(option, "", "a path"));
    }
    std::path::absolute(&value).map_err(|error| format!("option '{option}': {error}").into())
}

fn wrong(option: &str, found: &str, allowed: &str) -> lexopt::Error {
    format!("option '{option}': found '{}'; allowed: {allowed}", found.escape_debug()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str]) -> Args {
        match parse(args).unwrap() {
            Request::Run(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn defaults() {
        assert_eq!(run(&[]), Args::default());
        assert_eq!(run(&["--store=memory"]), Args::default());
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
        assert_eq!(args.store, Some("etcd://a:2379,b:2379/x".parse().unwrap()));
        assert_eq!(args.allow.to_string(), "10.0.0.0/8");
        assert_eq!(args.tls.unwrap().ca, PathBuf::from("/c"));
        assert_eq!(parse(["-p", "1", "-h"]).unwrap(), Request::Help);
        assert_eq!(parse(["-V"]).unwrap(), Request::Version);
        assert!(run(&["-v"]).verbose);
        let args = run(&["--cors-origin=https://a.example:8080", "--cors-origin", "http://[::1]"]);
        assert_eq!(args.origins, ["https://a.example:8080", "http://[::1]"]);
    }

    #[test]
    fn errors_name_the_option() {
        for (args, part) in [
            (&["-p", "65536"][..], "option '-p, --proxy': found '65536'; allowed: a port number"),
            (&["--control=x"], "option '-c, --control'"),
            (&["--listen=here"], "option '--listen'"),
            (
                &["--store=redis://a"],
                "option '--store': found 'redis://a'; allowed: memory, etcd://",
            ),
            (&["--store=etcds://a:1"], "needs --tls-cert"),
            (&["--allow=10.0.0.1/8"], "option '--allow'"),
            (&["--cors-origin=*"], "option '--cors-origin': found '*'"),
            (&["--cors-origin=https://a/b"], "option '--cors-origin'"),
            (&["--tls-cert=a"], "go together"),
            (&["--tls-ca="], "option '--tls-ca'"),
            (&["--nothing"], "--nothing"),
        ] {
            let error = parse(args).unwrap_err();
            assert!(error.contains(part) && error.contains("--help"), "{args:?}: {error}");
        }
    }

    #[test]
    fn every_option_is_in_the_usage_text() {
        for option in [
            "-h, --help",
            "-V, --version",
            "--cors-origin=",
            "-p, --proxy=",
            "-c, --control=",
            "--listen=",
            "--store=",
            "--allow=",
            "--tls-cert=",
            "--tls-key=",
            "--tls-ca=",
        ] {
            assert!(USAGE.contains(option), "{option}");
        }
    }
}
