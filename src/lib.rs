//! `libmcm_dp.so`: the C ABI of the mesh's data plane, a thin layer on the client [`mcm`].

pub mod ffi;
