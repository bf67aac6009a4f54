//! RTP packets: their header (RFC 3550 §5.1), and runs of packets that follow each other.

mod datagrams;
mod header;
mod run;

pub use datagrams::Datagrams;
pub use header::{Header, RtpError};
pub use run::Run;
