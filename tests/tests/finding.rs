//! Discovery of the proxy by programs, and the error if there is none.

use mcm_tests::net::Net;
use mcm_tests::proxy::Proxy;
use mcm_tests::role::{Role, Spec};
use mcm_tests::run::Run;
use mcm_tests::{config, program};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// A receiver that finds the proxy by its environment.
fn receiver(mut command: Command, run_dir: &Path, address: Option<(&str, u16)>) -> Role {
    for variable in ["MCM_MEDIA_PROXY_IP", "MCM_MEDIA_PROXY_PORT"] {
        command.env_remove(variable);
    }
    command.env("MCM_RUN_DIR", run_dir);
    if let Some((ip, port)) = address {
        command.env("MCM_MEDIA_PROXY_IP", ip).env("MCM_MEDIA_PROXY_PORT", port.to_string());
    }
    Role::start_by(command, &Spec::receiver(json!({}), config::blob("found", 100)))
}

/// As in a pod: a network of its own, the address of the host in the environment, and the host's
/// run directory.
#[test]
fn the_shared_run_directory_is_used_if_it_is_the_named_proxys() {
    let Some(net) = Net::new(2) else { return };
    let (here, there) = (Run::new(), Run::new());
    let named = Proxy::start_by(net.command(1, program::media_proxy()), &here);
    let _other = Proxy::start_by(net.command(2, program::media_proxy()), &there);
    let address = Some(("10.77.0.1", named.sdk_port));

    let found = receiver(net.command(2, program::role()), &here.path(), address).ready().end();
    assert_eq!(found.error, 0, "{found:?}");

    let refused = receiver(net.command(2, program::role()), &there.path(), address).finished();
    assert_eq!(refused.error, 1008, "{refused:?}");
    assert!(refused.reason.contains("that of another proxy"), "{refused:?}");

    // Nothing is shared: both reasons are told.
    let alone = Run::new();
    let refused = receiver(net.command(2, program::role()), &alone.path(), address).finished();
    assert_eq!(refused.error, 1008, "{refused:?}");
    let reason = &refused.reason;
    assert!(reason.contains("PermissionDenied") && reason.contains("No such file"), "{reason}");
}

#[test]
fn a_wrong_run_directory_is_an_error_and_no_other_mesh() {
    let run = Run::new();
    let missing = run.outside().join("typo");
    let report = receiver(Command::new(program::role()), &missing, None).finished();
    assert_eq!(report.error, 1008, "{report:?}");
    let reason = &report.reason;
    assert!(reason.contains("typo/media_proxy.sock: No such file"), "{reason}");
    assert!(reason.contains("MCM_RUN_DIR names that directory"), "{reason}");
    assert!(!reason.contains("8002"), "{reason}");
}
