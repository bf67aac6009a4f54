//! Ports of this machine that are free.

use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Ports in a block.
const BLOCK: u16 = 10;
/// The blocks are below the ports that the system gives to clients.
const FIRST: u16 = 10_000;
const BLOCKS: u16 = 2_000;

/// The first of ten ports in a row that are free for TCP and UDP. It is even. Each call in a
/// process returns another one, and processes begin at different ones.
///
/// # Panics
/// If there are none.
#[must_use]
pub fn free_block() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % u32::from(BLOCKS)) as u16 * 7;
    for _ in 0..BLOCKS {
        let block = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % BLOCKS;
        let first = FIRST + block * BLOCK;
        let free = |port: u16| {
            TcpListener::bind(("0.0.0.0", port)).is_ok()
                && UdpSocket::bind(("0.0.0.0", port)).is_ok()
        };
        if (first..first + BLOCK).all(free) {
            return first;
        }
    }
    panic!("no block of {BLOCK} free ports")
}
