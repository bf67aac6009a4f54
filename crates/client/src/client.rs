//! Clients: a program's sessions with the media proxy.

use crate::connection::Connection;
use crate::control;
use crate::into_config::{self, IntoConfig};
use crate::peer::{Peer, ReceiverPeer, SourcePeer};
use crate::random;
use crate::session::Session;
use crate::{ClientBuilder, ClientError, GroupError, OpenError, Receiver, Source, Timeout};
use config::{ClientConfig, ConnectionConfig, Delivery, EndOfStream};
use parking_lot::Mutex;
use proto::Kind;
use shm::{AtEnd, SourceOptions};
use std::sync::Arc;
use std::thread::JoinHandle;

/// A program's session with the media proxy of its host, from which it opens sources and receivers.
///
/// Clones share one session. It lasts as long as one of them, or a source or receiver, exists. When
/// the proxy restarts, frames flow on, and the client connects to it again.
#[derive(Clone, Debug)]
pub struct Client(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    session: Arc<Session>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Client {
    /// Connects to the media proxy that the environment names, or that runs at one of the usual
    /// places: as [`Client::builder`] with every default.
    ///
    /// # Errors
    /// No proxy can be reached.
    pub fn connect() -> Result<Self, ClientError> {
        Self::builder().connect()
    }

    /// A client with other settings.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn create(config: ClientConfig, name: Option<String>) -> Result<Self, ClientError> {
        let session = Session::new(config, name)?;
        Ok(Self(Arc::new(Shared { session: Arc::new(session), thread: Mutex::new(None) })))
    }

    #[cfg(test)]
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.0.session
    }

    /// Waits until the proxy has answered.
    pub(crate) fn reach(&self) -> Result<(), ClientError> {
        self.start().map_err(ClientError::System)?;
        self.0.session.reach().map_err(ClientError::Unreachable)
    }

    /// Opens a source of frames, from JSON text or a [`ConnectionConfig`]. Receivers may come
    /// before or after it.
    ///
    /// # Errors
    /// See [`OpenError`]. Nothing is left behind.
    pub fn source(&self, config: impl IntoConfig) -> Result<Source, OpenError> {
        self.open_source(&into_config::read(config, Kind::Source)?, 0, false)
    }

    /// Opens a receiver of frames, from JSON text or a [`ConnectionConfig`]. The source may come
    /// before or after it.
    ///
    /// # Errors
    /// See [`OpenError`]. Nothing is left behind.
    pub fn receiver(&self, config: impl IntoConfig) -> Result<Receiver, OpenError> {
        self.open_receiver(&into_config::read(config, Kind::Receiver)?, false)
    }

    /// What a group carries: a configuration with which a receiver joins it. It is that of the
    /// group's source, or of a receiver if there is no source yet. Waits until the group exists.
    ///
    /// `group` is the name of a multipoint group, or `ADDRESS:PORT` of an ST 2110 stream on this
    /// host.
    ///
    /// # Errors
    /// See [`GroupError`].
    pub fn group_config(
        &self,
        group: &str,
        timeout: impl Into<Timeout>,
    ) -> Result<ConnectionConfig, GroupError> {
        self.0.session.check_group(group)?;
        self.start().map_err(GroupError::Failed)?;
        self.0.session.group_config(group, timeout.into())
    }

    /// How many sources and receivers of this client exist. In a forked child none do.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.session.open_connections()
    }

    /// `regions` is how many missing regions the source can describe in each frame.
    pub(crate) fn open_source(
        &self,
        config: &ConnectionConfig,
        regions: usize,
        relay: bool,
    ) -> Result<Source, OpenError> {
        let place = self.reserve()?;
        let options = SourceOptions {
            payload_size: config.payload_size() as usize,
            metadata_size: config.metadata_size() as usize,
            capacity: usize::from(config.queue_capacity),
            live: config.options.delivery == Some(Delivery::Live),
            stall_time: config.stall_time(),
            wait_for_receivers: config.options.wait_for_receivers as usize,
            at_end: at_end(config).unwrap_or_default(),
            regions,
            relay,
        };
        let ring = shm::Source::new(options, random::bytes().map_err(OpenError::System)?)
            .map_err(|error| OpenError::Failed(format!("memory for the ring: {error}")))?;
        let peer = Peer::Source(SourcePeer::new(ring.clone()));
        let entry = self.0.session.introduce(peer, config, Kind::Source)?;
        Ok(Source::new(ring, Connection::new(place, entry, config)))
    }

    /// `tells_ends`: each source's goodbye is told.
    pub(crate) fn open_receiver(
        &self,
        config: &ConnectionConfig,
        tells_ends: bool,
    ) -> Result<Receiver, OpenError> {
        let place = self.reserve()?;
        let ring = shm::Receiver::new(at_end(config)).with_tai_clock(|| media::Tai::now().into());
        let ring = Arc::new(if tells_ends { ring.telling_ends() } else { ring });
        let partitions = (config.payload_size() as usize, config.metadata_size() as usize);
        let peer = Peer::Receiver(ReceiverPeer::new(Arc::clone(&ring), partitions));
        let entry = self.0.session.introduce(peer, config, Kind::Receiver)?;
        Ok(Receiver::new(ring, Connection::new(place, entry, config)))
    }

    fn reserve(&self) -> Result<Place, OpenError> {
        self.0.session.reserve()?;
        let place = Place(Arc::clone(&self.0));
        self.start().map_err(OpenError::Failed)?;
        Ok(place)
    }

    /// Starts the session's thread, if it does not run yet.
    fn start(&self) -> Result<(), String> {
        let mut thread = self.0.thread.lock();
        if thread.is_none() {
            let session = Arc::clone(&self.0.session);
            let started = shm::quiet_thread("mcm-control", move || control::run(&session));
            *thread = Some(started.map_err(|error| format!("no thread for the client: {error}"))?);
        }
        Ok(())
    }
}

fn at_end(config: &ConnectionConfig) -> Option<AtEnd> {
    config.options.end_of_stream.map(|end| match end {
        EndOfStream::Wait => AtEnd::Wait,
        EndOfStream::Close => AtEnd::Close,
    })
}

impl Drop for Shared {
    fn drop(&mut self) {
        let thread = self.thread.get_mut().take();
        if !self.session.is_here() {
            // A forked child has no such thread to wait for.
            std::mem::forget(thread);
            return;
        }
        self.session.stop();
        if let Some(thread) = thread {
            // A panic of the thread has been reported by the panic hook already.
            let _ = thread.join();
        }
    }
}

/// A place among the connections that a client may have. It keeps the session and its thread.
#[derive(Debug)]
pub(crate) struct Place(Arc<Shared>);

impl Place {
    pub(crate) fn session(&self) -> &Session {
        &self.0.session
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.session.release();
    }
}
