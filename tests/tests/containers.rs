//! Programs in containers, as the kernel sees them: namespaces and root directories of their own,
//! different users in one group, and nothing shared but the run directory.

use mcm_tests::proxy::Proxy;
use mcm_tests::role::{Role, Spec};
use mcm_tests::run::Run;
use mcm_tests::{config, program, wait};
use rustix::process::Signal;
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

/// The group that may use the run directory.
const GROUP: u32 = 42_000;

/// Directory of the programs, readable for all users, and an empty directory that becomes a root.
struct Image {
    run: Run,
    programs: PathBuf,
    root: PathBuf,
    /// Users of their own can only be had by root.
    as_root: bool,
}

impl Image {
    /// `None` where the kernel does not let this user have namespaces. In continuous integration
    /// that is a failure.
    fn new(test: &str) -> Option<Self> {
        let mut probe = Command::new("unshare");
        let able = probe.args(["-Urmpfn", "--ipc", "true"]).output();
        let reason = match able {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Some(format!("unshare: {error}")),
        };
        if let Some(reason) = reason {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{reason}");
            eprintln!("{test}: SKIPPED, since there are no namespaces here: {reason}");
            return None;
        }
        let run = Run::new();
        let open = Permissions::from_mode(0o755);
        fs::set_permissions(run.outside(), open.clone()).unwrap();
        let (programs, root) = (run.outside().join("programs"), run.outside().join("root"));
        for directory in [&programs, &root] {
            fs::create_dir(directory).unwrap();
            fs::set_permissions(directory, open.clone()).unwrap();
        }
        for (program, name) in
            [(program::media_proxy(), "media_proxy"), (&program::role(), "mcm-role")]
        {
            fs::copy(program, programs.join(name)).unwrap();
            fs::set_permissions(programs.join(name), open.clone()).unwrap();
        }
        let as_root = rustix::process::geteuid().is_root();
        // As packages and units prepare it: for one user and one group.
        fs::create_dir(run.path()).unwrap();
        fs::set_permissions(run.path(), Permissions::from_mode(0o2770)).unwrap();
        if as_root {
            chown(run.path(), Some(GROUP + 1), Some(GROUP)).unwrap();
        }
        Some(Self { run, programs, root, as_root })
    }

