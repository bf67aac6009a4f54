//! The command line, in both of its generations.

use crate::device::Device;
use crate::group::group_id;
use clap::{ArgAction, Parser, ValueHint};
use daemon::arguments::{absolute_path, accept};
use daemon::logger::LogFormat;
use daemon::{Networks, TlsFiles};
use mesh::plane::AgentAddress;
use mesh::topology::PortRanges;
use st2110::reference::ReferenceClock;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The port for programs where none is given.
pub(crate) const DEFAULT_SDK_PORT: u16 = 8002;
/// Default port of the gRPC services for operators and tools.
pub(crate) const DEFAULT_GRPC_PORT: u16 = 8001;

const PORT: &str = "a port number, 0 to 65535";
const ADDRESS: &str = "an IP address";

/// Daemon of a host in the Media Communications Mesh: connects sources and receivers of frames
#[derive(Debug, Parser, PartialEq)]
#[command(name = "media_proxy", version, args_override_self = true, disable_version_flag = true)]
#[command(after_help = "MCM_LOG=debug in the environment logs more.")]
pub(crate) struct Args {
    /// Print version; also -v
    #[arg(short = 'V', short_alias = 'v', long, action = ArgAction::Version)]
    pub(crate) version: Option<bool>,

    /// Port where programs (SDKs) connect, 0 for any free one; also --sdk [default: 8002]
    #[arg(short = 't', long = "tcp", alias = "sdk", value_name = "PORT")]
    #[arg(value_parser = accept::<u16>(PORT), help_heading = "Programs and tools")]
    pub(crate) sdk_port: Option<u16>,
    /// Port of the gRPC services for people and tools, 0 for any free one [default: 8001, or a free
    /// one if that is taken]
    #[arg(short = 'g', long = "grpc", value_name = "PORT")]
    #[arg(value_parser = accept::<u16>(PORT), help_heading = "Programs and tools")]
    pub(crate) grpc_port: Option<u16>,
    /// Address on which both ports listen
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0")]
    #[arg(value_parser = accept::<IpAddr>(ADDRESS), help_heading = "Programs and tools")]
    pub(crate) listen: IpAddr,
    /// Directory of the unix socket [default: $MCM_RUN_DIR, /run/mcm or $XDG_RUNTIME_DIR/mcm]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    #[arg(value_parser = absolute_path(), help_heading = "Programs and tools")]
    pub(crate) run_dir: Option<PathBuf>,
    /// Group, by name or number, whose members may use the unix socket [default: that of the
    /// directory]
    #[arg(long, value_parser = group, help_heading = "Programs and tools")]
    pub(crate) group: Option<u32>,

    /// Mesh agent of the fleet that this host belongs to, or several, separated by commas [default:
    /// none: this host is a mesh of its own]
    #[arg(short = 'a', long = "agent", value_name = "HOST:PORT", help_heading = "Other hosts")]
    #[arg(action = ArgAction::Set, value_delimiter = ',')]
    #[arg(value_parser = accept::<AgentAddress>("host:port, such as localhost:50051, or several with commas"))]
    pub(crate) agents: Vec<AgentAddress>,
    /// Address for streams between hosts [default: the one that leads to the mesh agent]
    #[arg(short, long = "rdma_ip", value_name = "ADDRESS")]
    #[arg(value_parser = accept::<IpAddr>(ADDRESS), help_heading = "Other hosts")]
    pub(crate) rdma_ip: Option<IpAddr>,
    /// Local port ranges for streams from other hosts, separated by commas
    #[arg(short = 'p', long = "rdma_ports", value_name = "RANGES", default_value = "9100-9999")]
    #[arg(value_parser = accept::<PortRanges>("port ranges such as 9100-9199,9300"))]
    #[arg(help_heading = "Other hosts")]
    pub(crate) rdma_ports: PortRanges,

