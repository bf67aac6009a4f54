//! Detection of the release of the original's agent.
//!
//! The protocol has no version. Releases 25.03 and 25.09 number the fields of a connection's
//! configuration differently. So the proxy probes with a blob over RDMA, which joins no group in
//! either release: only 25.03 answers that it finds no payload.

use super::session::Agent;
use config::OTHER_NUMBERS;
use prost::Message;
use proto::mediaproxy::RegisterConnectionRequest;
use proto::sdk;
use std::time::Duration;

/// Answer of a 25.03 agent to the probe. A 25.09 agent accepts the payload.
const ANSWER_OF_25_03: &str = "unknown sdk conn cfg payload type";

/// Pause before an agent with another protocol is tried again.
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

/// Checks that an agent of the original uses the field numbers of this project.
///
/// # Errors
/// The reason. An agent that gives another answer passes.
pub(super) async fn check_release(agent: &mut Agent, patience: Duration) -> Result<(), String> {
    match tokio::time::timeout(patience, agent.register_connection(question())).await {
        Ok(Err(status)) if status.message().contains(ANSWER_OF_25_03) => {
            Err(format!("it speaks {OTHER_NUMBERS}"))
        }
        Ok(_) => Ok(()),
        Err(_) => Err(super::pulse::SILENT.to_owned()),
    }
}
