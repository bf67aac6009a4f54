//! Finding the proxy of the node and connecting to its exchange socket.

use config::{ClientConfig, ProxyAddress};
use media::run_dir;
use proto::sdk::{OpenExchangeRequest, sdkapi_client::SdkapiClient};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the proxy may take to answer over TCP.
const ANSWER: Duration = Duration::from_secs(3);

/// A way to a proxy.
#[derive(Debug)]
pub(super) struct Found {
    /// Its exchange socket.
    pub(super) socket: OwnedFd,
    /// How its identifier must begin; empty where any proxy is meant.
    pub(super) proxy: String,
}

impl From<OwnedFd> for Found {
    fn from(socket: OwnedFd) -> Self {
        Self { socket, proxy: String::new() }
    }
}

/// Connects to the proxy that the configuration and the environment name. The error says what was
/// tried.
pub(super) fn open(config: &ClientConfig) -> Result<Found, String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let in_environment =
        variable("MCM_MEDIA_PROXY_IP").is_some() || variable("MCM_MEDIA_PROXY_PORT").is_some();
    let mut tried = Vec::new();
    if config.proxy == ProxyAddress::Unspecified && !in_environment {
        for directory in run_dir::search_path() {
            match dial(&run_dir::socket_path(&directory)) {
                Ok(socket) => return Ok(socket.into()),
                Err(reason) => tried.push(reason.to_string()),
            }
        }
        // Another proxy would be another mesh, and nobody would see why it is empty.
        if variable("MCM_RUN_DIR").is_some() {
            return Err(format!(
                "no media proxy: {} (MCM_RUN_DIR names that directory, so no other place is looked at)",
                tried.join("; ")
            ));
        }
    }
    match config.resolve_env(variable).map_err(|error| error.to_string())? {
        ProxyAddress::Unix(path) => dial(&path).map(Found::from).map_err(|error| error.to_string()),
        ProxyAddress::Tcp { host, port } => by_tcp(&host, port),
        ProxyAddress::Unspecified => Err("no address".into()),
    }
    .map_err(|reason| {
        tried.push(reason);
        format!("no media proxy: {}", tried.join("; "))
    })
}

/// Why a socket cannot be connected to.
#[derive(Debug)]
struct Unreachable {
    path: PathBuf,
    errno: Errno,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), std::io::Error::from(self.errno))?;
        if self.errno != Errno::ACCESS {
            return Ok(());
        }
        // What may not be entered may be looked at from outside.
        let looked_at = [Some(self.path.as_path()), self.path.parent()];
        let owner = looked_at.into_iter().flatten().find_map(|path| path.metadata().ok());
        match owner.map(|it| (it.gid(), group_name(it.gid()))) {
            Some((_, Some(name))) => {
                write!(
                    f,
                    "; it is for members of the group {name}: usermod -aG {name} USER, then a new login"
                )
            }
            Some((gid, None)) => write!(f, "; it is for members of the group with number {gid}"),
            None => Ok(()),
        }
    }
}

/// The name of a group that is in the system's file, which is where groups of daemons are.
fn group_name(gid: u32) -> Option<String> {
    let file = std::fs::read_to_string("/etc/group").ok()?;
    file.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (number.parse() == Ok(gid)).then(|| name.to_owned())
    })
}

/// Connects to an exchange socket.
fn dial(path: &Path) -> Result<OwnedFd, Unreachable> {
    let fail = |errno| Unreachable { path: path.to_owned(), errno };
    let address = SocketAddrUnix::new(path).map_err(fail)?;
    let flags = SocketFlags::CLOEXEC;
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(fail)?;
    connect(&socket, &address).map_err(fail)?;
    Ok(socket)
}

/// What a proxy says over TCP.
enum Answer {
    /// The path of its socket.
    Path(PathBuf),
    /// It does not answer callers from here, such as those in a network namespace of their own, but
    /// says how its identifier begins.
    Denied { proxy: String, reason: String },
}

/// Connects to the proxy at an address. Where only its run directory is shared, the socket that is
/// found there must be that proxy's.
fn by_tcp(host: &str, port: u16) -> Result<Found, String> {
    match ask(host, port)? {
        Answer::Path(path) => dial_handed_over(host, port, &path).map(Found::from),
        Answer::Denied { proxy, reason } => {
            let mut tried = vec![reason];
            for directory in run_dir::search_path() {
                match dial(&run_dir::socket_path(&directory)) {
                    Ok(socket) => return Ok(Found { socket, proxy }),
                    Err(error) => tried.push(error.to_string()),
                }
            }
            Err(tried.join("; "))
        }
    }
}

/// Connects to the socket that a proxy handed over. In a container its directory may be mounted
/// elsewhere, so the usual places are tried as well.
fn dial_handed_over(host: &str, port: u16, path: &Path) -> Result<OwnedFd, String> {
    let first = match dial(path) {
        Ok(socket) => return Ok(socket),
        Err(reason) => reason,
    };
    let mut reasons = first.to_string();
    for directory in run_dir::search_path() {
        let place = run_dir::socket_path(&directory);
        if place != path {
            match dial(&place) {
                Ok(socket) => return Ok(socket),
                Err(other) => reasons = format!("{reasons}; {other}"),
            }
        }
    }
    Err(if first.errno == Errno::ACCESS {
        format!(
            "the proxy at {host}:{port} answers, but this user may not use its socket: {reasons}"
        )
    } else {
        format!(
            "the proxy at {host}:{port} answers, but its socket cannot be reached ({reasons}): it must be on this host, and \
             containers need its run directory mounted"
        )
    })
}

/// Asks a proxy over TCP for the path of its socket.
fn ask(host: &str, port: u16) -> Result<Answer, String> {
    let fail = |error: &dyn fmt::Display| format!("{host}:{port}: {error}");
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
    runtime.block_on(async {
        let channel = endpoint.connect().await.map_err(|error| fail(&proto::causes(&error)))?;
        match SdkapiClient::new(channel).open_exchange(OpenExchangeRequest {}).await {
            Ok(answer) => Ok(Answer::Path(PathBuf::from(answer.into_inner().path))),
            Err(status) => match status.code() {
                tonic::Code::Unimplemented => {
                    Err(fail(&"this media proxy does not know programs of this library"))
                }
                code => {
                    let reason = fail(&format_args!("{code:?}: {}", status.message()));
                    let proxy = status.metadata().get(proto::sdk::PROXY_METADATA);
                    match proxy.and_then(|value| value.to_str().ok()).filter(|id| !id.is_empty()) {
                        Some(id) if code == tonic::Code::PermissionDenied => {
                            Ok(Answer::Denied { proxy: id.to_owned(), reason })
                        }
                        _ => Err(reason),
                    }
                }
            },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_use_a_socket_is_told() {
        let missing = Unreachable { path: "/nonexistent/a.sock".into(), errno: Errno::NOENT };
        assert_eq!(
            missing.to_string(),
            "/nonexistent/a.sock: No such file or directory (os error 2)"
        );
        let forbidden = Unreachable { path: "/etc/nonexistent".into(), errno: Errno::ACCESS };
        let text = forbidden.to_string();
        assert!(text.contains("Permission denied") && text.contains("group root"), "{text}");
        assert_eq!(group_name(0).as_deref(), Some("root"));
    }
}
