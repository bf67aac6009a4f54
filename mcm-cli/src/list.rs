//! `mcm list`: the groups of a proxy, once.

use crate::error::CliError;
use crate::fleet;
use crate::mesh::AgentClient;
use crate::proxy::{PATIENCE, Proxy, refused};
use crate::table;
use crate::view::{View, ViewOptions};
use proto::control::ListGroupsRequest;

/// What `mcm list -h` prints.
pub(crate) const USAGE: &str = "\
usage: mcm list [-s HOST:PORT | -a HOST[:PORT]] [--json] [GROUP]

Prints the groups of a media proxy, or of a fleet, with their source and receivers.

  -s, --server HOST:PORT  control service of the proxy (default 127.0.0.1:8001)
  -a, --agent HOST[:PORT] REST API of a mesh agent instead: all hosts (port 8100 by default)
      --json              print JSON
  GROUP                   this group only
";

/// Runs the command.
pub(crate) fn run(arguments: lexopt::Parser) -> Result<(), CliError> {
    let Some(options) = ViewOptions::parse(arguments, USAGE, View::List)? else {
        return Ok(());
    };
    if let Some(agent) = &options.agent {
        let mesh = AgentClient::new(agent)?.mesh()?.only(&options.group);
        return crate::output::print(&fleet::show(&mesh, options.json));
    }
    let mut proxy = Proxy::connect(&options.server)?;
    let mut request =
        tonic::Request::new(ListGroupsRequest { group_id: options.group, fleet: true });
    request.set_timeout(PATIENCE);
    let answer = proxy.runtime.block_on(proxy.client.list_groups(request));
    let groups = answer.map_err(|status| refused(&options.server, &status))?.into_inner().groups;
    let text = if options.json {
        format!("{:#}\n", table::to_json(&groups))
    } else {
        table::render(&groups)
    };
    crate::output::print(&text)
}
