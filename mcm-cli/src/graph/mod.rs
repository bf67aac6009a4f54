//! `mcm graph`: which host sends what to which.

mod svg;
#[cfg(test)]
pub(crate) mod tests;
mod text;

use crate::error::CliError;
use crate::mesh::{AgentClient, Member, Mesh, of_proxy};
use crate::proxy::{PATIENCE, Proxy, refused};
use crate::server::{Place, Server, TLS_USAGE};
use crate::view::{View, ViewOptions};
use proto::control::{GetInfoRequest, ListBridgesRequest, ListGroupsRequest};

/// What `mcm graph -h` prints, before the options of credentials.
const USAGE: &str = "\
usage: mcm graph [-s HOST[:PORT] | -a HOST[:PORT]] [--svg FILE] [GROUP]

Draws groups: from their source over bridges to all receivers, with rates.

  -s, --server HOST[:PORT] control service of a media proxy (default 127.0.0.1:8001)
  -a, --agent HOST[:PORT] REST API of a mesh agent instead: all hosts (port 8100 by default)
      --svg FILE          a picture instead of text; - is standard output
  GROUP                   this group only
";

/// Runs the command.
pub(crate) fn run(arguments: lexopt::Parser) -> Result<(), CliError> {
    let Some(options) = ViewOptions::parse(arguments, &format!("{USAGE}{TLS_USAGE}"), View::Graph)?
    else {
        return Ok(());
    };
    let mesh = match &options.place {
        Place::Agent(agent) => AgentClient::new(agent)?.mesh()?,
        Place::Proxy(server) => ask_proxy(server)?,
    };
    let mesh = mesh.only(&options.group);
    match options.svg.as_deref() {
        None => crate::output::print(&text::draw(&mesh)),
        Some("-") => crate::output::print(&svg::draw(&mesh)),
        Some(path) => std::fs::write(path, svg::draw(&mesh))
            .map_err(|error| CliError::File { path: path.to_owned(), reason: error.to_string() }),
    }
}

fn ask_proxy(server: &Server) -> Result<Mesh, CliError> {
    let Proxy { runtime, mut client } = Proxy::connect(server)?;
    let asked = runtime.block_on(async {
        tokio::time::timeout(PATIENCE, async {
            let info = client.get_info(GetInfoRequest {}).await?.into_inner();
            let groups = client.list_groups(ListGroupsRequest::default()).await?.into_inner();
            let bridges = client.list_bridges(ListBridgesRequest::default()).await?.into_inner();
            Ok(of_proxy(&server.address, &info, &groups.groups, &bridges.bridges))
        })
        .await
        .unwrap_or_else(|_| Err(tonic::Status::deadline_exceeded("no answer")))
    });
    asked.map_err(|status| refused(server, &status))
}

/// What flows through a member, in a few words; empty if nothing does.
fn rate(member: &Member) -> String {
    if member.fps == 0.0 && member.mbit_per_s == 0.0 {
        return String::new();
    }
    format!("{:.2} fps, {} Mbit/s", member.fps, short(member.mbit_per_s))
}

/// A number with as many digits as one reads.
fn short(number: f64) -> String {
    if number >= 100.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}
