//! Repeats an action, such as sending frames, beside the test's other steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

/// A thread that does something again and again until this is dropped.
#[derive(Debug)]
pub struct Repeating {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Repeating {
    /// Starts it. Each call is told how many there were before it.
    pub fn start(mut each: impl FnMut(u64) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            (0..).take_while(|_| !stopped.load(Relaxed)).for_each(&mut each);
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Repeating {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
