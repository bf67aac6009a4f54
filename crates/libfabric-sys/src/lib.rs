//! Declarations of the part of [libfabric](https://ofiwg.github.io/libfabric/) that reliable
//! datagram endpoints need.
//!
//! The library is loaded at run time ([`Functions::load`]); nothing of it is needed to build. Most
//! of its calls are entries of operation tables that hang on the objects it returns: what its
//! headers offer as inline functions, callers of this crate write as calls through these tables.
//! Types and fields have the names of the C headers, whose manual pages describe them.
//!
//! The declarations hold for every libfabric with the soname `libfabric.so.1` from version 1.17 on:
//! later versions have only appended fields and operations. So structures that libfabric allocates
//! ([`fi_info`] and what belongs to it) must come from [`Functions::dupinfo`] and never be copied
//! by value. `tests/layout.rs` compares all of this with installed headers.

#![allow(non_camel_case_types)]

mod attributes;
mod constants;
mod functions;
mod objects;
mod operations;

pub use attributes::*;
pub use constants::*;
pub use functions::{Functions, LoadError, SONAME};
pub use objects::*;
pub use operations::*;

/// A version as [`Functions::version`] returns it and `fi_getinfo` wants it.
#[must_use]
pub const fn fi_version_of(major: u32, minor: u32) -> u32 {
    major << 16 | minor
}
