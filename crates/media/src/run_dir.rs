//! The run directory, where the media proxy of a node keeps its socket.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// The name of the media proxy's socket in the run directory.
pub const SOCKET_NAME: &str = "media_proxy.sock";

/// The directory of a media proxy that runs as a system service.
const SYSTEM: &str = "/run/mcm";

/// The run directory of a media proxy that this process would be: `$MCM_RUN_DIR`, else `/run/mcm`
/// if this process can write there or create it, else `$XDG_RUNTIME_DIR/mcm`.
///
/// It need not exist yet. Without any of them the answer is `/run/mcm`, so that the error of
/// whoever creates it names the usual place.
pub fn run_dir() -> PathBuf {
    choose(|name| std::env::var_os(name), can_use)
}

/// Where a program looks for a proxy's socket, in this order: `$MCM_RUN_DIR` alone if it is set,
/// else `/run/mcm` and then `$XDG_RUNTIME_DIR/mcm`.
///
/// A program needs no right to write in the proxy's directory, so it cannot choose one as
/// [`run_dir`] does.
pub fn search_path() -> Vec<PathBuf> {
    candidates(|name| std::env::var_os(name))
}

/// The media proxy's socket in a run directory.
pub fn socket_path(run_dir: &Path) -> PathBuf {
    run_dir.join(SOCKET_NAME)
}

fn choose(lookup: impl Fn(&str) -> Option<OsString>, usable: impl Fn(&Path) -> bool) -> PathBuf {
    let mut candidates = candidates(lookup);
    let last = candidates.pop().unwrap_or_else(|| SYSTEM.into());
    candidates.into_iter().find(|path| usable(path)).unwrap_or(last)
}

fn candidates(lookup: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let lookup = |name| lookup(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    match lookup("MCM_RUN_DIR") {
        Some(path) => vec![std::path::absolute(&path).unwrap_or(path)],
        None => std::iter::once(PathBuf::from(SYSTEM))
            .chain(lookup("XDG_RUNTIME_DIR").map(|path| path.join("mcm")))
            .collect(),
    }
}

/// Whether this process can put files there, creating the directory if need be.
fn can_use(path: &Path) -> bool {
    let rights = Access::WRITE_OK | Access::EXEC_OK;
    if path.exists() {
        return path.is_dir() && access(path, rights).is_ok();
    }
    path.parent().is_some_and(|parent| parent.is_dir() && access(parent, rights).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(
        own: Option<&'static str>,
        xdg: Option<&'static str>,
    ) -> impl Fn(&str) -> Option<OsString> {
        move |name| match name {
            "MCM_RUN_DIR" => own.map(OsString::from),
            "XDG_RUNTIME_DIR" => xdg.map(OsString::from),
            _ => None,
        }
    }

    #[test]
    fn the_rule() {
        let xdg = Some("/run/user/7");
        for (own, xdg, usable, expected) in [
            (Some("/a"), xdg, true, "/a"),
            (Some("/a"), xdg, false, "/a"),
            (None, xdg, true, "/run/mcm"),
            (None, xdg, false, "/run/user/7/mcm"),
            (Some(""), xdg, false, "/run/user/7/mcm"),
            (None, None, false, "/run/mcm"),
            (None, Some(""), false, "/run/mcm"),
        ] {
            let chosen = choose(environment(own, xdg), |_| usable);
            assert_eq!(chosen, Path::new(expected), "{own:?} {xdg:?} {usable}");
        }
    }

    #[test]
    fn a_program_looks_in_both_unless_told() {
        let both = candidates(environment(None, Some("/x")));
        assert_eq!(both, [PathBuf::from("/run/mcm"), PathBuf::from("/x/mcm")]);
        assert_eq!(candidates(environment(Some("/a"), Some("/x"))), [PathBuf::from("/a")]);
    }

    #[test]
    fn a_relative_directory_becomes_absolute() {
        let chosen = choose(environment(Some("here"), None), |_| true);
        assert!(chosen.is_absolute() && chosen.ends_with("here"), "{chosen:?}");
    }

    #[test]
    fn usable_means_writable_or_to_be_created() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(can_use(dir.path()));
        assert!(can_use(&dir.path().join("new")));
        assert!(!can_use(&file));
        assert!(!can_use(&file.join("below")));
        assert!(!can_use(&dir.path().join("no/such")));
    }

    #[test]
    fn the_socket_has_a_fixed_name() {
        assert_eq!(socket_path(Path::new("/run/mcm")), Path::new("/run/mcm/media_proxy.sock"));
    }
}
