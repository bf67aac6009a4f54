//! Typed identifiers of proxies, connections, groups and bridges.

use std::borrow::Borrow;
use std::fmt::{Display, Formatter};
use std::sync::Arc;

/// Declares a kind of identifier. Copies are cheap.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier with this text.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// Its text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }
    };
}

identifier! {
    /// A media proxy.
    ProxyId
}
identifier! {
    /// A connection of a program. Its proxy chooses it; it stays the same when the proxy registers
    /// it again.
    ConnectionId
}
identifier! {
    /// A multipoint group: its URN, or "ip:port" of an ST 2110 stream.
    GroupId
}
identifier! {
    /// A stream: the same on every host from its source to all receivers. It is the id of the
    /// connection that sends, or that of the ST 2110 ingress bridge that brings it into the mesh.
    /// Another source of the group is another stream.
    StreamId
}
identifier! {
    /// A bridge. It follows from what the bridge connects, so that every agent gives a bridge the
    /// same id at any time.
    BridgeId
}
