//! A set of endpoints with one completion queue: the safe interface for sending and receiving.

mod control;
mod operations;
mod sources;

use crate::buffer::{ReceiveBuffer, SendBuffer};
use crate::copies::{Copied, Copies};
use crate::domain::Domain;
use crate::endpoint::{AddressVector, Endpoint};
use crate::error::FabricError;
use crate::event::{ControlMessage, Event, MAX_CONTROL};
use crate::info::Info;
use crate::progress;
use crate::provider::{Address, Provider};
use crate::queue::{Completion, Queue};
use crate::regions::Regions;
use crate::traffic::{self, Pair, Traffic};
use control::{CONTROL_RECEIVES, CONTROL_SENDS};
use libc::iovec;
use libfabric_sys::{FI_ADDR_UNSPEC, FI_EAGAIN};
use operations::{Operation, Operations};
use std::net::SocketAddrV4;
use std::ptr::null_mut;

/// Most endpoints of a set.
pub const MAX_ENDPOINTS: usize = 8;
/// Most bytes that can be sent after a buffer, in the same message.
pub const MAX_TRAILER: usize = 64;

const _: () = assert!(MAX_TRAILER <= MAX_CONTROL);

/// Whether buffers are registered with the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// If the provider demands it.
    #[default]
    AsNeeded,
    /// Always; some providers save themselves a look-up with that.
    Always,
}

/// Options of a set.
#[derive(Clone, Debug)]
pub struct EndpointOptions {
    /// The kind of network.
    pub provider: Provider,
    /// Address of the first endpoint; the others have the next ports. Port 0: any free ports.
    pub local: Address,
    /// Number of endpoints, 1 to [`MAX_ENDPOINTS`].
    pub endpoints: usize,
    /// Messages that may be under way from each endpoint, 1 to 256.
    pub sends: usize,
    /// Buffers that may wait for messages at each endpoint, 0 to 256.
    pub receives: usize,
    /// Whether control messages are exchanged too. They do not take part in the order of other
    /// messages.
    pub control: bool,
    /// Whether buffers are registered.
    pub registration: Registration,
}

/// A peer's number in the set that inserted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer(u64);

/// Endpoints, and the operations under way in them. Sends come from buffers of type `S`, receives
/// go to those of type `R`.
///
/// Dropping the set closes its endpoints first and then drops the buffers, so that the network
/// touches none that is not the set's. Should libfabric refuse to close an endpoint, the buffers
/// are never dropped.
#[derive(Debug)]
pub struct EndpointSet<S: SendBuffer, R: ReceiveBuffer> {
    endpoints: Vec<Endpoint>,
    operations: Operations<S, R>,
    addresses: AddressVector,
    queue: Queue,
    /// If the provider wants memory registered.
    regions: Option<Regions>,
    /// If buffers cannot be registered where they are.
    copies: Option<Copies>,
    options: EndpointOptions,
    max_message: usize,
    /// An event found outside of a poll, for the next poll.
    next: Option<Event<S, R>>,
    names: Vec<Address>,
    /// Control messages under way from each endpoint.
    control_sends: Vec<usize>,
    functions: &'static libfabric_sys::Functions,
}

impl<S: SendBuffer, R: ReceiveBuffer> Drop for EndpointSet<S, R> {
    fn drop(&mut self) {
        let closed: Vec<bool> =
            self.endpoints.iter_mut().map(|endpoint| endpoint.close().is_ok()).collect();
        if closed.contains(&false) {
            self.operations.abandon();
        }
    }
}

