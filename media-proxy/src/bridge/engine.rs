//! The trait that each kind of bridge implements.

use super::status::Figures;
use crate::placement::Input;
use mesh::topology::{BridgeId, BridgeSpec};
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// Makes bridges.
pub(crate) trait Engine: Send + Sync + 'static {
    /// Starts a bridge: when this returns, it sits in its group and its sockets are open. May block
    /// for some seconds.
    ///
    /// # Errors
    /// Why it cannot start, for the program that needs it.
    fn start(&self, spec: &BridgeSpec, alarm: Alarm) -> Result<Box<dyn Bridge>, String>;
}

/// A running bridge. Dropping it ends it at once.
pub(crate) trait Bridge: Send {
    /// Identifier of its connection in the exchange.
    fn connection(&self) -> String;

    /// Its counters, readable at any time.
    fn figures(&self) -> Arc<dyn Figures>;

    /// Ends it, when what the group's source has put before has been carried, within two seconds.
    /// May block for so long.
    fn stop(self: Box<Self>);
}

/// By which a running bridge tells that it cannot go on.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    pub(super) events: Sender<Input>,
    pub(super) bridge: BridgeId,
    pub(super) attempt: u64,
}

impl Alarm {
    /// The bridge has broken down. It will be stopped, and started again after a while.
    pub(crate) fn raise(&self, reason: String) {
        self.tell(What::Broken(reason));
    }

    /// The stream that the bridge brought has ended. It will be stopped, and started again for the
    /// next one.
    pub(crate) fn over(&self) {
        self.tell(What::Over);
    }

    pub(super) fn tell(&self, what: What) {
        // At the end of the daemon the receiving thread has gone.
        let event = Event { bridge: self.bridge.clone(), attempt: self.attempt, what };
        let _ = self.events.send(Input::Bridge(event));
    }
}

/// Something that happened to a bridge.
pub(crate) struct Event {
    pub(super) bridge: BridgeId,
    /// Of which attempt to run it this is the news.
    pub(super) attempt: u64,
    pub(super) what: What,
}

pub(super) enum What {
    Started(Result<Box<dyn Bridge>, String>),
    Broken(String),
    Over,
    Stopped,
}
