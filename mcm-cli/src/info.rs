//! `mcm info`: what a media proxy is, and how busy it is.

use crate::error::CliError;
use crate::output::print;
use crate::proxy::{PATIENCE, Proxy, refused};
use crate::sdp::clock_to_text;
use crate::server::ProxyOptions;
use clap::Args;
use proto::control::{GetInfoRequest, Info};
use std::fmt::Write;
use std::time::Duration;

/// Print version, ports, counts and clock of a media proxy
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    proxy: ProxyOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<(), CliError> {
    let server = options.proxy.server();
    let mut proxy = Proxy::connect(&server)?;
    let mut request = tonic::Request::new(GetInfoRequest {});
    request.set_timeout(PATIENCE);
    let answer = proxy.runtime.block_on(proxy.client.get_info(request));
    let info = answer.map_err(|status| refused(&server, &status))?.into_inner();
    print(&if options.json { to_json(&info) } else { to_text(&info) })
}

fn to_text(info: &Info) -> String {
    let mut text = String::new();
    let up = Duration::from_secs(info.uptime_ms / 1000);
    let (days, seconds) = (up.as_secs() / 86_400, up.as_secs() % 86_400);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let lines = [
        ("version", info.version.clone()),
        ("id", info.proxy_id.clone()),
        ("process", info.pid.to_string()),
        ("up", format!("{days} d {hours:02}:{minutes:02}:{seconds:02}")),
        ("run directory", info.run_dir.clone()),
        ("socket", info.exchange_socket.clone()),
        ("ports", format!("{} programs, {} control", info.sdk_port, info.grpc_port)),
        ("groups", info.groups.to_string()),
        (
            "connections",
            format!(
                "{} of {} programs, {} of bridges",
                info.connections, info.clients, info.bridges
            ),
        ),
        ("refused", format!("{} programs since the start", info.refused_clients)),
    ];
    for (name, value) in lines {
        let _ = writeln!(text, "{name:<14} {value}");
    }
    text + &info.reference_clock.as_ref().map(clock_to_text).unwrap_or_default()
}

fn to_json(info: &Info) -> String {
    let clock = info.reference_clock.as_ref().map(|clock| {
        serde_json::json!({
            "source": clock.source,
            "tai_offset_s": clock.tai_offset_s,
            "synchronised": clock.synchronised,
            "max_error_us": clock.max_error_us,
            "ts_refclk": clock.ts_refclk,
            "warnings": clock.warnings,
        })
    });
    let value = serde_json::json!({
        "version": info.version,
        "proxy_id": info.proxy_id,
        "uptime_ms": info.uptime_ms,
        "pid": info.pid,
        "run_dir": info.run_dir,
        "exchange_socket": info.exchange_socket,
        "sdk_port": info.sdk_port,
        "grpc_port": info.grpc_port,
        "clients": info.clients,
        "groups": info.groups,
        "connections": info.connections,
        "bridges": info.bridges,
        "refused_clients": info.refused_clients,
        "reference_clock": clock,
    });
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_in_days_and_hours() {
        let info = Info { uptime_ms: 93_784_999, ..Info::default() };
        assert!(to_text(&info).contains("up             1 d 02:03:04\n"), "{}", to_text(&info));
        let json: serde_json::Value = serde_json::from_str(&to_json(&info)).unwrap();
        assert_eq!(
            (&json["uptime_ms"], &json["reference_clock"]),
            (&93_784_999_u64.into(), &serde_json::Value::Null)
        );
    }
}
