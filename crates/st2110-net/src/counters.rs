//! Counters that one thread writes and any thread reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count with one writer. Reading costs the writer nothing, and writing is an ordinary load and
/// store.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The present value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// For the one writer: a concurrent second one could lose counts, and nothing else.
    pub(crate) fn add(&self, count: u64) {
        self.0.store(self.get().wrapping_add(count), Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn raise(&self, value: u64) {
        if value > self.get() {
            self.set(value);
        }
    }
}

/// Declares counters and the plain values that a look at them gives.
macro_rules! counters {
    ($(#[$doc:meta])* $counters:ident, $(#[$plain_doc:meta])* $plain:ident { $($(#[$field_doc:meta])* $field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $counters {
            $($(#[$field_doc])* pub $field: $crate::counters::Counter,)*
        }

        $(#[$plain_doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $plain {
            $($(#[$field_doc])* pub $field: u64,)*
        }

        impl $counters {
            /// The present values. Each is right; together they may be of slightly different
            /// moments.
            pub fn get(&self) -> $plain {
                $plain { $($field: self.$field.get(),)* }
            }
        }
    };
}

pub(crate) use counters;
