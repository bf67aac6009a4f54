//! `mcm graph`: which host sends what to which.

mod svg;
#[cfg(test)]
pub(crate) mod tests;
mod text;

use crate::error::CliError;
use crate::mesh::{AgentClient, Member, Mesh, of_proxy};
use crate::proxy::{PATIENCE, Proxy, refused};
use crate::server::{Place, PlaceOptions, Server};
use clap::{Args, ValueHint};
use proto::control::{GetInfoRequest, ListBridgesRequest, ListGroupsRequest};

/// Draw groups: from their source over bridges to all receivers, with rates
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: PlaceOptions,
    /// Write a picture instead of text; - is standard output
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    svg: Option<String>,
    /// This group only
    #[arg(default_value = "", hide_default_value = true)]
    group: String,
}

/// Runs the command.
pub(crate) fn run(options: &Options) -> Result<(), CliError> {
    let mesh = match &options.place.place() {
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
