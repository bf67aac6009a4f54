//! Zero-copy exchange of frames between processes on one host.
