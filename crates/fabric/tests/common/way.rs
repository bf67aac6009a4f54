//! A long way between two hosts: packets take their time, and some get lost. In user space, as not
//! every kernel has netem.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes that are on the way in one direction at most: what comes then is lost, as in a router.
const ROOM: usize = 64 << 20;
/// Bytes of a packet at most.
const PACKET: usize = 65_536;
/// How soon the end is noticed.
const LOOK: Duration = Duration::from_millis(50);

/// What happens on the way, in each direction.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// Half of the round trip.
    pub delay: Duration,
    /// Packets lost of a million.
    pub lost: u32,
}

impl Weather {
    /// The same for netem (tc-netem(8)).
    pub fn netem(&self) -> [String; 6] {
        let Self { delay, lost } = self;
        let percent = f64::from(*lost) / 1e4;
        [
            "delay".into(),
            format!("{}us", delay.as_micros()),
            "loss".into(),
            format!("{percent}%"),
            // Packets on the way: a thousand would be too few.
            "limit".into(),
            "100000".into(),
        ]
    }
}

/// The way; it ends when this is dropped.
pub struct Way {
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Way {
    /// A device in a host's namespace, whose packets come to the descriptor.
    pub fn device(host: File, name: &str) -> OwnedFd {
        let name = name.to_owned();
        let open = move || {
            let network = Some(rustix::thread::LinkNameSpaceType::Network);
            rustix::thread::move_into_link_name_space(host.as_fd(), network).expect("a namespace");
            tun(&name)
        };
        std::thread::spawn(open).join().expect("a device")
    }

    /// Carries packets between two devices.
    pub fn between(ends: [OwnedFd; 2], weather: Weather) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let ends = ends.map(Arc::new);
        let threads = [(0, 1), (1, 0)].map(|(from, to)| {
            let (from, to) = (Arc::clone(&ends[from]), Arc::clone(&ends[to]));
            let ended = Arc::clone(&ended);
            std::thread::spawn(move || {
                let mut lane = Lane::new(weather);
                while !ended.load(Relaxed) {
                    lane.turn(&from, &to);
                }
            })
        });
        Self { ended, threads: threads.into() }
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// One direction.
struct Lane {
    weather: Weather,
    packets: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// Of the losses, the same in each run.
    chance: u64,
    packet: Vec<u8>,
}

impl Lane {
    fn new(weather: Weather) -> Self {
        let (packets, packet) = (VecDeque::new(), vec![0; PACKET]);
        Self { weather, packets, bytes: 0, chance: 0x9e37_79b9_7f4a_7c15, packet }
    }

    fn turn(&mut self, from: &OwnedFd, to: &OwnedFd) {
        let now = Instant::now();
        while let Some((due, packet)) = self.packets.front()
            && *due <= now
        {
            self.bytes -= packet.len();
            // A device that is down loses it.
            let _ = rustix::io::write(to, packet);
            self.packets.pop_front();
        }
        let next = self.packets.front().map_or(LOOK, |(due, _)| *due - now);
        let time = Timespec { tv_sec: 0, tv_nsec: i64::from(next.min(LOOK).subsec_nanos()) };
        let _ = poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&time));
        let now = Instant::now();
        while let Ok(len) = rustix::io::read(from, &mut self.packet) {
            if self.bytes + len <= ROOM && !self.loses() {
                self.bytes += len;
                self.packets.push_back((now + self.weather.delay, self.packet[..len].to_vec()));
            }
        }
    }

    fn loses(&mut self) -> bool {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance % 1_000_000 < u64::from(self.weather.lost)
    }
}

/// Opens a device for IP packets without any header (tun(4)).
fn tun(name: &str) -> OwnedFd {
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        flags: i16,
        rest: [u8; 22],
    }
    const TUNSETIFF: libc::c_ulong = 0x4004_54ca;
    let flags =
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    let device =
        rustix::fs::open("/dev/net/tun", flags, rustix::fs::Mode::empty()).expect("/dev/net/tun");
    let flags = (libc::IFF_TUN | libc::IFF_NO_PI) as i16;
    let mut request = Request { name: [0; 16], flags, rest: [0; 22] };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: the descriptor is open, and the request has the form of an ifreq.
    let code = unsafe { libc::ioctl(device.as_raw_fd(), TUNSETIFF, &raw mut request) };
    assert_eq!(code, 0, "{}", std::io::Error::last_os_error());
    device
}
