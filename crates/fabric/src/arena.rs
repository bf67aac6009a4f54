//! Memory of pending operations: the provider's context, and inline bytes of messages without a
//! buffer.

use crate::event::MAX_CONTROL;
use libfabric_sys::fi_context2;
use std::cell::UnsafeCell;
use std::ptr::null_mut;

/// Of one operation.
#[repr(C)]
struct Cell {
    context: fi_context2,
    bytes: [u8; MAX_CONTROL],
}

/// Cells with numbers. They never move, so that addresses in them can be lent out.
pub(crate) struct Arena {
    cells: Box<[UnsafeCell<Cell>]>,
}

// SAFETY: the pointers in a cell are the provider's, which takes calls from any thread.
unsafe impl Send for Arena {}

impl Arena {
    pub(crate) fn new(cells: usize) -> Self {
        let cell = || {
            UnsafeCell::new(Cell {
                context: fi_context2 { internal: [null_mut(); 8] },
                bytes: [0; MAX_CONTROL],
            })
        };
        Self { cells: (0..cells).map(|_| cell()).collect() }
    }

    /// All of the memory, to register it.
    pub(crate) fn memory(&self) -> (*const u8, usize) {
        (self.cells.as_ptr().cast(), std::mem::size_of_val(&*self.cells))
    }

    /// The context of an operation.
    pub(crate) fn context(&self, number: usize) -> *mut libc::c_void {
        // The context is the first field.
        self.cells[number].get().cast()
    }

    /// First of an operation's [`MAX_CONTROL`] bytes.
    pub(crate) fn bytes(&self, number: usize) -> *mut u8 {
        let cell = self.cells[number].get();
        // SAFETY: within the cell; no reference is made.
        unsafe { (&raw mut (*cell).bytes).cast() }
    }

    /// The number of the operation with this context, if it is one of the arena's.
    pub(crate) fn number(&self, context: *mut libc::c_void) -> Option<usize> {
        let offset = (context as usize).checked_sub(self.cells.as_ptr() as usize)?;
        let number = offset / size_of::<UnsafeCell<Cell>>();
        (offset.is_multiple_of(size_of::<UnsafeCell<Cell>>()) && number < self.cells.len())
            .then_some(number)
    }
}

impl std::fmt::Debug for Arena {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arena").field("cells", &self.cells.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_told_from_other_addresses() {
        let arena = Arena::new(3);
        for number in 0..3 {
            assert_eq!(arena.number(arena.context(number)), Some(number));
        }
        assert_eq!(arena.number(arena.bytes(1).cast()), None);
        assert_eq!(arena.number(null_mut()), None);
        let (start, len) = arena.memory();
        assert_eq!(arena.number(start.wrapping_add(len).cast_mut().cast()), None);
    }
}
