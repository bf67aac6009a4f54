//! The daemon's life cycle: open, serve, close.

use crate::args::Args;
use crate::bridge::{BridgeClient, Engines, HostClock, Table, Workers};
use crate::broker::budget::Budget;
use crate::broker::exchange::{Exchange, Handle};
use crate::broker::registry::Reach;
use crate::error::ProxyError;
use crate::listeners::{Listeners, listen};
use crate::observe::control::{ControlService, Identity};
use crate::observe::fleet::Fleet;
use crate::observe::{self, Collector};
use crate::placement::{Input, Placement, PlaneListener};
use crate::presence::absences;
use crate::sdk_service::SdkService;
use crate::servers::{serve_control, serve_sdk};
use crate::{fleet, notify};
use daemon::signals::Signals;
use daemon::{Networks, Port, Speaks, TlsFiles};
use log::{error, info, warn};
use mesh::plane::ControlPlane;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc as sync;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// Defaults of `--dev` and `--ip`.
pub(crate) const DEFAULT_DEVICE: &str = "0000:31:00.0";
pub(crate) const DEFAULT_ST2110_IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 96, 1));

/// Time-out of pending calls once the daemon is ending.
const END_TIMEOUT: Duration = Duration::from_millis(500);
/// Number of connections that have shown their protocol and wait for the server.
const BACKLOG: usize = 16;

/// Runs the daemon until a signal ends it.
pub(crate) fn run(mut args: Args) -> Result<(), ProxyError> {
    let started = Instant::now();
    for absence in absences(&args) {
        warn!("{absence}");
    }
    // Programs of this host need no certificate: for them it starts all the same.
    if let Some(Err(error)) = args.tls.as_ref().map(TlsFiles::check_validity) {
        error!("{error}: other hosts will refuse it");
    }
    args.rdma_ip = args.rdma_ip.or_else(|| fleet::address_towards(&args.agents, args.st2110_ip));
    let budget = Budget::claim();
    let tls = args.tls.as_ref().map(|files| daemon::acceptor(files, &[b"h2"])).transpose()?;
    let Listeners { sdk, sdk_address, grpc, grpc_address, run_dir, notes } =
        Listeners::take(&args)?;
    let clock = HostClock::open(args.ptp_clock.as_deref(), args.ts_refclk.clone())?;
    let scraped = args.metrics.map(|address| listen("--metrics", address)).transpose()?;
    let (socket, survivors) = run_dir.listen()?;
    let identity = Identity {
        proxy_id: media::random::identifier(),
        run_dir: run_dir.path().display().to_string(),
        exchange_socket: run_dir.socket().display().to_string(),
        sdk_port: sdk_address.port(),
        grpc_port: grpc_address.port(),
        started,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ProxyError::system("runtime"))?;
    // Before the daemon is visible to others, so that no signal finds it unprepared.
    let mut signals = {
        let _context = runtime.enter();
        Signals::new().map_err(ProxyError::system("signal"))?
    };
    let (placement_out, placement_in) = sync::channel();
    let workers = Workers::new(args.log_format);
    let (exchange, handle) = Exchange::new(
        socket,
        survivors,
        identity.proxy_id.clone(),
        budget,
        // Without agents elsewhere no group has members on other hosts.
        if args.agents.is_empty() { Reach::Streams } else { Reach::Groups },
        placement_out.clone(),
    )?;
    let exchange = exchange.with_workers(workers.clone());
    let (ended_sender, ended) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("exchange".into())
        .spawn(move || {
            let result = exchange.run();
            // If the receiver is gone, joining the thread returns the result.
            let _ = ended_sender.send(());
            result
        })
        .map_err(ProxyError::system("thread"))?;
    let bridges = Table::default();
    let (placement, plane) = {
        let bridge_client = Arc::new(BridgeClient::new(run_dir.socket().to_path_buf()));
        let engines = Engines::new(&args, bridge_client, clock.clone(), workers);
        let plane = fleet::plane(&args, &identity, Arc::new(PlaneListener(placement_out.clone())))?;
        let channel = (placement_out.clone(), placement_in);
        let (shared, plane) = (Arc::clone(&plane), plane);
        (start_placement(channel, handle.clone(), shared, engines, bridges.clone())?, plane)
    };

    let served = runtime.block_on(async {
        let (stop, stopping) = watch::channel(false);
        let (sdk_out, sdk_in) = mpsc::channel(BACKLOG);
        let (grpc_out, grpc_in) = mpsc::channel(BACKLOG);
        let trusted = Networks::default();
        let limit = budget.tcp_per_port;
        let port = Port { speaks: Speaks::Grpc, limit, tls, trusted };
        tokio::spawn(daemon::accept(to_async(sdk)?, port.clone(), sdk_out));
        tokio::spawn(daemon::accept(to_async(grpc)?, port, grpc_out));
        let service = SdkService {
            socket: identity.exchange_socket.clone(),
            proxy_id: identity.proxy_id.clone(),
        };
        let sdk = tokio::spawn(serve_sdk(service, sdk_in, stopping.clone()));
        let collector =
            Collector::new(handle.clone(), bridges.clone(), clock.clone(), identity.clone());
        let metrics = match scraped {
            Some(listener) => {
                Some(serve_metrics(listener, &args, limit, collector, stopping.clone())?)
            }
            None => None,
        };
        if !args.agents.is_empty() {
            // Without agents elsewhere the reports would have no receiver.
            tokio::spawn(observe::report(handle.clone(), bridges.clone(), Arc::clone(&plane)));
        }
        let fleet = Fleet(plane);
        let service = ControlService { exchange: handle.clone(), bridges, clock, identity, fleet };
        let grpc = tokio::spawn(serve_control(service, grpc_in, stopping));
        info!("TCP Server listening on {sdk_address}");
        info!("gRPC Server listening on {grpc_address}");
        let version = env!("CARGO_PKG_VERSION");
        info!("media_proxy {version}, run directory {}", run_dir.path().display());
        for note in &notes {
            warn!("{note}");
        }
        notify::ready();
        let result = tokio::select! {
            name = signals.end() => {
                info!("ending on {name}");
                Ok(())
            }
            _ = ended => Err(ProxyError::Ended("exchange of descriptors")),
        };
        notify::stopping();
        // While the exchange still serves them, so that egress bridges can drain and all ends are
        // passed on.
        let _ = placement_out.send(Input::Stop);
        if tokio::task::spawn_blocking(move || placement.join()).await.is_err() {
            log::debug!("bridges were cut off at the end");
        }
        // Watchers end with the exchange, others when they have been answered.
        handle.stop();
        stop.send_replace(true);
        let all = async {
            if let Some(metrics) = metrics {
                let _ = metrics.await;
            }
            (sdk.await, grpc.await)
        };
        if tokio::time::timeout(END_TIMEOUT, all).await.is_err() {
            log::debug!("calls were cut off at the end");
        }
        result
    });
    let clients = match thread.join() {
        Ok(result) => result?,
        Err(_) => return Err(ProxyError::Ended("exchange of descriptors")),
    };
    if clients == 0 {
        run_dir.remove_socket()?;
    } else {
        warn!(
            "{clients} clients go on without this proxy; its successor will find their connections"
        );
    }
    served
}

