//! The command line, in both of its generations.

use crate::device::Device;
use crate::error::ProxyError;
use crate::group::group_id;
use daemon::logger::LogFormat;
use daemon::{Networks, TlsFiles};
use lexopt::prelude::*;
use mesh::plane::AgentAddress;
use mesh::topology::PortRanges;
use st2110::reference::ReferenceClock;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Usage: media_proxy [OPTION]
-h, --help              Print this help and exit.
-V, -v, --version       Print the version and exit.
-t, --tcp=port_number   Port for programs, where SDKs connect; also --sdk (defaults: 8002).
-g, --grpc=port_number  Port of the gRPC services for people and tools (defaults: 8001, or a free one if that is taken).
-a, --agent=host:port   Mesh agent of the fleet that this host belongs to, or several, separated by commas (defaults: none).
-d, --dev=dev_port      PCI device port, native_af_xdp:IFNAME or kernel:IFNAME; also --st2110_dev (defaults: by the address).
-i, --ip=ip_address     IP address for media data transportation; also --st2110_ip (defaults: 192.168.96.1
                        if an interface has it, else by routes).
-r, --rdma_ip=address   IP address for streams between hosts (defaults: the one that leads to the mesh agent).
-p, --rdma_ports=ports  Local port ranges for streams between hosts, separated by commas (defaults: 9100-9999).
    --listen=address    IP address on which both ports listen (defaults: 0.0.0.0).
    --ptp-clock=path    PTP hardware clock that ST 2110 streams follow, /dev/ptpN (defaults: the system's clock).
    --ts-refclk=clock   Reference clock that session descriptions name: traceable, ptp=IEEE1588-2008:GMID:DOMAIN or localmac=MAC
                        (defaults: what the system knows).
    --kernel-pacing     Let the kernel pace ST 2110 video on interfaces whose queueing discipline is fq.
    --metrics=[ip:]port Port for Prometheus, on the loopback interface if no address is given; 8003 is free for it (defaults: none).
    --metrics-allow=net Networks whose hosts may read it without a certificate, separated by commas (defaults: none).
    --run-dir=path      Directory of the unix socket (defaults: $MCM_RUN_DIR, /run/mcm or $XDG_RUNTIME_DIR/mcm).
    --group=name        Group, by name or number, whose members may use the unix socket (defaults: that of the directory).
    --log-format=format plain, time or json (defaults: $MCM_LOG_FORMAT, or plain).
    --tls-cert=file     Certificate chain of this proxy, PEM. With the next two: mutual TLS, also for other hosts.
    --tls-key=file      Private key of this proxy, PEM.
    --tls-ca=file       Certificates of the authorities that sign clients' certificates, PEM.

A port number of 0 takes any free port; the log tells which. MCM_LOG=debug in the environment logs more.
";

/// The port for programs where none is given.
pub(crate) const DEFAULT_SDK_PORT: u16 = 8002;
/// The port of the gRPC services for people and tools where none is given.
pub(crate) const DEFAULT_GRPC_PORT: u16 = 8001;

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
    /// The port for programs, if it was given.
    pub(crate) sdk_port: Option<u16>,
    /// The port of the gRPC services for people and tools, if it was given.
    pub(crate) grpc_port: Option<u16>,
    pub(crate) run_dir: Option<PathBuf>,
    /// The group whose members may use the socket, if it was given.
    pub(crate) group: Option<u32>,
    /// How the log looks, if it was given.
    pub(crate) log_format: Option<LogFormat>,
    pub(crate) tls: Option<TlsFiles>,
    /// Where ST 2110 streams come and go, if it was given.
    pub(crate) device: Option<Device>,
    /// The address of that, if it was given.
    pub(crate) st2110_ip: Option<IpAddr>,
    /// The PTP hardware clock that ST 2110 streams follow, if it was given.
    pub(crate) ptp_clock: Option<PathBuf>,
    /// The reference clock that session descriptions name, if it was given.
    pub(crate) ts_refclk: Option<ReferenceClock>,
    /// Whether the kernel is to pace video where it can.
    pub(crate) kernel_pacing: bool,
    /// Where streams to other proxies come and go, if it was given.
    pub(crate) rdma_ip: Option<IpAddr>,
    /// Ports on which streams from other proxies arrive.
    pub(crate) rdma_ports: PortRanges,
    /// Where Prometheus finds this proxy; nowhere by default.
    pub(crate) metrics: Option<SocketAddr>,
    /// From where it may come without a certificate.
    pub(crate) metrics_allow: Networks,
    /// Agents of the fleet; none: this host alone.
    pub(crate) agents: Vec<AgentAddress>,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            listen: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            sdk_port: None,
            grpc_port: None,
            run_dir: None,
            group: None,
            log_format: None,
            tls: None,
            device: None,
            st2110_ip: None,
            ptp_clock: None,
            ts_refclk: None,
            kernel_pacing: false,
            rdma_ip: None,
            rdma_ports: PortRanges::range(9100..=9999),
            metrics: None,
            metrics_allow: Networks::default(),
            agents: Vec::new(),
        }
    }
}

