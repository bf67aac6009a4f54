//! The daemon's ports and run directory: one that is asked for is required, a default may give way.

use crate::args::{Args, DEFAULT_GRPC_PORT, DEFAULT_SDK_PORT};
use crate::error::ProxyError;
use crate::port_owner::port_owner;
use crate::run_dir::RunDir;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

/// Ports that are tried for gRPC if the default is taken. They lie beyond those with a meaning.
const OTHER_GRPC_PORTS: std::ops::RangeInclusive<u16> = 8004..=8099;
/// Length of the kernel's accept queue; the kernel takes its own limit (`somaxconn`) if that is
/// lower.
const QUEUE: i32 = 4096;

/// The daemon's listening sockets and its run directory.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) sdk: TcpListener,
    pub(crate) sdk_address: SocketAddr,
    pub(crate) grpc: TcpListener,
    pub(crate) grpc_address: SocketAddr,
    pub(crate) run_dir: RunDir,
    /// Sentences about defaults that gave way.
    pub(crate) notes: Vec<String>,
}

impl Listeners {
    /// Opens them all.
    pub(crate) fn take(args: &Args) -> Result<Self, ProxyError> {
        let mut notes = Vec::new();
        let address = |port| SocketAddr::new(args.listen, port);
        let sdk = listen("--tcp", address(args.sdk_port.unwrap_or(DEFAULT_SDK_PORT)))?;
        let sdk_address = local(&sdk)?;
        let grpc = match args.grpc_port {
            Some(port) => listen("--grpc", address(port))?,
            None => match listen("--grpc", address(DEFAULT_GRPC_PORT)) {
                Err(ProxyError::Listen { error, .. }) if error.kind() == ErrorKind::AddrInUse => {
                    let grpc = another_grpc_port(args)?;
                    let port = local(&grpc)?.port();
                    notes.push(format!(
                        "port {DEFAULT_GRPC_PORT} is taken, so the gRPC services for people and tools are at {port}: mcm list -s 127.0.0.1:{port} \
                         (--grpc chooses another)"
                    ));
                    grpc
                }
                other => other?,
            },
        };
        let run_dir = take_run_dir(args, sdk_address.port(), &mut notes)?;
        Ok(Self { grpc_address: local(&grpc)?, sdk, sdk_address, grpc, run_dir, notes })
    }
}

fn another_grpc_port(args: &Args) -> Result<TcpListener, ProxyError> {
    let mut last = listen("--grpc", SocketAddr::new(args.listen, *OTHER_GRPC_PORTS.start()));
    for port in OTHER_GRPC_PORTS.skip(1) {
        if last.is_ok() {
            break;
        }
        last = listen("--grpc", SocketAddr::new(args.listen, port));
    }
    last
}

/// Opens the run directory. A proxy that was given a port of its own is meant to run beside another
/// one, so it also gets a directory of its own.
fn take_run_dir(args: &Args, port: u16, notes: &mut Vec<String>) -> Result<RunDir, ProxyError> {
    let path = args.run_dir.clone().unwrap_or_else(media::run_dir::run_dir);
    let group = args.group;
    let chosen =
        args.run_dir.is_some() || std::env::var_os("MCM_RUN_DIR").is_some_and(|v| !v.is_empty());
    match RunDir::open(&path, group) {
        Err(ProxyError::Taken { pid, .. }) if !chosen && args.sdk_port.is_some() => {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(format!("-{port}"));
            let own = path.with_file_name(name);
            let run_dir = RunDir::open(&own, group)?;
            let (path, own) = (path.display(), own.display());
            notes.push(format!(
                "run directory {path} is that of another media_proxy (pid {pid}), so this one has {own}: programs find it by \
                 \"Server=127.0.0.1; Port={port}\" or MCM_RUN_DIR={own} (--run-dir chooses another)"
            ));
            Ok(run_dir)
        }
        other => other,
    }
}

fn local(listener: &TcpListener) -> Result<SocketAddr, ProxyError> {
    listener.local_addr().map_err(ProxyError::system("address of a port"))
}

/// Listens at an address that an option names.
pub(crate) fn listen(option: &'static str, address: SocketAddr) -> Result<TcpListener, ProxyError> {
    let failed = |error: std::io::Error| {
        let owner = if error.kind() == ErrorKind::AddrInUse { port_owner(address) } else { None };
        ProxyError::Listen { option, address, error, owner: Owner(owner) }
    };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    // The standard library's queue is short: under load the kernel would drop
    // callers, which try again after a second.
    rustix::net::listen(&listener, QUEUE).map_err(|errno| failed(errno.into()))?;
    Ok(listener)
}

/// The owner of a port, as an error names it.
#[derive(Debug)]
pub(crate) struct Owner(Option<String>);

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(owner) = &self.0 else { return Ok(()) };
        write!(f, ", by {owner}")?;
        if owner.starts_with("media_proxy ") {
            f.write_str(
                "; a second proxy on this host needs a port of its own: -t PORT. Its gRPC port and run directory then follow by \
                 themselves, or are chosen with -g PORT and --run-dir PATH",
            )?;
        }
        Ok(())
    }
}
