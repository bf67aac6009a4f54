//! `mesh-agent`: the control plane of a fleet of media proxies. It assigns connections to groups
//! and decides which bridges exist.

mod args;

use args::Args;
use daemon::signals::Signals;
use daemon::{TlsFiles, logger};
use mesh::AgentError;
use mesh_agent::Agent;
use mesh_agent::server::{Ports, serve};
use std::net::SocketAddr;
use std::process::ExitCode;

/// Libraries log warnings and errors only.
const LOG_USUAL: &str = "warn,mesh_agent=info,mesh=info,daemon=info";

fn main() -> ExitCode {
    let args = Args::read(std::env::args_os()).unwrap_or_else(|error| error.exit());
    logger::start(LOG_USUAL, args.log_format);
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logger::last_words("mesh-agent", &error);
            ExitCode::FAILURE
        }
    }
}

/// Runs the agent until a signal ends it.
fn run(args: Args) -> Result<(), AgentError> {
    let setup = |error: std::io::Error| AgentError::Setup(error.to_string());
    let runtime = tokio::runtime::Runtime::new().map_err(setup)?;
    runtime.block_on(async {
        // Before the agent is visible to others, so that no signal finds it unprepared.
        let mut signals = Signals::new().map_err(setup)?;
        let agent = match args.store.0 {
            None => Agent::in_memory(),
            Some(address) => Agent::on_etcd(address, args.tls.as_ref())?,
        };
        // Proxies that are in touch stay so: it starts all the same.
        if let Some(Err(error)) = args.tls.as_ref().map(TlsFiles::check_validity) {
            log::error!("{error}: other hosts will refuse it");
        }
        let ports = Ports {
            proxies: SocketAddr::new(args.listen, args.proxy_port),
            rest: SocketAddr::new(args.listen, args.control_port),
            tls: args.tls,
            trusted: args.allow.unwrap_or_default(),
            origins: args.origins,
        };
        let serving = serve(agent, ports).await?;
        if args.verbose {
            log::warn!("-v has no effect: MCM_LOG=debug in the environment logs more, --version prints the version");
        }
        log::info!("listening on {} for media proxies", serving.proxies);
        log::info!("listening on {} for REST", serving.rest);
        daemon::notify::ready();
        let name = signals.end().await;
        log::info!("ending on {name}");
        daemon::notify::stopping();
        serving.stop().await;
        Ok(())
    })
}
