//! Agents of the original: which release they are of.
//!
//! The protocol has no version. Releases 25.03 and 25.09 differ in the numbers of a connection's configuration, and so in what they say
//! of one that neither accepts: a blob, which 25.03 does not find under its number, over RDMA, for which neither has a group.

use super::session::Agent;
use prost::Message;
use proto::generation::OTHER_NUMBERS;
use proto::mediaproxy::RegisterConnectionRequest;
use proto::sdk;
use std::time::Duration;

/// What an agent of 25.03 says of the question. One of 25.09 finds nothing wrong with the payload.
const ANSWER_OF_25_03: &str = "unknown sdk conn cfg payload type";

/// How long a proxy leaves an agent alone whose protocol it does not speak.
pub(super) const REFUSED_PAUSE: Duration = Duration::from_secs(10);

fn question() -> RegisterConnectionRequest {
    let part = Some(sdk::BufferPartition::default());
    let config = sdk::ConnectionConfig {
        buf_parts: Some(sdk::BufferPartitions { payload: part, metadata: part, sysdata: part }),
        conn: Some(sdk::connection_config::Conn::Rdma(sdk::ConfigRdma::default())),
        payload: Some(sdk::connection_config::Payload::Blob(sdk::ConfigBlob {})),
        ..Default::default()
    };
    RegisterConnectionRequest {
        proxy_id: String::new(),
        kind: "rx".into(),
        config: config.encode_to_vec(),
        conn_id: String::new(),
    }
}

/// Whether an agent of others speaks the numbers of this project.
///
/// # Errors
/// Why not. An agent that answers in words of its own is believed to.
pub(super) async fn check_release(agent: &mut Agent, patience: Duration) -> Result<(), String> {
    match tokio::time::timeout(patience, agent.register_connection(question())).await {
        Ok(Err(status)) if status.message().contains(ANSWER_OF_25_03) => {
            Err(format!("it speaks {OTHER_NUMBERS}"))
        }
        Ok(_) => Ok(()),
        Err(_) => Err(super::pulse::SILENT.to_owned()),
    }
}