impl<S: SendBuffer, R: ReceiveBuffer> EndpointSet<S, R> {
    /// Opens the endpoints.
    pub fn open(options: EndpointOptions) -> Result<Self, FabricError> {
        let in_range = |name, value, range: std::ops::RangeInclusive<usize>, accepted| {
            if range.contains(&value) {
                return Ok(());
            }
            Err(FabricError::Parameter { name, value, accepted })
        };
        in_range("number of endpoints", options.endpoints, 1..=MAX_ENDPOINTS, "1 to 8")?;
        in_range("number of sends", options.sends, 1..=256, "1 to 256")?;
        in_range("number of receives", options.receives, 0..=256, "0 to 256")?;
        let info = Info::at(options.provider, &options.local)?;
        let (sends, receives) = info.max_operations();
        let control = if options.control { (CONTROL_SENDS, CONTROL_RECEIVES) } else { (0, 0) };
        if options.sends + control.0 > sends || options.receives + control.1 > receives {
            return Err(FabricError::Parameter {
                name: "number of operations",
                value: options.sends.max(options.receives),
                accepted: "less: the provider has smaller queues",
            });
        }
        if info.max_pieces() < 2 {
            return Err(FabricError::Parameter {
                name: "number of pieces that the provider sends a message from",
                value: info.max_pieces(),
                accepted: "2 and more",
            });
        }
        let domain = Domain::open(&info)?;
        let each = options.sends + options.receives + control.0 + control.1;
        let cells = each * options.endpoints;
        let queue = Queue::open(&domain, cells, !info.hides_readiness())?;
        let addresses = AddressVector::open(&domain)?;
        let register = options.registration == Registration::Always || info.wants_registration();
        let operations = Operations::new(cells, register.then_some(&domain))?;
        let mut set = Self {
            endpoints: Vec::new(),
            operations,
            addresses,
            queue,
            regions: register.then(|| Regions::new(domain.clone())),
            copies: None,
            max_message: info.max_message(),
            next: None,
            names: Vec::new(),
            control_sends: vec![0; options.endpoints],
            functions: domain.functions(),
            options,
        };
        for index in 0..set.options.endpoints {
            let local = set.options.local.offset(index)?;
            // An endpoint is opened where its description says.
            let its = if index == 0 { None } else { Some(Info::at(set.options.provider, &local)?) };
            let info = its.as_ref().unwrap_or(&info);
            let (queue, addresses) = (&set.queue, &set.addresses);
            let provider = set.options.provider;
            let endpoint = Endpoint::open(&domain, info, queue, addresses, provider, &local)?;
            set.names.push(match local {
                Address::Inet(_) => endpoint.name()?,
                Address::Shm(..) => local,
            });
            set.endpoints.push(endpoint);
            for _ in 0..control.1 {
                set.receive_control(index)?;
            }
        }
        if info.hides_readiness()
            && let Some(Address::Inet(name)) = set.names.first()
        {
            set.queue.wait_at(progress::descriptor(*name));
        }
        Ok(set)
    }

    /// Address of an endpoint.
    #[must_use]
    pub fn name(&self, endpoint: usize) -> Option<&Address> {
        self.names.get(endpoint)
    }

    /// Number of endpoints.
    #[must_use]
    pub fn endpoints(&self) -> usize {
        self.endpoints.len()
    }

    /// Makes a peer known, without a word to it.
    pub fn insert(&mut self, address: &Address) -> Result<Peer, FabricError> {
        address.check(self.options.provider)?;
        self.addresses.insert(address).map(Peer)
    }

    /// Forgets a peer, whose number may be given to another.
    pub fn remove(&mut self, peer: Peer) -> Result<(), FabricError> {
        self.addresses.remove(peer.0)
    }

    /// The kernel's counters between each endpoint and its peer at these addresses; `None` if the
    /// provider does not use the kernel's connections. Too expensive for every message.
    #[must_use]
    pub fn traffic(&self, peers: &[SocketAddrV4]) -> Option<Vec<Traffic>> {
        if self.options.provider != Provider::Tcp {
            return None;
        }
        let pairs = self.names.iter().zip(peers).filter_map(|(name, remote)| match name {
            Address::Inet(local) => Some(Pair { local: *local, remote: *remote }),
            Address::Shm(..) => None,
        });
        Some(traffic::look(&pairs.collect::<Vec<_>>()))
    }

    /// Messages that are under way to peers, and buffers that wait for messages.
    #[must_use]
    pub fn under_way(&self) -> (usize, usize) {
        self.operations.under_way()
    }

