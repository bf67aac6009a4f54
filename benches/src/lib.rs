//! mcm-benches
