//! `mcm graph`: which host sends what to which.

mod dot;
#[cfg(test)]
pub(crate) mod tests;
mod text;

use crate::error::CliError;
use crate::mesh::{AgentClient, Member, Mesh, of_proxy};
use crate::proxy::{PATIENCE, Proxy, refused};
use crate::server::{Place, PlaceOptions, Server};
use clap::{Args, ValueHint};
use proto::control::{GetInfoRequest, ListBridgesRequest, ListGroupsRequest};
use std::io::Write;
use std::process::{Command, Stdio};

/// Draw groups: from their source over bridges to all receivers, with rates
#[derive(Debug, Args)]
#[command(after_help = "\
Colours of a picture: green: frames flow; amber: some were missed; grey: it waits; red: it should work and \
does not.")]
pub(crate) struct Options {
    #[command(flatten)]
    place: PlaceOptions,
    /// Print the graph in the language DOT of Graphviz
    #[arg(long)]
    dot: bool,
    /// Write a picture, drawn by dot of the package graphviz; - is standard output
    #[arg(long, conflicts_with = "dot", value_name = "FILE", value_hint = ValueHint::FilePath)]
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
        None if options.dot => crate::output::print(&dot::draw(&mesh)),
        None => crate::output::print(&text::draw(&mesh)),
        Some("-") => crate::output::print(&picture(&dot::draw(&mesh))?),
        Some(path) => std::fs::write(path, picture(&dot::draw(&mesh))?)
            .map_err(|error| CliError::File { path: path.to_owned(), reason: error.to_string() }),
    }
}

/// Draws a graph by Graphviz. Returns the picture in SVG.
fn picture(graph: &str) -> Result<String, CliError> {
    let mut dot = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| CliError::Graphviz(error.to_string()))?;
    // All of the graph is read before anything of the picture is written. That dot ended meanwhile
    // its status tells.
    let written = dot.stdin.take().map(|mut input| input.write_all(graph.as_bytes()));
    let output = dot.wait_with_output().map_err(|error| CliError::Graphviz(error.to_string()))?;
    match written {
        _ if !output.status.success() => Err(CliError::Graphviz(output.status.to_string())),
        Some(Err(error)) => Err(CliError::Graphviz(error.to_string())),
        _ => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
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