    /// Network device: a PCI address, native_af_xdp:IFNAME or kernel:IFNAME; also --st2110_dev
    /// [default: by the address]
    #[arg(short = 'd', long = "dev", alias = "st2110_dev", help_heading = "ST 2110")]
    #[arg(value_parser = accept::<Device>(
        "a PCI address such as 0000:31:00.0, native_af_xdp:IFNAME or kernel:IFNAME"
    ))]
    pub(crate) device: Option<Device>,
    /// Address of that device; also --st2110_ip [default: 192.168.96.1 if an interface has it, else
    /// by routes]
    #[arg(short = 'i', long = "ip", alias = "st2110_ip", value_name = "ADDRESS")]
    #[arg(value_parser = accept::<IpAddr>(ADDRESS), help_heading = "ST 2110")]
    pub(crate) st2110_ip: Option<IpAddr>,
    /// PTP hardware clock that streams follow, /dev/ptpN [default: the system's clock]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = absolute_path(), help_heading = "ST 2110")]
    pub(crate) ptp_clock: Option<PathBuf>,
    /// Reference clock that session descriptions name: traceable, ptp=IEEE1588-2008:GMID:DOMAIN or
    /// localmac=MAC [default: what the system knows]
    #[arg(long, value_name = "CLOCK", value_parser = reference, help_heading = "ST 2110")]
    pub(crate) ts_refclk: Option<ReferenceClock>,
    /// Let the kernel pace video on interfaces whose queueing discipline is fq. When packets leave
    /// is not known then: frames count as unjudged and not as compliant
    #[arg(long, help_heading = "ST 2110")]
    pub(crate) kernel_pacing: bool,

    /// Port for Prometheus, on the loopback interface if no address is given; 8003 is free for it
    /// [default: none]
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = metrics, help_heading = "Monitoring")]
    pub(crate) metrics: Option<SocketAddr>,
    /// Networks whose hosts may read it without a certificate, separated by commas [default: none]
    #[arg(long, value_name = "NETWORKS", requires = "metrics", help_heading = "Monitoring")]
    pub(crate) metrics_allow: Option<Networks>,
    /// Lines of the log: plain, time (with the time before them) or json (an object each)
    /// [default: $MCM_LOG_FORMAT, or plain]
    #[arg(long, value_name = "FORMAT", hide_possible_values = true, help_heading = "Monitoring")]
    pub(crate) log_format: Option<LogFormat>,

    /// Mutual TLS, also for other hosts.
    #[command(flatten)]
    pub(crate) tls: Option<TlsFiles>,
}

fn group(text: &str) -> Result<u32, &'static str> {
    group_id(text).ok_or("accepted is the name or number of a group of this system")
}

fn metrics(text: &str) -> Result<SocketAddr, &'static str> {
    let port = text.parse().map(|port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
    port.or_else(|_| text.parse())
        .map_err(|_| "accepted is a port, or address:port such as 0.0.0.0:8003 or [::]:8003")
}

