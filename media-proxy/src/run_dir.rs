//! The run directory: its lock, which admits one proxy, and its socket.

use crate::error::ProxyError;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use std::fs::{DirBuilder, File, Permissions};
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The directory is for its owner and one group.
const DIR_MODE: u32 = 0o770;
/// Set-group-id bit, by which new files belong to the directory's group.
const SET_GROUP_ID: u32 = 0o2000;
/// Connecting needs the right to write.
const SOCKET_MODE: u32 = 0o660;
const BACKLOG: i32 = 4096;

/// A run directory that this process alone serves.
#[derive(Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
    socket: PathBuf,
    /// Group whose members may use the socket; `None`: that of the directory.
    group: Option<u32>,
    _lock: File,
}

impl RunDir {
    /// Creates the directory if need be, gives it to the group if there is one, and makes sure that
    /// no other proxy serves it.
    pub(crate) fn open(path: &Path, group: Option<u32>) -> Result<Self, ProxyError> {
        let failed = |what| move |error| ProxyError::RunDir { path: path.to_owned(), what, error };
        // An existing directory is left as it is. It may be on a file system where nothing can be
        // created.
        if !path.is_dir() {
            match DirBuilder::new().mode(DIR_MODE).create(path) {
                Ok(()) => set_mode(path).map_err(failed("cannot set its mode"))?,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("cannot create it")(error)),
            }
        }
        let lock_path = path.join("media_proxy.lock");
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let lock = rustix::fs::open(&lock_path, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| failed("cannot open media_proxy.lock")(errno.into()))?;
        let mut lock = File::from(lock);
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                // The number is for operators only.
                let _ = (&mut lock).take(20).read_to_string(&mut pid);
                let pid = pid.trim().chars().filter(char::is_ascii_digit).collect();
                return Err(ProxyError::Taken { path: path.to_owned(), pid });
            }
            Err(errno) => return Err(failed("cannot lock media_proxy.lock")(errno.into())),
        }
        if group.is_some() {
            std::os::unix::fs::chown(path, None, group)
                .and_then(|()| set_mode(path))
                .map_err(failed("cannot give it to the group of --group"))?;
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(failed("cannot write media_proxy.lock"))?;
        let (path, socket) = (path.to_owned(), media::run_dir::socket_path(path));
        Ok(Self { path, socket, group, _lock: lock })
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Path of the socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Makes the socket. Returns whether a predecessor left its own, which means that it had
    /// clients.
    pub(crate) fn listen(&self) -> Result<(OwnedFd, bool), ProxyError> {
        let path = &self.path;
        let failed = |what| {
            move |errno: rustix::io::Errno| ProxyError::RunDir {
                path: path.clone(),
                what,
                error: errno.into(),
            }
        };
        let address = SocketAddrUnix::new(&self.socket)
            .map_err(failed("its path is too long for a unix socket"))?;
        let stale = self.remove_socket()?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(failed("cannot make a unix socket"))?;
        bind(&socket, &address).map_err(failed("cannot bind media_proxy.sock"))?;
        if self.group.is_some() {
            std::os::unix::fs::chown(&self.socket, None, self.group).map_err(|error| {
                let what = "cannot give media_proxy.sock to the group of --group";
                ProxyError::RunDir { path: path.clone(), what, error }
            })?;
        }
        std::fs::set_permissions(&self.socket, Permissions::from_mode(SOCKET_MODE)).map_err(
            |error| ProxyError::RunDir {
                path: path.clone(),
                what: "cannot set the mode of media_proxy.sock",
                error,
            },
        )?;
        listen(&socket, BACKLOG).map_err(failed("cannot listen on media_proxy.sock"))?;
        Ok((socket, stale))
    }

    /// Removes the socket. Returns whether there was one.
    pub(crate) fn remove_socket(&self) -> Result<bool, ProxyError> {
        match std::fs::remove_file(&self.socket) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(ProxyError::RunDir {
                path: self.path.clone(),
                what: "cannot remove an old media_proxy.sock",
                error,
            }),
        }
    }
}

/// Gives a new directory its mode, whatever the umask. A service manager may forbid the
/// set-group-ID bit (`RestrictSUIDSGID=`); without it what the proxy makes belongs to the proxy's
/// own group, which is the directory's.
fn set_mode(path: &Path) -> std::io::Result<()> {
    let set = |mode| std::fs::set_permissions(path, Permissions::from_mode(mode));
    match set(SET_GROUP_ID | DIR_MODE) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => set(DIR_MODE),
        result => result,
    }
}

#[cfg(test)]
#[path = "run_dir_restricted.rs"]
mod restricted;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_proxy_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("mcm");
        let first = RunDir::open(&path, None).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o2770);
        let error = RunDir::open(&path, None).unwrap_err().to_string();
        assert!(
            error.contains(&format!("another media_proxy (pid {})", std::process::id())),
            "{error}"
        );
        let (_socket, stale) = first.listen().unwrap();
        assert!(!stale);
        let mode = std::fs::metadata(first.socket()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        drop(first);
        let (_socket, stale) = RunDir::open(&path, None).unwrap().listen().unwrap();
        assert!(stale);
    }

    #[test]
    fn errors_name_the_directory() {
        let temp = tempfile::tempdir().unwrap();
        let error = RunDir::open(&temp.path().join("no/such"), None).unwrap_err().to_string();
        assert!(error.contains("no/such: cannot create it"), "{error}");
        let long = temp.path().join("x".repeat(100));
        let error = RunDir::open(&long, None).unwrap().listen().unwrap_err().to_string();
        assert!(error.contains("too long for a unix socket"), "{error}");
    }
}
