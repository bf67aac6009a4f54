//! A program's session with the proxy.
use super::Connection;
use crate::error::Error;
use std::sync::Arc;

/// Which way frames go, seen from the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The program is the group's source.
    Send,
    /// The program is a receiver.
    Receive,
}

/// A client: the holder of connections.
#[derive(Debug)]
pub struct Client {}

impl Client {
    /// A client from its JSON configuration. No proxy need be there yet.
    pub fn new(_config: &str) -> Result<Arc<Self>, Error> {
        Err(Error::NotImplemented("client".into()))
    }
    /// A connection from its JSON configuration; fails as a whole or succeeds as a whole.
    pub fn connect(
        self: &Arc<Self>,
        _direction: Direction,
        _config: &str,
    ) -> Result<Arc<Connection>, Error> {
        Err(Error::NotImplemented("client".into()))
    }
    /// How many connections have been created and not closed.
    pub fn connections(&self) -> usize {
        0
    }
    /// Ends the session. Refused while connections exist.
    pub fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}
