//! Errors of libfabric and of bridges.

use crate::provider::{Address, Provider};

/// Why something of libfabric failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FabricError {
    /// The library is not there.
    #[error(
        "libfabric cannot be loaded: {0}. Install it (Debian, Ubuntu: apt-get install libfabric1)"
    )]
    Library(String),
    /// The library is too old.
    #[error("libfabric {major}.{minor} was found, 1.17 or later is needed")]
    Version {
        /// The version found.
        major: u32,
        /// The version found.
        minor: u32,
    },
    /// The provider is not there, or has no device.
    #[error("libfabric's provider {provider} cannot be used: {hint}")]
    Provider {
        /// The one concerned.
        provider: Provider,
        /// The package to install or the setting to enable.
        hint: &'static str,
    },
    /// No device of the provider has the local address.
    #[error(
        "{address} is not an address of a device that libfabric's provider {provider} can use on this host"
    )]
    LocalAddress {
        /// The one concerned.
        provider: Provider,
        /// The address asked for.
        address: Address,
    },
    /// The address has another form than the provider's.
    #[error("provider {provider} wants {wanted} as address, not {address}")]
    AddressForm {
        /// The one concerned.
        provider: Provider,
        /// The address given.
        address: Address,
        /// The accepted values.
        wanted: &'static str,
    },
    /// A parameter out of range.
    #[error("{name} is {value}, accepted are {accepted}")]
    Parameter {
        /// The one concerned.
        name: &'static str,
        /// The value.
        value: usize,
        /// The accepted values.
        accepted: &'static str,
    },
    /// A message cannot be that long.
    #[error("a message of {len} bytes was to be sent, this buffer and provider allow {max}")]
    Length {
        /// Bytes asked for.
        len: usize,
        /// Bytes that would be accepted.
        max: usize,
    },
    /// A call failed.
    #[error("{call}: {reason}{}", if .about.is_empty() { String::new() } else { format!(" ({about})") })]
    Call {
        /// Name of libfabric's call.
        call: &'static str,
        /// libfabric's number of the error, positive.
        code: i32,
        /// libfabric's text.
        reason: String,
        /// The object concerned, or empty.
        about: String,
    },
}

impl FabricError {
    /// Whether another socket uses the local address.
    #[must_use]
    pub fn is_address_in_use(&self) -> bool {
        matches!(self, Self::Call { code: libc::EADDRINUSE, .. })
    }
}

/// Why one message was not sent or received.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (error {code}, {provider_reason})")]
pub struct TransferError {
    /// libfabric's number of the error, positive.
    pub code: i32,
    /// libfabric's text.
    pub reason: String,
    /// The provider's own text.
    pub provider_reason: String,
}

impl TransferError {
    /// Whether a message was longer than its receive buffer.
    #[must_use]
    pub fn is_truncation(&self) -> bool {
        self.code == libfabric_sys::FI_ETRUNC
    }

    /// Whether the operation was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.code == libfabric_sys::FI_ECANCELED
    }
}
