//! Errors by which the control plane refuses a request.

use crate::topology::{ConnectionId, GroupId, ProxyId};
use config::{ConfigError, ErrorCode};
use proto::Kind;
use std::fmt::{Display, Formatter};
use std::net::IpAddr;

/// A refusal, or a failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// A configuration is invalid, or not compatible with the group's.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// A value of a request, outside of a connection's configuration, is invalid.
    #[error("{field}: found \"{found}\"; allowed: {allowed}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// The accepted values.
        allowed: &'static str,
    },
    /// The group has a source already.
    #[error(
        "group {group} has a source already: connection {connection} on media proxy {proxy}{}",
        host.as_ref().map(|host| format!(" (host {host})")).unwrap_or_default()
    )]
    SourceTaken {
        /// The group.
        group: GroupId,
        /// Its source.
        connection: ConnectionId,
        /// The proxy of the source.
        proxy: ProxyId,
        /// Address of streams to that proxy, if it has one.
        host: Option<IpAddr>,
    },
    /// A connection is not compatible with its group.
    #[error("{error}; {member}")]
    Incompatible {
        /// What does not fit.
        error: ConfigError,
        /// What it does not fit to.
        member: Box<GroupMember>,
    },
    /// No proxy has this id; it has to register (again).
    #[error("media proxy {0} is not registered")]
    UnknownProxy(ProxyId),
    /// No connection has this id.
    #[error("connection {0} is not registered")]
    UnknownConnection(ConnectionId),
    /// An administrator has removed the connection.
    #[error("connection {0} was removed by an administrator")]
    Removed(ConnectionId),
    /// The agent, or its store, cannot be reached now.
    #[error("{0}")]
    Unavailable(String),
    /// A mesh agent elsewhere refused.
    #[error("{reason}")]
    Refused {
        /// The number of the refusal.
        mesh_err: u32,
        /// Its reason.
        reason: String,
        /// An administrator has removed the connection: its proxy ends it.
        removed: bool,
    },
    /// The program cannot start with its options.
    #[error("{0}")]
    Setup(String),
}

/// The member of a group that a newcomer has to fit to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// The group's source, or its oldest member if it has none.
    pub kind: Kind,
    /// Its connection.
    pub connection: ConnectionId,
    /// The proxy of the connection.
    pub proxy: ProxyId,
    /// Where streams to that proxy go, if it has such an address.
    pub host: Option<IpAddr>,
}

impl Display for GroupMember {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { kind, connection, proxy, host } = self;
        let role = match kind {
            Kind::Source => "source",
            Kind::Receiver => "first receiver",
        };
        write!(f, "the group's {role} is connection {connection} on media proxy {proxy}")?;
        host.iter().try_for_each(|host| write!(f, " (host {host})"))
    }
}

impl AgentError {
    /// Whether it says that an administrator has removed the connection.
    #[must_use]
    pub fn is_removal(&self) -> bool {
        matches!(self, Self::Removed(_) | Self::Refused { removed: true, .. })
    }

    /// The MESH_ERR number of this error, for a program's SDK.
    #[must_use]
    pub fn mesh_err(&self) -> u32 {
        match self {
            Self::Config(error) | Self::Incompatible { error, .. } => {
                ErrorCode::from(error.kind).into()
            }
            Self::Invalid { .. } => ErrorCode::ConnConfigInval.into(),
            Self::Refused { mesh_err, .. } => *mesh_err,
            Self::SourceTaken { .. }
            | Self::UnknownProxy(_)
            | Self::UnknownConnection(_)
            | Self::Removed(_)
            | Self::Unavailable(_)
            | Self::Setup(_) => ErrorCode::ConnFailed.into(),
        }
    }
}
