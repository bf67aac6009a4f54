//! Declarations of libfabric, which is loaded at run time.
