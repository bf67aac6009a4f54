//! Environment variables that libfabric reads when it is loaded.

/// libfabric's default for the number of peers.
const DEFAULT_UNIVERSE: &str = "256";

/// Settings that [`Provider::Verbs`](crate::Provider::Verbs) needs, without those that the user has
/// made. To be given to a process before it loads libfabric.
pub fn wanted_environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    const WANTED: [(&str, &str); 2] = [
        // Queues are as long as for messages of so many peers at once. Devices have limits, and a
        // bridge has one peer.
        ("FI_UNIVERSE_SIZE", "16"),
        // To learn of memory that is unmapped, libfabric rewrites functions of libc, under the feet
        // of running threads. What it would keep are registrations, and those are kept here.
        ("FI_MR_CACHE_MONITOR", "disabled"),
    ];
    WANTED.into_iter().filter(|(name, _)| std::env::var_os(name).is_none())
}

/// For how many peers libfabric makes queues.
pub(crate) fn universe_size() -> String {
    std::env::var("FI_UNIVERSE_SIZE").unwrap_or_else(|_| DEFAULT_UNIVERSE.to_owned())
}
