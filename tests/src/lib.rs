//! mcm-tests
