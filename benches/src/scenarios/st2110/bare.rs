//! The floors: the same datagrams in bundles of 64 KiB, as a bare program would send them, and in
//! bundles of the stream's bursts.

use super::{Shares, address};
use crate::error::BenchError;
use crate::hosts::Hosts;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};
use st2110_net::socket::{Receiver, ReceiverOptions, Sender, SenderOptions};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Datagrams in 64 KiB.
pub(super) const BUNDLE: usize = 44;

/// The datagrams to move.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traffic {
    /// Datagrams of a frame.
    pub(super) packets: usize,
    /// Bytes of each.
    pub(super) len: usize,
    /// Datagrams in a call.
    pub(super) bundle: usize,
    /// Between frames.
    pub(super) period: Duration,
}

/// Moves frames for a time, all of each at once.
pub(super) fn measure(
    hosts: &Hosts,
    Traffic { packets, len, bundle, period }: Traffic,
    time: Duration,
) -> Result<Shares, BenchError> {
    let receiver = hosts.on(1, || {
        let options = ReceiverOptions {
            buffer: Some(64 << 20),
            times: false,
            ..ReceiverOptions::new(address(hosts), 0)
        };
        Ok(Receiver::open(&options)?)
    })?;
    let to = receiver.local_address()?;
    let mut sender = hosts.on(0, || {
        let options = SenderOptions { buffer: 8 << 20, ..SenderOptions::new(to) };
        Ok(Sender::open(&options)?)
    })?;
    let frames = vec![vec![1_u8; packets * len]; 8];
    let mut memory = vec![vec![1_u8; packets * len]; 8];
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let receiving = scope.spawn(|| {
            let begin = thread_time();
            let start = Instant::now();
            receive(&receiver, &mut memory, &stop);
            share(begin, start)
        });
        let sending = scope.spawn(|| {
            let begin = thread_time();
            let start = Instant::now();
            let mut next = start;
            for frame in frames.iter().cycle() {
                for bundle in frame.chunks(bundle * len) {
                    // Only what both do counts: a full buffer is as good.
                    sender.send(bundle, len).ok();
                }
                next += period;
                thread::sleep(next.saturating_duration_since(Instant::now()));
                if start.elapsed() >= time {
                    break;
                }
            }
            let share = share(begin, start);
            stop.store(true, Ordering::Relaxed);
            share
        });
        let send = sending.join().unwrap_or_default();
        Ok(Shares { send, receive: receiving.join().unwrap_or_default() })
    })
}

/// Reads bundles into frames, one behind the other.
fn receive(receiver: &Receiver, memory: &mut [Vec<u8>], stop: &AtomicBool) {
    let mut at = 0;
    let mut frame = 0;
    while !stop.load(Ordering::Relaxed) {
        let room = &mut memory[frame][at..];
        let take = room.len().min(65_536);
        // SAFETY: the kernel writes at most as many bytes as the slice has, which lives through the
        // call.
        let got = unsafe {
            libc::recv(
                receiver.as_fd().as_raw_fd(),
                room.as_mut_ptr().cast(),
                take,
                libc::MSG_DONTWAIT,
            )
        };
        match usize::try_from(got) {
            Ok(got) => {
                at += got;
                if memory[frame].len() - at < 65_536 {
                    (frame, at) = ((frame + 1) % memory.len(), 0);
                }
            }
            Err(_) => {
                let timeout = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
                poll(&mut [PollFd::new(&receiver.as_fd(), PollFlags::IN)], Some(&timeout)).ok();
            }
        }
    }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Percent of a processor since `begin` and `start`.
fn share(begin: Duration, start: Instant) -> f64 {
    (thread_time() - begin).as_secs_f64() / start.elapsed().as_secs_f64() * 100.0
}
