//! All kinds of bridges that this proxy can have.

use super::engine::{Alarm, Bridge, Engine};
use super::members::Members;
use crate::args::Args;
use mesh_agent::topology::{BridgeLink, BridgeSpec};
use std::sync::Arc;

/// Starts each bridge with the engine of its kind.
pub(crate) struct Engines {
    members: Arc<Members>,
}

impl Engines {
    pub(crate) fn new(_args: &Args, members: Arc<Members>) -> Self {
        Self { members }
    }
}

impl Engine for Engines {
    fn start(&self, spec: &BridgeSpec, _alarm: Alarm) -> Result<Box<dyn Bridge>, String> {
        let _ = &self.members;
        match spec.link {
            BridgeLink::St2110 => Err("no".into()),
            BridgeLink::Rdma(_) => Err("this proxy has no bridges over libfabric".into()),
        }
    }
}
