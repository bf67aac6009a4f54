//! Pending operations.

use crate::arena::Arena;
use crate::copies::Copied;
use crate::domain::{Domain, Region};
use crate::error::FabricError;
use crate::event::MAX_CONTROL;
use std::mem::ManuallyDrop;
use std::ptr::null_mut;
use std::sync::Arc;

/// A pending operation, with everything that must stay until it ends.
#[derive(Debug)]
pub(super) enum Operation<S, R> {
    Send { buffer: S, _region: Option<Arc<Region>>, copied: Option<Copied> },
    Receive { buffer: R, _region: Option<Arc<Region>> },
    SendControl,
    ReceiveControl,
}

/// The endpoint and the operation of a number that is in use.
type Entry<S, R> = Option<(usize, Operation<S, R>)>;

/// Operations by number. A number is free, or lent to a caller who is about to begin, or belongs to
/// an operation.
#[derive(Debug)]
pub(super) struct Operations<S, R> {
    arena: ManuallyDrop<Arena>,
    table: ManuallyDrop<Vec<Entry<S, R>>>,
    free: Vec<usize>,
    /// Of the arena, if the provider wants memory registered.
    region: ManuallyDrop<Option<Region>>,
    abandoned: bool,
}

impl<S, R> Drop for Operations<S, R> {
    fn drop(&mut self) {
        if !self.abandoned {
            // SAFETY: dropped once, here. The endpoints are closed: nothing touches the memory any
            // more.
            unsafe {
                ManuallyDrop::drop(&mut self.region);
                ManuallyDrop::drop(&mut self.table);
                ManuallyDrop::drop(&mut self.arena);
            }
        }
    }
}

impl<S, R> Operations<S, R> {
    /// Room for some operations. With a domain, the arena is registered there.
    pub(super) fn new(count: usize, domain: Option<&Arc<Domain>>) -> Result<Self, FabricError> {
        let arena = Arena::new(count);
        let (start, len) = arena.memory();
        let register = |domain: &Arc<Domain>| {
            // SAFETY: the arena is dropped after the region, and after all operations.
            unsafe { domain.register(start, len, true) }
        };
        let region = domain.map(register).transpose()?;
        Ok(Self {
            arena: ManuallyDrop::new(arena),
            table: ManuallyDrop::new((0..count).map(|_| None).collect()),
            free: (0..count).rev().collect(),
            region: ManuallyDrop::new(region),
            abandoned: false,
        })
    }

    /// Leaks the memory of operations, because libfabric may still use it.
    pub(super) fn abandon(&mut self) {
        log::error!("the memory of {} operations of libfabric is abandoned", self.table.len());
        self.abandoned = true;
    }

    /// A number for an operation, if there is one.
    pub(super) fn free(&mut self) -> Option<usize> {
        self.free.pop()
    }

    /// The number's operation has ended, or was never begun.
    pub(super) fn give_back(&mut self, number: usize) {
        self.free.push(number);
    }

    pub(super) fn context(&self, number: usize) -> *mut libc::c_void {
        self.arena.context(number)
    }

    /// Copies at most [`MAX_CONTROL`] bytes to the number's memory, and returns its address.
    pub(super) fn put_bytes(&mut self, number: usize, bytes: &[u8]) -> *mut u8 {
        let place = self.arena.bytes(number);
        // SAFETY: the place has that many bytes; the number is the caller's, and so nothing is
        // under way in it.
        unsafe { place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len().min(MAX_CONTROL)) };
        place
    }

    /// The bytes of a number whose operation has ended.
    pub(super) fn bytes(&self, number: usize) -> [u8; MAX_CONTROL] {
        // SAFETY: the place has that many bytes, and nothing is under way in it.
        unsafe { self.arena.bytes(number).cast::<[u8; MAX_CONTROL]>().read() }
    }

    /// Descriptor of the arena's memory for operations.
    pub(super) fn descriptor(&self) -> *mut libc::c_void {
        self.region.as_ref().map_or(null_mut(), Region::descriptor)
    }

    pub(super) fn begin(&mut self, number: usize, endpoint: usize, operation: Operation<S, R>) {
        self.table[number] = Some((endpoint, operation));
    }

    /// The operation with this context, which has ended. Its number is the caller's.
    pub(super) fn end(
        &mut self,
        context: *mut libc::c_void,
    ) -> Option<(usize, usize, Operation<S, R>)> {
        let number = self.arena.number(context)?;
        let (endpoint, operation) = self.table[number].take()?;
        Some((number, endpoint, operation))
    }

    /// Sends and receives, without control messages.
    pub(super) fn under_way(&self) -> (usize, usize) {
        let count = |wanted: fn(&Operation<S, R>) -> bool| {
            self.table.iter().flatten().filter(|(_, operation)| wanted(operation)).count()
        };
        (
            count(|operation| matches!(operation, Operation::Send { .. })),
            count(|operation| matches!(operation, Operation::Receive { .. })),
        )
    }
}
