//! `media_proxy`: the daemon of a host. It connects sources and receivers (control only; frames
//! bypass it), and runs the bridges to other hosts.

mod args;
mod bridge;
mod broker;
mod cpu;
mod device;
mod error;
mod fleet;
mod group;
mod listeners;
mod observe;
mod placement;
mod port_owner;
mod presence;
mod run;
mod run_dir;
mod sdk_service;
mod servers;

use args::Args;
use clap::Parser;
use daemon::{logger, notify, rate_limited_log};
use std::process::ExitCode;

/// Other libraries log warnings and errors only.
const LOG_USUAL: &str = "warn,media_proxy=info,mesh=info,fabric=info,daemon=info";

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == bridge::WORKER_ARGUMENT) {
        logger::start(LOG_USUAL, None);
        return bridge::run_worker();
    }
    let args = Args::parse();
    logger::start(LOG_USUAL, args.log_format);
    match run::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logger::last_words("media_proxy", &error);
            ExitCode::FAILURE
        }
    }
}
