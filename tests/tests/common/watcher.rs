//! Receivers on threads of this process that report whether they go on or have ended.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part")]

use mcm::Client;
use mcm_tests::config;
use mcm_tests::wait;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

/// Frames by which a receiver shows that it goes on: more than could have been under way when
/// something happened.
const MORE: u64 = 20;

/// What a receiver says whose source has ended the stream.
const ENDED: &str = "the stream has ended";

/// A receiver that takes frames until its stream ends.
pub struct Watcher {
    pub name: String,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    frames: AtomicU64,
    end: Mutex<Option<String>>,
}

impl Watcher {
    /// Joins, and takes frames from now on.
    pub fn start(name: String, client: &Client, connection: &Value) -> Self {
        let receiver = client.receiver(connection.to_string()).expect("a receiver");
        let seen = Arc::new(Seen::default());
        let told = Arc::clone(&seen);
        // It ends with the process at the latest.
        std::thread::spawn(move || {
            let end = loop {
                match receiver.next() {
                    Ok(Some(_)) => told.frames.fetch_add(1, SeqCst),
                    Ok(None) => break ENDED.to_owned(),
                    Err(error) => break error.to_string(),
                };
            };
            *told.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        });
        Self { name, seen }
    }

    fn end(&self) -> Option<String> {
        let end = self.seen.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.clone()
    }

    /// Its stream has not ended.
    #[track_caller]
    pub fn is_open(&self) {
        assert_eq!(self.end(), None, "{}", self.name);
    }

    /// It gets frames.
    #[track_caller]
    pub fn goes_on(&self, event: &str) {
        let before = self.seen.frames.load(SeqCst);
        wait::until(&format!("{event}: the receiver {} goes on", self.name), || {
            self.is_open();
            self.seen.frames.load(SeqCst) >= before + MORE
        });
    }

    /// Its source ends the stream.
    #[track_caller]
    pub fn has_ended(&self) {
        let end = wait::some(&format!("the end of the receiver {}", self.name), || self.end());
        assert_eq!(end, ENDED, "{}", self.name);
    }
}

/// Two receivers: the first one waits at the end of a stream, and the other one ends.
pub fn receivers(place: &str, client: &Client, connection: &Value) -> Vec<Watcher> {
    let receiver = |end: &str| {
        let options = json!({ "options": { "endOfStream": end } });
        let config = config::with(connection.clone(), options);
        Watcher::start(format!("{end}, {place}"), client, &config)
    };
    ["wait", "close"].map(receiver).into()
}