/// Reads the command line, without the program's name.
pub(crate) fn parse<I>(args: I) -> Result<Request, ProxyError>
where
    I: IntoIterator<Item: Into<OsString>>,
{
    let mut parser = lexopt::Parser::from_args(args);
    read(&mut parser).map_err(|error| {
        ProxyError::Usage(format!("{error}\nTry 'media_proxy --help' for more information."))
    })
}

fn read(parser: &mut lexopt::Parser) -> Result<Request, lexopt::Error> {
    let mut args = Args::default();
    let (mut cert, mut key, mut ca) = (None, None, None);
    let mut allows_metrics = false;
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Request::Help),
            Short('V' | 'v') | Long("version") => return Ok(Request::Version),
            Short('t') | Long("tcp" | "sdk") => {
                args.sdk_port = Some(port("-t, --tcp, --sdk", parser)?);
            }
            Short('g') | Long("grpc") => {
                args.grpc_port = Some(port("-g, --grpc", parser)?);
            }
            Short('a') | Long("agent") => {
                let allowed = "host:port, such as localhost:50051, or several with commas";
                let value = text("-a, --agent", parser)?;
                let addresses: Result<Vec<_>, _> = value.split(',').map(str::parse).collect();
                args.agents = addresses.map_err(|_| wrong("-a, --agent", &value, allowed))?;
            }
            Short('d') | Long("dev" | "st2110_dev") => {
                let allowed =
                    "a PCI address such as 0000:31:00.0, native_af_xdp:IFNAME or kernel:IFNAME";
                let value = text("-d, --dev, --st2110_dev", parser)?;
                let device = value.parse();
                args.device =
                    Some(device.map_err(|()| wrong("-d, --dev, --st2110_dev", &value, allowed))?);
            }
            Short('i') | Long("ip" | "st2110_ip") => {
                let value = text("-i, --ip, --st2110_ip", parser)?;
                let ip = value.parse();
                args.st2110_ip =
                    Some(ip.map_err(|_| wrong("-i, --ip, --st2110_ip", &value, "an IP address"))?);
            }
            Short('r') | Long("rdma_ip") => {
                let value = text("-r, --rdma_ip", parser)?;
                let ip = value.parse();
                args.rdma_ip =
                    Some(ip.map_err(|_| wrong("-r, --rdma_ip", &value, "an IP address"))?);
            }
            Short('p') | Long("rdma_ports") => {
                let allowed = "port ranges such as 9100-9199,9300";
                let value = text("-p, --rdma_ports", parser)?;
                let ranges = value.parse();
                args.rdma_ports = ranges.map_err(|_| wrong("-p, --rdma_ports", &value, allowed))?;
            }
            Long("listen") => {
                let value = text("--listen", parser)?;
                args.listen =
                    value.parse().map_err(|_| wrong("--listen", &value, "an IP address"))?;
            }
            Long("metrics") => {
                let value = text("--metrics", parser)?;
                let allowed = "a port, or address:port such as 0.0.0.0:8003 or [::]:8003";
                let port =
                    value.parse().map(|port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
                let address = port.or_else(|_| value.parse());
                args.metrics = Some(address.map_err(|_| wrong("--metrics", &value, allowed))?);
            }
            Long("metrics-allow") => {
                let value = text("--metrics-allow", parser)?;
                let networks = value.parse::<Networks>();
                allows_metrics = true;
                args.metrics_allow =
                    networks.map_err(|error| format!("option '--metrics-allow': {error}"))?;
            }
            Long("ptp-clock") => args.ptp_clock = Some(path("--ptp-clock", parser)?),
            Long("ts-refclk") => {
                let value = text("--ts-refclk", parser)?;
                let allowed = "traceable, ptp=IEEE1588-2008:GMID or ptp=IEEE1588-2008:GMID:DOMAIN such as \
                    ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:127, or localmac=MAC such as localmac=7C-E9-D3-1B-9A-AF";
                args.ts_refclk =
                    Some(reference(&value).ok_or_else(|| wrong("--ts-refclk", &value, allowed))?);
            }
            Long("kernel-pacing") => args.kernel_pacing = true,
            Long("run-dir") => args.run_dir = Some(path("--run-dir", parser)?),
            Long("group") => {
                let value = text("--group", parser)?;
                let allowed = "the name or number of a group of this system";
                args.group =
                    Some(group_id(&value).ok_or_else(|| wrong("--group", &value, allowed))?);
            }
            Long("log-format") => {
                let value = text("--log-format", parser)?;
                let format = value.parse();
                args.log_format =
                    Some(format.map_err(|()| wrong("--log-format", &value, LogFormat::WORDS))?);
            }
            Long("tls-cert") => cert = Some(path("--tls-cert", parser)?),
            Long("tls-key") => key = Some(path("--tls-key", parser)?),
            Long("tls-ca") => ca = Some(path("--tls-ca", parser)?),
            other => return Err(other.unexpected()),
        }
    }
    if allows_metrics && args.metrics.is_none() {
        return Err("--metrics-allow has no effect without --metrics=port".into());
    }
    args.tls = match (cert, key, ca) {
        (None, None, None) => None,
        (Some(cert), Some(key), Some(ca)) => Some(TlsFiles { cert, key, ca }),
        _ => return Err("--tls-cert, --tls-key and --tls-ca go together".into()),
    };
    Ok(Request::Run(Box::new(args)))
}

