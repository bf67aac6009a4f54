//! Output of other programs, as it arrives.

use crate::noise::{self, Noise};
use mcm_tests::drops::loss;
use mcm_tests::process::Process;
use mcm_tests::wait;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A file that a program writes to, and whose bytes are read at once.
pub(crate) struct Capture {
    path: PathBuf,
    file: File,
}

/// Frames in a row that have to be exact.
const ROW: usize = 3;
/// Among so many at most.
const MOST: usize = 40;

impl Capture {
    pub(crate) fn new(path: &Path) -> Self {
        rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty()).expect("the pipe");
        // The fewer turns the two take, the better.
        // SAFETY: the descriptor is open. Where a larger pipe is refused, it stays as it is.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETPIPE_SZ, 1 << 20) };
        Self { path: path.to_owned(), file: file.into() }
    }

    /// Reads until `buffer` is full.
    fn read(&mut self, buffer: &mut [u8], program: &mut Process) {
        let (start, mut filled) = (Instant::now(), 0);
        while filled < buffer.len() {
            match self.file.read(&mut buffer[filled..]) {
                Ok(count) if count > 0 => filled += count,
                // The program does not write yet, or not just now.
                Ok(_) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("{}: {error}", self.path.display()),
            }
            assert!(!program.has_ended(), "it has ended: {}", program.output());
            if start.elapsed() > wait::DEADLINE {
                loss(format!("no frame within {:?}", wait::DEADLINE));
            }
        }
    }

    /// Reads frames until so many in a row are exact that it is no accident. Returns which ones
    /// came; `None` is one that is not exact.
    pub(crate) fn row(&mut self, noise: &Noise, program: &mut Process) -> Vec<Option<usize>> {
        let mut frame = vec![0; noise.frame_size()];
        let mut frames = Vec::new();
        while noise::longest_row(&frames) < ROW {
            if frames.len() == MOST {
                loss(format!("never {ROW} exact frames in a row: {frames:?}"));
            }
            self.read(&mut frame, program);
            frames.push(noise.which(&frame));
        }
        frames
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
