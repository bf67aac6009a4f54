//! Resources that a process uses.

use std::fs;

/// Open descriptors of a process.
///
/// # Panics
/// If there is no such process.
#[must_use]
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("a living process").count()
}

/// Targets of a process's open descriptors, for messages.
#[must_use]
pub fn descriptor_names(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|path| path.display().to_string())
        .collect();
    names.sort();
    names
}

/// Mappings of a process.
///
/// # Panics
/// If there is no such process.
#[must_use]
pub fn mappings(pid: u32) -> usize {
    fs::read_to_string(format!("/proc/{pid}/maps")).expect("a living process").lines().count()
}

/// Threads of a process.
///
/// # Panics
/// If there is no such process.
#[must_use]
pub fn threads(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).expect("a living process").count()
}

/// Anonymous memory of a process in KiB.
///
/// # Panics
/// If there is no such process.
#[must_use]
pub fn anonymous_kib(pid: u32) -> u64 {
    memory_kib(pid, "RssAnon:")
}

/// Memory of a process that is resident, in KiB.
///
/// # Panics
/// If there is no such process.
#[must_use]
pub fn resident_kib(pid: u32) -> u64 {
    memory_kib(pid, "VmRSS:")
}

fn memory_kib(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a living process");
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let value = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    value.unwrap_or_else(|| panic!("no {field} in {status}"))
}
