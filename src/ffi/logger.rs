//! Log output of the library: options without effect and long waits, and everything else where
//! `MCM_LOG` asks for it.
use media::log_filter::LogFilter;
use std::io::Write;
use std::sync::Once;

/// The environment variable that asks for log output, in the filter syntax of `env_logger`.
const VARIABLE: &str = "MCM_LOG";
/// Without the variable.
const USUAL: &str = "off,mcm::warnings=warn,mcm::waiting=warn";

/// Starts log output on standard error. A logger that the host program has installed stays.
pub(super) fn start() {
    static START: Once = Once::new();
    START.call_once(|| {
        let asked = std::env::var(VARIABLE).ok();
        let filter = LogFilter::read(asked.as_deref(), USUAL);
        let mut builder = env_logger::Builder::new();
        builder.parse_filters(&filter.directives);
        if asked.is_none() {
            // Among the output of a program that knows nothing of our log.
            builder.format(|out, record| {
                let level = record.level().as_str().to_ascii_lowercase();
                writeln!(out, "libmcm_dp: {level}: {}", record.args())
            });
        }
        // A host written in Rust may have its own logger: then ours is refused, as it should be.
        if builder.try_init().is_ok()
            && let Some(complaint) = filter.complaint
        {
            eprintln!("{VARIABLE}: {complaint}");
        }
    });
}
