//! `mcm top`: the groups of a proxy as they change.

use crate::error::CliError;
use crate::proxy::{Proxy, refused};
use crate::table;
use crate::view::ViewOptions;
use proto::control::{Snapshot, WatchRequest};
use std::io::IsTerminal;

/// What `mcm top -h` prints.
pub(crate) const USAGE: &str = "\
usage: mcm top [-s HOST:PORT] [-i SECONDS] [-n COUNT] [--json] [GROUP]

Shows the groups of a media proxy with rates, queues and missed frames, until Ctrl-C.

  -s, --server HOST:PORT  control service of the proxy (default 127.0.0.1:8001)
  -i, --interval SECONDS  time between two pictures, 0.1 to 3600 (default 1)
  -n, --number COUNT      end after so many pictures
      --json              print one line of JSON for each picture
  GROUP                   this group only
";

/// To the upper left corner, and away with what stands below.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Runs the command.
pub(crate) fn run(arguments: lexopt::Parser) -> Result<(), CliError> {
    let Some(options) = ViewOptions::parse(arguments, USAGE, true)? else { return Ok(()) };
    let mut proxy = Proxy::connect(&options.server)?;
    let terminal = std::io::stdout().is_terminal();
    let request = WatchRequest {
        interval_ms: u32::try_from(options.interval.as_millis()).unwrap_or(u32::MAX),
        group_id: options.group.clone(),
    };
    proxy.runtime.block_on(async {
        let answer = proxy.client.watch(request).await;
        let mut snapshots =
            answer.map_err(|status| refused(&options.server, &status))?.into_inner();
        let mut left = options.number.unwrap_or(u64::MAX);
        while left > 0 {
            let snapshot = snapshots.message().await;
            match snapshot.map_err(|status| refused(&options.server, &status))? {
                Some(snapshot) => show(&snapshot, &options, terminal)?,
                None => return Err(CliError::Ended { server: options.server.clone() }),
            }
            left -= 1;
        }
        Ok(())
    })
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
