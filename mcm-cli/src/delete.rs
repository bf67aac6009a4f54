//! `mcm delete`: ends connections.

use crate::error::CliError;
use crate::mesh::AgentClient;
use crate::output::print;
use crate::proxy::{PATIENCE, Proxy, refused};
use crate::server::{Place, PlaceOptions, TLS_USAGE};
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;
use proto::control::DeleteConnectionRequest;

const USAGE: &str = "\
usage: mcm delete [-s HOST[:PORT] | -a HOST[:PORT]] CONNECTION...

Ends connections of programs, whose next call returns MESH_ERR_CONN_CLOSED. Until it makes a new connection, a program that
was ended stays away. Ids are those that mcm list --json prints (conn_id; with -a: id).

  -s, --server HOST[:PORT] control service of a media proxy (default 127.0.0.1:8001)
  -a, --agent HOST[:PORT] REST API of a mesh agent instead: connections of all hosts (port 8100 by default)
";

/// Runs the command.
pub(crate) fn run(mut arguments: lexopt::Parser) -> Result<(), CliError> {
    let (mut ids, mut place) = (Vec::new(), PlaceOptions::default());
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return print(&format!("{USAGE}{TLS_USAGE}")),
            Short('s') | Long("server") => place.server = Some(arguments.value()?.string()?),
            Short('a') | Long("agent") => place.agent = Some(arguments.value()?.string()?),
            Long("tls-cert") => place.tls.cert = Some(arguments.value()?.into()),
            Long("tls-key") => place.tls.key = Some(arguments.value()?.into()),
            Long("tls-ca") => place.tls.ca = Some(arguments.value()?.into()),
            Value(id) => ids.push(id.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if ids.is_empty() {
        return Err(lexopt::Error::from("CONNECTION is missing").into());
    }
    match place.place()? {
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