/// Starts to serve the port for Prometheus.
fn serve_metrics(
    listener: TcpListener,
    args: &Args,
    limit: usize,
    collector: Collector,
    stop: watch::Receiver<bool>,
) -> Result<tokio::task::JoinHandle<()>, ProxyError> {
    let address = listener.local_addr().map_err(ProxyError::system("address of a port"))?;
    let tls = args.tls.as_ref().map(|files| daemon::acceptor(files, &[b"http/1.1"])).transpose()?;
    let trusted = args.metrics_allow.clone().unwrap_or_default();
    let port = Port { speaks: Speaks::Http, limit, tls, trusted };
    let (out, incoming) = mpsc::channel(BACKLOG);
    tokio::spawn(daemon::accept(to_async(listener)?, port, out));
    info!("Prometheus metrics at http://{address}/metrics");
    Ok(tokio::spawn(observe::serve(collector, incoming, stop)))
}

/// Starts the placement thread.
fn start_placement(
    channel: (sync::Sender<Input>, sync::Receiver<Input>),
    exchange: Handle,
    plane: Arc<dyn ControlPlane>,
    engines: Engines,
    bridges: Table,
) -> Result<JoinHandle<()>, ProxyError> {
    let placement = Placement::new(channel, plane, exchange, Arc::new(engines), bridges);
    let thread = thread::Builder::new().name("placement".into());
    thread.spawn(move || placement.run()).map_err(ProxyError::system("thread"))
}

fn to_async(listener: TcpListener) -> Result<tokio::net::TcpListener, ProxyError> {
    tokio::net::TcpListener::from_std(listener).map_err(ProxyError::system("port"))
}