/// A reference clock as ST 2110-10 §8.2 allows it: a clock of PTP that is named, or the host's own.
fn reference(text: &str) -> Option<ReferenceClock> {
    if text == "traceable" {
        return Some(ReferenceClock::traceable());
    }
    text.parse().ok().filter(|clock| match clock {
        ReferenceClock::Ptp { server, .. } => server.is_some(),
        ReferenceClock::LocalMac(_) => true,
        ReferenceClock::Other(_) => false,
    })
}

fn text(option: &str, parser: &mut lexopt::Parser) -> Result<String, lexopt::Error> {
    let value = parser.value()?;
    value.into_string().map_err(|value| wrong(option, &value.to_string_lossy(), "UTF-8 text"))
}

fn path(option: &str, parser: &mut lexopt::Parser) -> Result<PathBuf, lexopt::Error> {
    let value = PathBuf::from(parser.value()?);
    if value.as_os_str().is_empty() {
        return Err(wrong(option, "", "a path"));
    }
    std::path::absolute(&value).map_err(|error| format!("option '{option}': {error}").into())
}

fn port(option: &str, parser: &mut lexopt::Parser) -> Result<u16, lexopt::Error> {
    let value = text(option, parser)?;
    value.parse().map_err(|_| wrong(option, &value, "a port number, 0 to 65535"))
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

    fn error(args: &[&str]) -> String {
        parse(args).unwrap_err().to_string()
    }

    #[test]
    fn defaults() {
        assert_eq!(run(&[]), Args::default());
        assert_eq!((DEFAULT_SDK_PORT, DEFAULT_GRPC_PORT), (8002, 8001));
    }

    #[test]
    fn a_ptp_clock_is_a_path() {
        assert_eq!(run(&["--ptp-clock", "/dev/ptp0"]).ptp_clock, Some("/dev/ptp0".into()));
        assert!(error(&["--ptp-clock="]).contains("option '--ptp-clock': found ''"));
    }

    #[test]
    fn first_generation() {
        let args = run(&["-d", "0000:31:00.1", "-i", "10.0.0.1", "-g", "1", "-t", "2"]);
        assert_eq!((args.grpc_port, args.sdk_port), (Some(1), Some(2)));
        let long = run(&["--dev=0000:31:00.1", "--ip=10.0.0.1", "--grpc=1", "--tcp=2"]);
        assert_eq!(args, long);
        assert_eq!(args.device, Some(Device::Pci("0000:31:00.1".into())));
        assert_eq!(args.st2110_ip, Some(Ipv4Addr::new(10, 0, 0, 1).into()));
    }

    #[test]
    fn second_generation() {
        let short = [
            "-t",
            "2",
            "-a",
            "agent:50051",
            "-d",
            "kernel:eth0",
            "-i",
            "10.0.0.1",
            "-r",
            "::1",
            "-p",
            "9100-9199,9300",
        ];
        let long = [
            "--sdk=2",
            "--agent=agent:50051",
            "--st2110_dev=kernel:eth0",
            "--st2110_ip=10.0.0.1",
            "--rdma_ip=::1",
            "--rdma_ports=9100-9199,9300",
        ];
        assert_eq!(run(&short), run(&long));
        let args = run(&short);
        assert_eq!(
            (args.sdk_port, args.rdma_ports.to_string()),
            (Some(2), "9100-9199,9300".into())
        );
        let fleet = run(&["-a", "agent1:50051,[::1]:2"]).agents;
        assert_eq!(
            fleet.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["agent1:50051", "[::1]:2"]
        );
    }

    #[test]
    fn measurements_are_for_this_host_unless_told_otherwise() {
        let at = |option| run(&[option]).metrics.unwrap().to_string();
        assert_eq!(run(&[]).metrics, None);
        assert_eq!(at("--metrics=8003"), "127.0.0.1:8003");
        assert_eq!(at("--metrics=0.0.0.0:0"), "0.0.0.0:0");
        assert_eq!(at("--metrics=[::]:8003"), "[::]:8003");
        assert_eq!(
            run(&["--metrics-allow=10.0.0.0/8", "--metrics=1"]).metrics_allow.to_string(),
            "10.0.0.0/8"
        );
    }

    #[test]
    fn a_reference_clock_is_written_as_in_descriptions() {
        let named = |value: &str| run(&["--ts-refclk", value]).ts_refclk.unwrap().to_string();
        for value in [
            "ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:37",
            "ptp=IEEE1588-2008:traceable",
            "localmac=7C-E9-D3-1B-9A-AF",
        ] {
            assert_eq!(named(value), value);
        }
        assert_eq!(named("traceable"), "ptp=IEEE1588-2008:traceable");
        assert_eq!(run(&[]).ts_refclk, None);
        assert!(run(&["--kernel-pacing"]).kernel_pacing && !run(&[]).kernel_pacing);
    }

    #[test]
    fn help_and_version_win() {
        assert_eq!(parse(["-t", "1", "-h"]).unwrap(), Request::Help);
        for option in ["--version", "-V", "-v"] {
            assert_eq!(parse([option]).unwrap(), Request::Version);
        }
    }

    #[test]
    fn errors_name_the_option() {
        for (args, part) in [
            (
                &["-t", "65536"][..],
                "option '-t, --tcp, --sdk': found '65536'; allowed: a port number",
            ),
            (&["--grpc=x"], "option '-g, --grpc': found 'x'"),
            (&["--dev", "eth0"], "option '-d, --dev, --st2110_dev': found 'eth0'"),
            (&["-i", "300.1.1.1"], "option '-i, --ip, --st2110_ip'"),
            (&["-p", "9-1"], "option '-p, --rdma_ports'"),
            (&["-a", "host"], "option '-a, --agent'"),
            (&["-a", "host:1,"], "option '-a, --agent'"),
            (&["--listen=here"], "option '--listen'"),
            (&["--ts-refclk=gps"], "option '--ts-refclk': found 'gps'; allowed: traceable, ptp="),
            (&["--ts-refclk=ptp=IEEE1588-2008"], "option '--ts-refclk'"),
            (&["--ts-refclk=localmac=7C:E9:D3:1B:9A:AF"], "option '--ts-refclk'"),
            (&["--metrics=x:1"], "option '--metrics': found 'x:1'"),
            (&["--metrics=65536"], "option '--metrics'"),
            (&["--metrics-allow=10.0.0.1"], "option '--metrics-allow': found '10.0.0.1'"),
            (&["--metrics-allow=10.0.0.0/8"], "--metrics-allow has no effect without --metrics"),
            (&["--group=no such"], "option '--group': found 'no such'"),
            (
                &["--log-format=xml"],
                "option '--log-format': found 'xml'; allowed: plain, time or json",
            ),
            (&["--run-dir="], "option '--run-dir'"),
            (&["--tls-cert=a"], "go together"),
            (&["--nothing"], "--nothing"),
            (&["word"], "word"),
            (&["-t"], "-t"),
        ] {
            let error = error(args);
            assert!(error.contains(part), "{args:?}: {error}");
            assert!(error.contains("--help"), "{error}");
        }
    }

    #[test]
    fn every_option_is_in_the_usage_text() {
        for option in [
            "-h, --help",
            "-V, -v, --version",
            "-t, --tcp=",
            "--sdk",
            "-g, --grpc=",
            "-a, --agent=",
            "-d, --dev=",
            "--st2110_dev",
            "-i, --ip=",
            "--st2110_ip",
            "-r, --rdma_ip=",
            "-p, --rdma_ports=",
            "--listen=",
            "--ptp-clock=",
            "--ts-refclk=",
            "--kernel-pacing",
            "--metrics=",
            "--metrics-allow=",
            "--run-dir=",
            "--group=",
            "--log-format=",
            "--tls-cert=",
            "--tls-key=",
            "--tls-ca=",
        ] {
            assert!(USAGE.contains(option), "{option}");
        }
        assert!(USAGE.starts_with(
            "Usage: media_proxy [OPTION]\n-h, --help              Print this help and exit.\n"
        ));
    }
}
