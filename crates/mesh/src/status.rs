//! Conversion of errors to gRPC statuses.

use crate::error::AgentError;
use config::{ConfigErrorKind, ErrorCode};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

/// Metadata of a refusal: the MESH_ERR number, as text.
const MESH_ERR: &str = "mcm-mesh-err";
/// The longest reason, in characters.
const MAX_TEXT: usize = 1000;
/// Metadata of the refusal of a connection that an administrator has removed.
const REMOVED: &str = "mcm-removed";

impl From<AgentError> for Status {
    fn from(error: AgentError) -> Self {
        let code = match &error {
            AgentError::Config(error) | AgentError::Incompatible { error, .. } => {
                match error.kind {
                    ConfigErrorKind::Malformed | ConfigErrorKind::Invalid => Code::InvalidArgument,
                    ConfigErrorKind::Incompatible => Code::FailedPrecondition,
                    ConfigErrorKind::NotImplemented => Code::Unimplemented,
                }
            }
            AgentError::Invalid { .. } => Code::InvalidArgument,
            AgentError::SourceTaken { .. } => Code::AlreadyExists,
            AgentError::UnknownProxy(_) | AgentError::UnknownConnection(_) => Code::NotFound,
            AgentError::Unavailable(_) => Code::Unavailable,
            AgentError::Removed(_) | AgentError::Refused { .. } => Code::FailedPrecondition,
            AgentError::Setup(_) => Code::Internal,
        };
        // It goes into a header, and may repeat something that the caller has sent.
        let text: String = error.to_string().chars().take(MAX_TEXT).collect();
        let mut status = Status::new(code, text);
        status.metadata_mut().insert(MESH_ERR, MetadataValue::from(error.mesh_err()));
        if error.is_removal() {
            status.metadata_mut().insert(REMOVED, MetadataValue::from_static("1"));
        }
        status
    }
}

/// The error that a refused registration means to the proxy.
#[must_use]
pub fn refusal(status: &Status) -> AgentError {
    let number =
        status.metadata().get(MESH_ERR).and_then(|value| value.to_str().ok()?.parse().ok());
    let reason = status.message().to_owned();
    if number.is_none() && std::error::Error::source(status).is_some() {
        // It does not come from an agent: the connection broke, whatever the code says.
        return AgentError::Unavailable(reason);
    }
    let removed = status.metadata().contains_key(REMOVED);
    match status.code() {
        // Of a registration: the agent does not know the proxy any more, which will therefore
        // register again.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::NotFound => {
            AgentError::Unavailable(reason)
        }
        // Older agents say nothing but the code.
        Code::InvalidArgument => AgentError::Refused {
            mesh_err: number.unwrap_or(ErrorCode::ConnConfigInval.into()),
            reason,
            removed,
        },
        _ => AgentError::Refused {
            mesh_err: number.unwrap_or(ErrorCode::ConnFailed.into()),
            reason,
            removed,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::GroupMember;

    #[test]
    fn numbers_and_reasons_arrive() {
        let taken = AgentError::SourceTaken {
            group: "g".into(),
            connection: "c".into(),
            proxy: "p".into(),
            host: Some([10, 0, 0, 1].into()),
        };
        assert!(taken.to_string().ends_with("on media proxy p (host 10.0.0.1)"), "{taken}");
        let incompatible = AgentError::Config(media::ConfigError::incompatible("a", 1, 2));
        let member = GroupMember {
            kind: proto::Kind::Receiver,
            connection: "c".into(),
            proxy: "p".into(),
            host: None,
        };
        let unfit = AgentError::Incompatible {
            error: media::ConfigError::incompatible("a", 1, 2),
            member: Box::new(member),
        };
        for error in [taken, incompatible, unfit] {
            let (number, text) = (error.mesh_err(), error.to_string());
            let read = refusal(&Status::from(error));
            assert_eq!((read.mesh_err(), read.to_string()), (number, text));
        }
        let removed = refusal(&Status::from(AgentError::Removed("c".into())));
        assert!(removed.is_removal());
        assert_eq!(removed.to_string(), "connection c was removed by an administrator");
        let away = refusal(&Status::from(AgentError::Unavailable("away".into())));
        assert_eq!(away, AgentError::Unavailable("away".into()));
    }

    #[test]
    fn a_broken_connection_is_no_refusal() {
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let status = Status::from_error(Box::new(broken));
        assert!(matches!(refusal(&status), AgentError::Unavailable(_)), "{status:?}");
    }

    #[test]
    fn older_agents_say_less() {
        assert_eq!(refusal(&Status::invalid_argument("x")).mesh_err(), 1009);
        assert_eq!(refusal(&Status::unknown("x")).mesh_err(), 1008);
    }
}
