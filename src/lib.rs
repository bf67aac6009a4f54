//! `libmcm_dp.so`: the C ABI of the mesh's data plane, and the client behind it.

pub mod client;
pub mod error;
pub mod ffi;
