//! `mcm list`: the groups of a proxy, once.

use crate::error::CliError;
use crate::fleet;
use crate::mesh::AgentClient;
use crate::proxy::{PATIENCE, Proxy, refused};
use crate::server::{Place, TLS_USAGE};
use crate::table;
use crate::view::{View, ViewOptions};
use proto::control::ListGroupsRequest;

/// What `mcm list -h` prints, before the options of credentials.
const USAGE: &str = "\
usage: mcm list [-s HOST[:PORT] | -a HOST[:PORT]] [--json] [GROUP]

Prints the groups of a media proxy, or of a fleet, with their source and receivers.

  -s, --server HOST[:PORT] control service of the proxy (default 127.0.0.1:8001)
  -a, --agent HOST[:PORT] REST API of a mesh agent instead: all hosts (port 8100 by default)
      --json              print JSON
  GROUP                   this group only; that there is none of this name is an error
";

/// Runs the command.
pub(crate) fn run(arguments: lexopt::Parser) -> Result<(), CliError> {
    let usage = format!("{USAGE}{TLS_USAGE}");
    let Some(options) = ViewOptions::parse(arguments, &usage, View::List)? else {
        return Ok(());
    };
    let missing = |groups: usize| match groups {
        0 if !options.group.is_empty() => Err(CliError::NoGroup(options.group.clone())),
        _ => Ok(()),
    };
    match &options.place {
        Place::Agent(agent) => {
            let mesh = AgentClient::new(agent)?.mesh()?.only(&options.group);
            missing(mesh.groups.len())?;
            crate::output::print(&fleet::show(&mesh, options.json))
        }
        Place::Proxy(server) => {
            let mut proxy = Proxy::connect(server)?;
            let group_id = options.group.clone();
            let mut request = tonic::Request::new(ListGroupsRequest { group_id, fleet: true });
            request.set_timeout(PATIENCE);
            let answer = proxy.runtime.block_on(proxy.client.list_groups(request));
            let groups = answer.map_err(|status| refused(server, &status))?.into_inner().groups;
            missing(groups.len())?;
            let text = if options.json {
                format!("{:#}\n", table::to_json(&groups))
            } else {
                table::render(&groups)
            };
            crate::output::print(&text)
        }
    }
}
