//! Warnings about configurations: kept for the calling thread, and logged once.

use config::ConfigWarning;
use parking_lot::Mutex;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Texts that are remembered as told. A program that invents ever new ones is told about the rest
/// each time.
const MAX_TOLD: usize = 256;

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the warnings of this thread's last configuration, and logs those that are new to the
/// process.
pub(super) fn keep(whose: &str, warnings: &[ConfigWarning]) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let lines: Vec<String> =
        warnings.iter().map(|warning| format!("{whose} configuration: {warning}")).collect();
    for line in &lines {
        let mut told = TOLD.lock();
        let new = !told.contains(line);
        if new && told.len() < MAX_TOLD {
            told.insert(line.clone());
        }
        drop(told);
        if new {
            log::warn!("{line}");
        }
    }
    LAST.set(lines.join("\n"));
}

/// The warnings of this thread's last configuration of a client or connection, a line each; empty
/// if there were none.
pub fn last_warnings() -> String {
    LAST.with_borrow(String::clone)
}
