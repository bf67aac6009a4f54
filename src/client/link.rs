//! Finding the proxy of the node and connecting to its exchange socket.

use media::{ClientConfig, ProxyAddress, run_dir};
use proto::sdk::{OpenExchangeRequest, sdkapi_client::SdkapiClient};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the proxy may take to answer over TCP.
const ANSWER: Duration = Duration::from_secs(3);

/// Connects to the proxy that the configuration and the environment name. The error says what was tried.
pub(super) fn open(config: &ClientConfig) -> Result<OwnedFd, String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let in_environment =
        variable("MCM_MEDIA_PROXY_IP").is_some() || variable("MCM_MEDIA_PROXY_PORT").is_some();
    let mut tried = Vec::new();
    if config.proxy == ProxyAddress::Unspecified && !in_environment {
        for directory in run_dir::search_path() {
            match dial(&run_dir::socket_path(&directory)) {
                Ok(socket) => return Ok(socket),
                Err(reason) => tried.push(reason),
            }
        }
    }
    match config.resolve_env(variable).map_err(|error| error.to_string())? {
        ProxyAddress::Unix(path) => dial(&path),
        ProxyAddress::Tcp { host, port } => {
            ask(&host, port).and_then(|path| dial_handed_over(&host, port, &path))
        }
        ProxyAddress::Unspecified => Err("no address".into()),
    }
    .map_err(|reason| {
        tried.push(reason);
        format!("no media proxy: {}", tried.join("; "))
    })
}

/// Connects to an exchange socket.
fn dial(path: &Path) -> Result<OwnedFd, String> {
    let fail = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let address = SocketAddrUnix::new(path).map_err(|error| fail(&error))?;
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .map_err(|error| fail(&error))?;
    connect(&socket, &address).map_err(|error| fail(&error))?;
    Ok(socket)
}

/// Connects to the socket that a proxy handed over. In a container its directory may be mounted elsewhere, so the usual
/// places are tried as well.
fn dial_handed_over(host: &str, port: u16, path: &Path) -> Result<OwnedFd, String> {
    let mut reason = match dial(path) {
        Ok(socket) => return Ok(socket),
        Err(reason) => reason,
    };
    for directory in run_dir::search_path() {
        let place = run_dir::socket_path(&directory);
        if place != path {
            match dial(&place) {
                Ok(socket) => return Ok(socket),
                Err(other) => reason = format!("{reason}; {other}"),
            }
        }
    }
    Err(format!(
        "the proxy at {host}:{port} answers, but its socket cannot be reached ({reason}): it must be on this host, and \
         containers need its run directory mounted"
    ))
}

/// Asks a proxy over TCP for the path of its socket.
fn ask(host: &str, port: u16) -> Result<PathBuf, String> {
    let fail = |error: &dyn std::fmt::Display| format!("{host}:{port}: {error}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| fail(&error))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let authority = if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() };
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{authority}:{port}"))
        .map_err(|error| fail(&error))?
        .connect_timeout(ANSWER)
        .timeout(ANSWER);
    let answer = runtime.block_on(async {
        let channel = endpoint.connect().await.map_err(|error| fail(&proto::causes(&error)))?;
        let call = SdkapiClient::new(channel).open_exchange(OpenExchangeRequest {}).await;
        call.map_err(|status| match status.code() {
            tonic::Code::Unimplemented => {
                fail(&"this media proxy does not know programs of this library")
            }
            code => fail(&format_args!("{code:?}: {}", status.message())),
        })
    })?;
    Ok(PathBuf::from(answer.into_inner().path))
}
