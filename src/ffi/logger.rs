//! Log output of the library, for those who ask for it.
use std::sync::Once;

/// The environment variable that asks for log output, in the filter syntax of `env_logger`.
const VARIABLE: &str = "MCM_LOG";

/// Starts log output on standard error if `MCM_LOG` is set. A logger that the host program has installed stays.
pub(super) fn start() {
    static START: Once = Once::new();
    START.call_once(|| {
        if std::env::var_os(VARIABLE).is_some() {
            // A host written in Rust may have its own logger: then ours is refused, as it should be.
            let _ = env_logger::Builder::new().parse_env(VARIABLE).format_target(true).try_init();
        }
    });
}
