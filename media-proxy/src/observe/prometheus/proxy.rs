//! The proxy as a whole, and the host's clock.

use super::MAX_SHOWN;
use crate::broker::exchange::Totals;
use crate::observe::clock as shown_clock;
use crate::observe::control::Identity;
use daemon::Reason;
use daemon::exposition::{
    Exposition,
    Kind::{Counter, Gauge},
};
use st2110::reference::ClockState;

pub(super) fn write(out: &mut Exposition, identity: &Identity, totals: Totals, clock: &ClockState) {
    out.family("mcm_proxy_info", Gauge, "Always 1; what this media proxy is.")
        .sample(&[("version", env!("CARGO_PKG_VERSION")), ("proxy", &identity.proxy_id)], true);
    let uptime = identity.started.elapsed().as_secs_f64();
    out.single("mcm_proxy_uptime_seconds", Gauge, "Time since its start.", uptime);
    let gauges = [
        ("mcm_proxy_clients", totals.clients, "Clients of programs."),
        ("mcm_proxy_groups", totals.groups, "Multipoint groups with members on this host."),
        ("mcm_proxy_connections", totals.connections, "Connections of programs."),
        ("mcm_proxy_bridge_connections", totals.bridges, "Connections of bridges."),
        (
            "mcm_proxy_hidden_connections",
            (totals.connections + totals.bridges).saturating_sub(MAX_SHOWN),
            "Connections beyond the first 2000, which are not shown one by one.",
        ),
    ];
    for (name, value, help) in gauges {
        out.single(name, Gauge, help, value);
    }
    let help = "Clients that were cut off for a violation of the protocol, or turned away for want of room.";
    out.single("mcm_proxy_refused_clients_total", Counter, help, totals.refused_clients);
    let help = "Connections and calls that were refused on all TCP ports, by reason.";
    let mut refused = out.family("mcm_proxy_refused_total", Counter, help);
    for reason in Reason::ALL {
        refused.sample(&[("reason", reason.word())], reason.count());
    }
    reference_clock(out, clock);
}

fn reference_clock(out: &mut Exposition, clock: &ClockState) {
    let shown = shown_clock::clock(clock);
    out.family("mcm_reference_clock_info", Gauge, "Always 1; what streams take for TAI.")
        .sample(&[("source", &shown.source), ("ts_refclk", &shown.ts_refclk)], true);
    if let Some(offset) = shown.tai_offset_s {
        let help = "TAI minus UTC in use; absent if the clock itself shows TAI.";
        out.single("mcm_reference_clock_tai_offset_seconds", Gauge, help, f64::from(offset));
    }
    if let Some(synchronised) = shown.synchronised {
        let help = "Whether a daemon steers the host's clock; absent if the system does not say.";
        out.single("mcm_reference_clock_synchronised", Gauge, help, synchronised);
    }
    if let Some(error) = shown.max_error_us {
        let help = "The daemon's estimate of the greatest error, while synchronised.";
        let seconds = error as f64 / 1e6;
        out.single("mcm_reference_clock_max_error_seconds", Gauge, help, seconds);
    }
    let help = "What is wrong with the clock; the log and GetInfo say it in words.";
    out.single("mcm_reference_clock_warnings", Gauge, help, shown.warnings.len());
}