    /// Begins to send the first `len` bytes of a buffer and after them the trailer, as one message.
    /// The buffer comes back with [`Event::Sent`] or [`Event::SendFailed`], or at once: with no
    /// error if there is no room now or the connection is being made (try again after the next
    /// events), else with the reason.
    pub fn send(
        &mut self,
        endpoint: usize,
        peer: Peer,
        buffer: S,
        len: usize,
        trailer: &[u8],
    ) -> Result<(), (S, Option<FabricError>)> {
        if let Err(error) = self.check_send(endpoint, buffer.len(), len, trailer.len()) {
            return Err((buffer, Some(error)));
        }
        let Some(number) = self.operations.free() else { return Err((buffer, None)) };
        let (region, copied) = match self.register_to_send(&buffer, len) {
            Ok(registered) => registered,
            Err(error) => {
                self.operations.give_back(number);
                return Err((buffer, Some(error)));
            }
        };
        let start = copied.as_ref().map_or(buffer.start(), Copied::start);
        let bytes = self.operations.put_bytes(number, trailer);
        let pieces = [
            iovec { iov_base: start.cast_mut().cast(), iov_len: len },
            iovec { iov_base: bytes.cast(), iov_len: trailer.len() },
        ];
        let registered = match &copied {
            Some(copied) => copied.descriptor(),
            None => region.as_ref().map_or(null_mut(), |region| region.descriptor()),
        };
        let mut descriptors = [registered, self.operations.descriptor()];
        let count = if trailer.is_empty() { 1 } else { 2 };
        let ep = self.endpoints[endpoint].as_ptr();
        // SAFETY: the endpoint is open. Buffer, trailer and context stay where they are until the
        // operation has completed or the endpoint is closed: they belong to the set from here on,
        // unless the call fails.
        let code = unsafe {
            ((*(*ep).msg).sendv)(
                ep,
                pieces.as_ptr(),
                descriptors.as_mut_ptr(),
                count,
                peer.0,
                self.operations.context(number),
            )
        };
        match self.error("fi_sendv", code) {
            Ok(()) => {
                self.operations.begin(
                    number,
                    endpoint,
                    Operation::Send { buffer, _region: region, copied },
                );
                Ok(())
            }
            Err(error) => {
                self.operations.give_back(number);
                self.keep_copy(copied);
                Err((buffer, error))
            }
        }
    }

    fn check_send(
        &self,
        endpoint: usize,
        room: usize,
        len: usize,
        trailer: usize,
    ) -> Result<(), FabricError> {
        self.check_endpoint(endpoint)?;
        let max = room.min(self.max_message.saturating_sub(trailer));
        if len > max {
            return Err(FabricError::Length { len, max });
        }
        if trailer > MAX_TRAILER {
            return Err(FabricError::Length { len: trailer, max: MAX_TRAILER });
        }
        Ok(())
    }

    fn check_endpoint(&self, endpoint: usize) -> Result<(), FabricError> {
        if endpoint < self.endpoints.len() {
            return Ok(());
        }
        let accepted = "less than the number of endpoints";
        Err(FabricError::Parameter { name: "endpoint", value: endpoint, accepted })
    }

    /// Gives an endpoint a buffer for a message of any peer. It comes back with [`Event::Received`]
    /// or [`Event::ReceiveFailed`], or at once: with no error if there is no room now, else with
    /// the reason.
    pub fn receive(&mut self, endpoint: usize, buffer: R) -> Result<(), (R, Option<FabricError>)> {
        if let Err(error) = self.check_endpoint(endpoint) {
            return Err((buffer, Some(error)));
        }
        let Some(number) = self.operations.free() else { return Err((buffer, None)) };
        let mut region = None;
        if let Some(regions) = &mut self.regions {
            // SAFETY: as the trait demands, the memory stays until the buffer is dropped, which is
            // after the operation.
            let known =
                unsafe { regions.region(buffer.memory(), buffer.start(), buffer.len(), true) };
            match known {
                Ok(known) => region = Some(known),
                Err(error) => {
                    self.operations.give_back(number);
                    return Err((buffer, Some(error)));
                }
            }
        }
        let ep = self.endpoints[endpoint].as_ptr();
        // SAFETY: as for `send`.
        let code = unsafe {
            ((*(*ep).msg).recv)(
                ep,
                buffer.start().cast(),
                buffer.len(),
                region.as_ref().map_or(null_mut(), |region| region.descriptor()),
                FI_ADDR_UNSPEC,
                self.operations.context(number),
            )
        };
        match self.error("fi_recv", code) {
            Ok(()) => {
                self.operations.begin(
                    number,
                    endpoint,
                    Operation::Receive { buffer, _region: region },
                );
                Ok(())
            }
            Err(error) => {
                self.operations.give_back(number);
                Err((buffer, error))
            }
        }
    }

