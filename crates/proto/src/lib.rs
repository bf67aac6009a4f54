//! Protocol messages of the mesh: the generated code, validation of messages, and datagrams with
//! file descriptors over a unix socket.

#[cfg(feature = "services")]
pub mod codec;
pub mod datagram;
mod error;
mod kind;
pub mod socket;
mod words;

pub use error::{ProtoError, causes};
pub use kind::Kind;

/// `sdk.SDKAPI`: what an SDK says to the proxy's SDK port, and the connection configuration on the
/// wire.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod sdk {
    /// Metadata of a refusal by the port for programs: how the identifier begins that the proxy
    /// gives in Welcome.
    pub const PROXY_METADATA: &str = "mcm-proxy-id";

    include!(concat!(env!("OUT_DIR"), "/sdk.rs"));
}

/// `mediaproxy.ProxyAPI`: what a media proxy and the mesh agent say to each other.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod mediaproxy {
    include!(concat!(env!("OUT_DIR"), "/mediaproxy.rs"));
}

/// The part of etcd's API that mesh agents use.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod etcd {
    include!(concat!(env!("OUT_DIR"), "/etcdserverpb.rs"));
}

/// The packages `mcm.*`, nested as the generated code expects them.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
mod mcm {
    pub(crate) mod exchange {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/mcm.exchange.v1.rs"));
        }
    }
    pub(crate) mod fleet {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/mcm.fleet.v1.rs"));
        }
    }
    pub(crate) mod control {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/mcm.control.v1.rs"));
        }
    }
}

#[doc(inline)]
pub use mcm::control::v1 as control;
#[doc(inline)]
pub use mcm::exchange::v1 as exchange;
#[doc(inline)]
pub use mcm::fleet::v1 as fleet;

/// All `.proto` files in compiled form, as gRPC reflection serves them.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mcm.fds"));