    /// A command that runs one of the programs as the user of this number, in a container that sees
    /// the run directory as `/run/mcm`, the programs, the system's libraries, and nothing else.
    fn container(&self, user: u32, program: &str) -> Command {
        let script = r#"
            set -e
            mount -t tmpfs none "$ROOT"
            for dir in usr bin lib lib64 proc run run/mcm programs; do mkdir "$ROOT/$dir"; done
            for dir in usr bin lib lib64; do [ ! -d /$dir ] || mount --rbind /$dir "$ROOT/$dir"; done
            mount --bind "$RUN" "$ROOT/run/mcm"
            mount --bind "$PROGRAMS" "$ROOT/programs"
            mount -t proc none "$ROOT/proc"
            cd "$ROOT"
            exec chroot "$ROOT" "/programs/$PROGRAM" "$@"
        "#;
        let mut command = if self.as_root {
            let mut command = Command::new("setpriv");
            let user = format!("--reuid={}", GROUP + user);
            command.args([&user, &format!("--regid={GROUP}"), "--clear-groups", "unshare"]);
            command
        } else {
            Command::new("unshare")
        };
        command.args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child"]);
        command.args(["--net", "--ipc", "--uts", "sh", "-c", script, "container"]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("ROOT", &self.root).env("RUN", self.run.path());
        command.env("PROGRAMS", &self.programs).env("PROGRAM", program);
        command
    }

    fn proxy_on_the_host(&self) -> Proxy {
        if !self.as_root {
            return Proxy::start(&self.run);
        }
        let mut command = Command::new("setpriv");
        let (user, group) = (format!("--reuid={}", GROUP + 1), format!("--regid={GROUP}"));
        command.args([&user, &group, "--clear-groups"]).arg(self.programs.join("media_proxy"));
        Proxy::start_by(command, &self.run)
    }

    fn role(&self, user: u32, spec: &Spec) -> Role {
        Role::start_by(self.container(user, "mcm-role"), spec)
    }
}

/// Programs find the proxy without being told where it is.
fn client() -> serde_json::Value {
    json!({ "apiDefaultTimeoutMicroseconds": 30_000_000 })
}

fn source(image: &Image, user: u32, group: &str, id: u64) -> Role {
    image.role(user, &Spec::source(client(), config::blob(group, 5000), id).pause(1000))
}

fn receiver(image: &Image, user: u32, group: &str) -> Role {
    image.role(user, &Spec::receiver(client(), config::blob(group, 5000)))
}

/// Frames go from each of two containers to the other and to a third, and a source that dies is
/// replaced.
fn exchange(image: &Image) {
    let mut sources = [source(image, 2, "there", 1).ready(), source(image, 3, "back", 2).ready()];
    let mut receivers = [
        receiver(image, 3, "there").ready(),
        receiver(image, 2, "back").ready(),
        receiver(image, 4, "there").ready(),
        receiver(image, 4, "back").ready(),
    ];
    receivers.iter_mut().for_each(|role| drop(role.progress(200)));

    sources[0].process_mut().kill();
    sources[0] = source(image, 4, "there", 3).ready();
    for role in [0, 2] {
        let report = receivers[role].until("the new source's frames", |report| report.source == 3);
        assert_eq!(report.first, Some(0));
    }
    receivers[0].process_mut().kill();
    receivers[0] = receiver(image, 2, "there").ready();
    receivers.iter_mut().for_each(|role| drop(role.progress(100)));
    for report in receivers.into_iter().map(Role::end) {
        assert_eq!((report.error, report.missed), (0, 0), "{report:?}");
    }
    for report in sources.into_iter().map(Role::end) {
        assert_eq!(report.error, 0, "{report:?}");
    }
}

#[test]
fn programs_in_containers_and_the_proxy_on_the_host() {
    let Some(image) = Image::new("containers and host") else { return };
    let mut proxy = image.proxy_on_the_host();
    exchange(&image);
    let mut control = proxy.control();
    wait::until("everybody has left", || control.info().clients == 0);
    drop(control);
    assert!(proxy.end(Signal::TERM).success());
}

#[test]
fn the_proxy_in_a_container_of_its_own() {
    let Some(image) = Image::new("proxy in a container") else { return };
    let mut command = image.container(1, "media_proxy");
    // In its container the directory is elsewhere.
    command.args(["-t", "0", "-g", "0", "--run-dir", "/run/mcm"]);
    let mut proxy = mcm_tests::process::Process::start("media_proxy", command, |_| false);
    wait::until("the proxy serves", || {
        assert!(!proxy.has_ended(), "{}", proxy.output());
        proxy.output().contains("gRPC Server listening on ")
    });
    exchange(&image);
}

#[test]
fn programs_of_another_group_stay_outside() {
    let Some(image) = Image::new("another group") else { return };
    if !image.as_root {
        eprintln!("another group: SKIPPED, since only root can be somebody else");
        return;
    }
    let _proxy = image.proxy_on_the_host();
    let spec = Spec::receiver(config::client(&image.run.socket()), config::blob("other", 10));
    let mut command = Command::new("setpriv");
    let (user, group) = (format!("--reuid={}", GROUP + 9), format!("--regid={}", GROUP + 9));
    command.args([&user, &group, "--clear-groups"]).arg(image.programs.join("mcm-role"));
    let report = Role::start_by(command, &spec).finished();
    assert_eq!(report.error, 1008, "{report:?}");
    assert!(report.reason.contains("Permission denied"), "{report:?}");
    let group = format!("it is for members of the group with number {GROUP}");
    assert!(report.reason.contains(&group), "{report:?}");
}
