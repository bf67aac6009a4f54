//! `mcm top`: the groups of a proxy as they change.

use crate::error::CliError;
use crate::fleet;
use crate::mesh::AgentClient;
use crate::proxy::{Proxy, refused};
use crate::server::{Place, Server, TLS_USAGE};
use crate::table;
use crate::view::{View, ViewOptions};
use proto::control::{Snapshot, WatchRequest};
use std::io::IsTerminal;

/// What `mcm top -h` prints, before the options of credentials.
const USAGE: &str = "\
usage: mcm top [-s HOST[:PORT] | -a HOST[:PORT]] [-i SECONDS] [-n COUNT] [--json] [GROUP]

Shows the groups of a media proxy, or of a fleet, with rates, queues and missed frames, until Ctrl-C.

  -s, --server HOST[:PORT] control service of the proxy (default 127.0.0.1:8001)
  -a, --agent HOST[:PORT] REST API of a mesh agent instead: all hosts (port 8100 by default)
  -i, --interval SECONDS  time between two pictures, 0.1 to 3600 (default 1)
  -n, --number COUNT      end after so many pictures
      --json              print one line of JSON for each picture
  GROUP                   this group only
";

/// To the upper left corner, and away with what stands below.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Runs the command.
pub(crate) fn run(arguments: lexopt::Parser) -> Result<(), CliError> {
    let usage = format!("{USAGE}{TLS_USAGE}");
    let Some(options) = ViewOptions::parse(arguments, &usage, View::Top)? else {
        return Ok(());
    };
    let terminal = std::io::stdout().is_terminal();
    match &options.place {
        Place::Agent(agent) => watch_fleet(&AgentClient::new(agent)?, &options, terminal),
        Place::Proxy(server) => watch_proxy(server, &options, terminal),
    }
}

/// The groups of one proxy, which tells them when something changes.
fn watch_proxy(server: &Server, options: &ViewOptions, terminal: bool) -> Result<(), CliError> {
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

/// The whole fleet: the agent is asked each time, and knows what proxies told it within the last second.
fn watch_fleet(agent: &AgentClient, options: &ViewOptions, terminal: bool) -> Result<(), CliError> {
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

fn show(snapshot: &Snapshot, options: &ViewOptions, terminal: bool) -> Result<(), CliError> {
    if options.json {
        let mut value = table::to_json(&snapshot.groups);
        value["unix_time_ns"] = snapshot.unix_time_ns.into();
        return crate::output::print(&format!("{value}\n"));
    }
    let clear = if terminal { CLEAR } else { "" };
    crate::output::print(&format!("{clear}{}\n", table::render(&snapshot.groups)))
}
