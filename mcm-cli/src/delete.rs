//! `mcm delete`: ends connections.

use crate::error::CliError;
use crate::mesh::AgentClient;
use crate::proxy::{PATIENCE, Proxy, refused};
use crate::server::{Place, PlaceOptions};
use clap::Args;
use proto::control::DeleteConnectionRequest;

/// End connections of programs
#[derive(Debug, Args)]
#[command(after_help = "\
The next call of a program whose connection was ended returns MESH_ERR_CONN_CLOSED. Until it makes a \
new connection, the program stays away.")]
pub(crate) struct Options {
    #[command(flatten)]
    place: PlaceOptions,
    /// Ids as mcm list --json prints them: conn_id, or with --agent id
    #[arg(value_name = "CONNECTION", required = true)]
    ids: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(options: Options) -> Result<(), CliError> {
    let ids = options.ids;
    match options.place.place() {
        Place::Agent(agent) => {
            let client = AgentClient::new(&agent)?;
            ids.iter().try_for_each(|id| client.delete("connection", id))
        }
        Place::Proxy(server) => {
            let mut proxy = Proxy::connect(&server)?;
            ids.into_iter().try_for_each(|conn_id| {
                let mut request = tonic::Request::new(DeleteConnectionRequest { conn_id });
                request.set_timeout(PATIENCE);
                let answer = proxy.runtime.block_on(proxy.client.delete_connection(request));
                answer.map(drop).map_err(|status| refused(&server, &status))
            })
        }
    }
}
