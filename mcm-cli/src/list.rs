//! `mcm list`: the groups of a proxy, once.

use crate::error::CliError;
use crate::fleet;
use crate::mesh::AgentClient;
use crate::proxy::{PATIENCE, Proxy, refused};
use crate::server::{Place, PlaceOptions};
use crate::table;
use clap::Args;
use proto::control::ListGroupsRequest;

/// Print the groups of a media proxy, or of a fleet, with their source and receivers
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: PlaceOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// This group only; that there is none of this name is an error
    #[arg(default_value = "", hide_default_value = true)]
    group: String,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<(), CliError> {
    let missing = |groups: usize| match groups {
        0 if !options.group.is_empty() => Err(CliError::NoGroup(options.group.clone())),
        _ => Ok(()),
    };
    match &options.place.place() {
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