/// A reference clock as ST 2110-10 §8.2 allows it: a clock of PTP that is named, or the host's own.
fn reference(text: &str) -> Result<ReferenceClock, &'static str> {
    if text == "traceable" {
        return Ok(ReferenceClock::traceable());
    }
    let named = text.parse().ok().filter(|clock| match clock {
        ReferenceClock::Ptp { server, .. } => server.is_some(),
        ReferenceClock::LocalMac(_) => true,
        ReferenceClock::Other(_) => false,
    });
    named.ok_or(
        "accepted is traceable, ptp=IEEE1588-2008:GMID or ptp=IEEE1588-2008:GMID:DOMAIN such as \
         ptp=IEEE1588-2008:39-A7-94-FF-FE-07-CB-D0:127, or localmac=MAC such as \
         localmac=7C-E9-D3-1B-9A-AF",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(args: &[&str]) -> Result<Args, clap::Error> {
        Args::try_parse_from(["media_proxy"].iter().chain(args))
    }

    fn run(args: &[&str]) -> Args {
        parse(args).unwrap()
    }

    fn error(args: &[&str]) -> String {
        let error = parse(args).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        error.to_string()
    }

    #[test]
    fn manual_pages_and_completions_are_up_to_date() {
        manual::check(Args::command()).unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn the_default_ports_are_in_the_help() {
        let help = Args::command().render_help().to_string();
        for port in [DEFAULT_SDK_PORT, DEFAULT_GRPC_PORT] {
            assert!(help.contains(&format!("[default: {port}")), "{help}");
        }
    }

    #[test]
    fn a_ptp_clock_is_a_path() {
        assert_eq!(run(&["--ptp-clock", "/dev/ptp0"]).ptp_clock, Some("/dev/ptp0".into()));
        assert!(error(&["--ptp-clock="]).contains("'--ptp-clock <PATH>'"));
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
            run(&["--metrics-allow=10.0.0.0/8", "--metrics=1"]).metrics_allow,
            Some("10.0.0.0/8".parse().unwrap())
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
        for options in
            [&["-t", "1", "-h"][..], &["--tls-cert=a", "--help"], &["--version"], &["-V"], &["-v"]]
        {
            assert_eq!(parse(options).unwrap_err().exit_code(), 0, "{options:?}");
        }
    }

    #[test]
    fn the_last_of_an_option_counts() {
        assert_eq!(run(&["-t", "1", "--sdk=2"]).sdk_port, Some(2));
        let agents = run(&["-a", "a:1,b:2", "-a", "c:3"]).agents;
        assert_eq!(agents.iter().map(ToString::to_string).collect::<Vec<_>>(), ["c:3"]);
    }

    #[test]
    fn errors_name_the_option_the_value_and_what_is_accepted() {
        for (args, option, part) in [
            (&["-t", "65536"][..], "--tcp <PORT>", "'65536' for"),
            (&["--sdk=x"], "--tcp <PORT>", "accepted is a port number, 0 to 65535"),
            (&["--grpc=x"], "--grpc <PORT>", "accepted is a port number"),
            (&["--dev", "eth0"], "--dev <DEVICE>", "kernel:IFNAME"),
            (&["-i", "300.1.1.1"], "--ip <ADDRESS>", "an IP address"),
            (&["-p", "9-1"], "--rdma_ports <RANGES>", "9100-9199,9300"),
            (&["-a", "host"], "--agent <HOST:PORT>", "localhost:50051"),
            (&["-a", "host:1,"], "--agent <HOST:PORT>", "localhost:50051"),
            (&["--listen=here"], "--listen <ADDRESS>", "'here'"),
            (&["--ts-refclk=gps"], "--ts-refclk <CLOCK>", "accepted is traceable, ptp="),
            (&["--ts-refclk=ptp=IEEE1588-2008"], "--ts-refclk <CLOCK>", "GMID:DOMAIN"),
            (&["--ts-refclk=localmac=7C:E9:D3:1B:9A:AF"], "--ts-refclk <CLOCK>", "localmac=MAC"),
            (&["--metrics=x:1"], "--metrics <[ADDRESS:]PORT>", "'x:1'"),
            (&["--metrics=65536"], "--metrics <[ADDRESS:]PORT>", "0.0.0.0:8003"),
            (&["--metrics-allow=10.0.0.1"], "--metrics-allow <NETWORKS>", "10.1.0.0/16"),
            (&["--metrics-allow=10.0.0.0/8"], "--metrics <[ADDRESS:]PORT>", "not provided"),
            (&["--group=no such"], "--group <GROUP>", "'no such'"),
            (&["--log-format=xml"], "--log-format <FORMAT>", "plain, time, json"),
            (&["--run-dir="], "--run-dir <PATH>", "required"),
            (&["--tls-cert=a"], "--tls-key <FILE>", "--tls-ca <FILE>"),
            (&["--nothing"], "--nothing", "unexpected"),
            (&["word"], "word", "unexpected"),
            (&["-t"], "--tcp <PORT>", "required"),
        ] {
            let error = error(args);
            assert!(error.contains(option) && error.contains(part), "{args:?}: {error}");
            assert!(error.contains("--help"), "{error}");
        }
    }
}
