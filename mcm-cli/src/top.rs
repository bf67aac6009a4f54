//! `mcm top`: the groups of a proxy as they change.

use crate::arguments::seconds;
use crate::error::CliError;
use crate::fleet;
use crate::mesh::AgentClient;
use crate::proxy::{Proxy, refused};
use crate::server::{Place, PlaceOptions, Server};
use crate::table;
use clap::Args;
use proto::control::{Snapshot, WatchRequest};
use std::io::IsTerminal;
use std::time::Duration;

/// Show the groups of a media proxy, or of a fleet, as they change: rates, queues, missed frames
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: PlaceOptions,
    /// Time between two pictures, 0.1 to 3600
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds(3600))]
    interval: Duration,
    /// End after so many pictures, not at Ctrl-C
    #[arg(short, long, value_name = "COUNT")]
    number: Option<u64>,
    /// Print one line of JSON for each picture
    #[arg(long)]
    json: bool,
    /// This group only
    #[arg(default_value = "", hide_default_value = true)]
    group: String,
}

/// To the upper left corner, and away with what stands below.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<(), CliError> {
    let terminal = std::io::stdout().is_terminal();
    match &options.place.place() {
        Place::Agent(agent) => watch_fleet(&AgentClient::new(agent)?, options, terminal),
        Place::Proxy(server) => watch_proxy(server, options, terminal),
    }
}

/// The groups of one proxy, which tells them when something changes.
fn watch_proxy(server: &Server, options: &Options, terminal: bool) -> Result<(), CliError> {
    let mut proxy = Proxy::connect(server)?;
    let request = WatchRequest {
        interval_ms: u32::try_from(options.interval.as_millis()).unwrap_or(u32::MAX),
        group_id: options.group.clone(),
    };
    proxy.runtime.block_on(async {
        let answer = proxy.client.watch(request).await;
        let mut snapshots = answer.map_err(|status| refused(server, &status))?.into_inner();
        let mut left = options.number.unwrap_or(u64::MAX);
        while left > 0 {
            let snapshot = snapshots.message().await;
            match snapshot.map_err(|status| refused(server, &status))? {
                Some(snapshot) => show(&snapshot, options, terminal)?,
                None => return Err(CliError::Ended { server: server.address.clone() }),
            }
            left -= 1;
        }
        Ok(())
    })
}

/// The whole fleet: the agent is asked each time, and knows what proxies told it within the last
/// second.
fn watch_fleet(agent: &AgentClient, options: &Options, terminal: bool) -> Result<(), CliError> {
    let clear = if terminal { CLEAR } else { "" };
    let count = options.number.unwrap_or(u64::MAX);
    for number in 0..count {
        if number > 0 {
            std::thread::sleep(options.interval);
        }
        let mesh = agent.mesh()?.only(&options.group);
        let text = if options.json {
            format!("{}\n", fleet::to_json(&mesh))
        } else {
            format!("{clear}{}\n", fleet::render(&mesh))
        };
        crate::output::print(&text)?;
    }
    Ok(())
}

fn show(snapshot: &Snapshot, options: &Options, terminal: bool) -> Result<(), CliError> {
    if options.json {
        let mut value = table::to_json(&snapshot.groups);
        value["unix_time_ns"] = snapshot.unix_time_ns.into();
        return crate::output::print(&format!("{value}\n"));
    }
    let clear = if terminal { CLEAR } else { "" };
    crate::output::print(&format!("{clear}{}\n", table::render(&snapshot.groups)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::tests::read;

    #[test]
    fn all_options_are_read() {
        let arguments = ["-s", "h:1", "-i", "0.5", "-n", "3", "--json", "camera"];
        let options = read::<Options>(&arguments).unwrap();
        let Place::Proxy(server) = options.place.place() else { panic!("{options:?}") };
        assert_eq!((server.address.as_str(), options.group.as_str()), ("h:1", "camera"));
        assert_eq!((options.interval, options.number), (Duration::from_millis(500), Some(3)));
        assert!(options.json);
        assert_eq!(read::<Options>(&[]).unwrap().interval, Duration::from_secs(1));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = read::<Options>(&["-i", "0"]).unwrap_err();
        assert!(error.contains("--interval") && error.contains("0.1"), "{error}");
        assert!(read::<Options>(&["a", "b"]).is_err());
        let error = read::<crate::list::Options>(&["-i", "1"]).unwrap_err();
        assert!(error.contains("-i"), "an option of the other command: {error}");
    }
}