    /// Interprets a call's result: the inner error is none for "not now".
    fn error(&self, call: &'static str, code: isize) -> Result<(), Option<FabricError>> {
        match i32::try_from(code).unwrap_or(-libc::EIO) {
            0 => Ok(()),
            code if -code == FI_EAGAIN => Err(None),
            code => Err(Some(crate::info::call_error(self.functions, call, code, ""))),
        }
    }

    /// The next event, if there is one. Never blocks. Connections and transfers make progress in
    /// this call only.
    pub fn poll(&mut self) -> Result<Option<Event<S, R>>, FabricError> {
        if let Some(event) = self.next.take() {
            return Ok(Some(event));
        }
        loop {
            let Some(completion) = self.queue.read()? else { return Ok(None) };
            if let Some(event) = self.completed(completion)? {
                return Ok(Some(event));
            }
        }
    }

    fn completed(&mut self, completion: Completion) -> Result<Option<Event<S, R>>, FabricError> {
        let Completion { context, result } = completion;
        // A completion of nothing that was begun: providers report broken connections that way.
        let Some((number, endpoint, operation)) = self.operations.end(context) else {
            return Ok(None);
        };
        let event = match (operation, result) {
            (Operation::Send { buffer, copied, .. }, result) => {
                self.keep_copy(copied);
                Some(match result {
                    Ok(_) => Event::Sent { endpoint, buffer },
                    Err(error) => Event::SendFailed { endpoint, buffer, error },
                })
            }
            (Operation::Receive { buffer, .. }, Ok(len)) => {
                let len = len.min(buffer.len());
                Some(Event::Received { endpoint, buffer, len })
            }
            (Operation::Receive { buffer, .. }, Err(error)) => {
                Some(Event::ReceiveFailed { endpoint, buffer, error })
            }
            (Operation::SendControl, result) => {
                self.control_sends[endpoint] -= 1;
                result.err().map(|error| Event::ControlFailed { endpoint, error })
            }
            (Operation::ReceiveControl, result) => {
                let event = match result {
                    Ok(len) => Event::Control {
                        endpoint,
                        message: ControlMessage::new(self.operations.bytes(number), len),
                    },
                    Err(error) => Event::ControlFailed { endpoint, error },
                };
                self.operations.give_back(number);
                self.receive_control(endpoint)?;
                return Ok(Some(event));
            }
        };
        self.operations.give_back(number);
        Ok(event)
    }

    /// A descriptor that is readable when [`poll`](Self::poll) has something to do, for providers
    /// that have one. It must not be waited for unless [`may_wait`](Self::may_wait) has just said
    /// so.
    pub fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.queue.fd()
    }

    /// Whether to wait on the descriptor; otherwise poll again first. Always false without a
    /// descriptor.
    pub fn may_wait(&mut self) -> Result<bool, FabricError> {
        if self.queue.fd().is_none() {
            return Ok(false);
        }
        // Operations begun since the last poll may have ended at once, which no descriptor reports.
        self.next = self.poll()?;
        Ok(self.next.is_none() && self.queue.prepare_wait()?)
    }

    /// Whether the descriptor is readable without cause; call it right after
    /// [`may_wait`](Self::may_wait). If so, poll after a time instead: some hundred microseconds at
    /// most.
    pub fn is_stale(&mut self) -> bool {
        self.queue.is_stale()
    }
}
