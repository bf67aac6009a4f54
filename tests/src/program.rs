//! The programs under test: their paths, and a check that they are up to date.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The daemon. It is built if it is missing or older than its source.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn media_proxy() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(path) = std::env::var_os("MCM_MEDIA_PROXY") {
            return path.into();
        }
        current(
            "media_proxy",
            "media-proxy",
            &["media-proxy/src", "mesh-agent/src", "src", "crates"],
        )
    })
}

/// The mesh agent. It is built if it is missing or older than its source.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn mesh_agent() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(path) = std::env::var_os("MCM_MESH_AGENT") {
            return path.into();
        }
        current("mesh-agent", "mcm-mesh-agent", &["mesh-agent/src", "crates"])
    })
}

/// The command-line tool. It is built if it is missing or older than its source.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn mcm() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(path) = std::env::var_os("MCM_TOOL") {
            return path.into();
        }
        current("mcm", "mcm-cli", &["mcm-cli/src", "crates/proto"])
    })
}

/// A program of this build, which is made anew if something in its source is younger.
fn current(name: &str, package: &str, sources: &[&str]) -> PathBuf {
    let program = beside(name);
    let changed = sources.iter().map(|path| newest(&source(path))).max();
    let built = program.metadata().and_then(|meta| meta.modified()).ok();
    if built < changed {
        build(&[package], &[]);
    }
    program
}

/// The shared libraries that FFmpeg loads: the plugin, and the library of the mesh. They are built
/// if one is missing or older than its source.
///
/// # Panics
/// If they cannot be built.
#[must_use]
pub fn ffmpeg_libraries() -> &'static [PathBuf; 2] {
    static LIBRARIES: OnceLock<[PathBuf; 2]> = OnceLock::new();
    LIBRARIES.get_or_init(|| {
        let libraries = ["libmcm_avdevice.so", "libmcm_dp.so"].map(beside);
        let sources = ["ffmpeg-plugin/src", "src", "crates"];
        let changed = sources.map(|path| newest(&source(path))).into_iter().max();
        let built = libraries.iter().map(|it| it.metadata().and_then(|meta| meta.modified()).ok());
        if built.min().flatten() < changed {
            build(&["mcm-ffmpeg-plugin", "mcm_dp"], &[]);
        }
        libraries
    })
}

/// An example of the Rust client. All are built if one is missing or older than its source.
///
/// # Panics
/// If they cannot be built.
#[must_use]
pub fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    let directory = beside("examples");
    BUILT.get_or_init(|| {
        let built = ["send", "receive", "bridge"]
            .map(|name| directory.join(name).metadata().and_then(|meta| meta.modified()).ok());
        if built.into_iter().min().flatten() < Some(newest(&source("crates"))) {
            build(&["mcm-mesh"], &["--examples", "--features", "tokio"]);
        }
    });
    directory.join(name)
}

/// The program of this package that sends and receives.
#[must_use]
pub fn role() -> PathBuf {
    beside("mcm-role")
}

/// A program in the directory where cargo puts programs of this build.
fn beside(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().expect("the path of the test");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.join(name)
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn newest(directory: &Path) -> SystemTime {
    let entries = std::fs::read_dir(directory).expect("the source of the project");
    let times = entries.flatten().filter_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return (!path.ends_with("tests")).then(|| newest(&path));
        }
        entry.metadata().and_then(|meta| meta.modified()).ok()
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

fn build(packages: &[&str], more: &[&str]) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut target = beside("");
    let profile = target.components().next_back().map(|name| name.as_os_str().to_owned());
    target.pop();
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--target-dir"]).arg(target);
    for package in packages {
        command.args(["--package", package]);
    }
    command.args(more);
    if profile.is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    let status = command.current_dir(source(".")).status().expect("cargo");
    assert!(status.success(), "{packages:?} cannot be built");
}
