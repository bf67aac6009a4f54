//! Options of a connection.

use std::time::Duration;

use media::named;

named! {
    /// What a source does when a receiver falls behind.
    pub enum Delivery {
        /// Wait for it, up to the stall time.
        Reliable = "reliable",
        /// Never wait: the receiver misses frames.
        Live = "live",
    }
}

named! {
    /// What receivers see when a source says goodbye.
    pub enum EndOfStream {
        /// Nothing: they wait for the next source of the group.
        Wait = "wait",
        /// Their connection is closed once they have read what was put.
        Close = "close",
    }
}

named! {
    /// The libfabric provider.
    #[derive(Default)]
    pub enum RdmaProvider {
        /// TCP sockets.
        #[default]
        Tcp = "tcp",
        /// RDMA hardware.
        Verbs = "verbs",
    }
}

/// Options for streams between media proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RdmaOptions {
    /// The libfabric provider.
    pub provider: RdmaProvider,
    /// Endpoints that share the load of one connection, 1 to 8.
    pub num_endpoints: u8,
}

impl Default for RdmaOptions {
    /// One endpoint over `tcp`.
    fn default() -> Self {
        Self { provider: RdmaProvider::default(), num_endpoints: 1 }
    }
}

/// Options of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// For streams between media proxies.
    pub rdma: RdmaOptions,
    /// `None`: a source is reliable, a receiver follows its source.
    pub delivery: Option<Delivery>,
    /// How long a reliable source waits for one receiver before it stops counting it: 1 ms to 60 s,
    /// 100 ms by default.
    pub stall_timeout: Duration,
    /// A source's first buffers wait until so many receivers are there: 0 to 128, 0 by default.
    pub wait_for_receivers: u32,
    /// `None`: a source says `wait`, a receiver follows its source.
    pub end_of_stream: Option<EndOfStream>,
}

impl Options {
    /// The default of [`Options::stall_timeout`].
    pub const DEFAULT_STALL_TIMEOUT: Duration = Duration::from_millis(100);
}

impl Default for Options {
    /// What holds when the configuration says nothing.
    fn default() -> Self {
        Self {
            rdma: RdmaOptions::default(),
            delivery: None,
            stall_timeout: Self::DEFAULT_STALL_TIMEOUT,
            wait_for_receivers: 0,
            end_of_stream: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for value in Delivery::ALL {
            assert_eq!(Delivery::from_name(value.name()), Some(*value));
        }
        for value in EndOfStream::ALL {
            assert_eq!(EndOfStream::from_name(value.name()), Some(*value));
        }
        for value in RdmaProvider::ALL {
            assert_eq!(RdmaProvider::from_name(value.name()), Some(*value));
        }
    }
}
