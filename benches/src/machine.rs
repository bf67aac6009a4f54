//! Description of the machine that was measured.

use crate::cpu::Cpus;
use crate::error::BenchError;
use rustix::system::uname;
use serde::Serialize;
use std::fmt;
use std::fs::read_to_string;

/// The machine, as far as it matters to the figures.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Processors that this program may use.
    pub cpus: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The kernel's clock.
    pub clock: String,
    /// Setting of transparent huge pages for anonymous memory.
    pub huge_pages: String,
    /// Setting of transparent huge pages for shared memory.
    pub shared_huge_pages: String,
    /// Load average of the last minute, before the run: others' work shows in the figures.
    pub load: String,
    /// Reserved huge pages that are free.
    pub free_reserved_huge_pages: u64,
}

impl Machine {
    /// This one.
    pub fn here() -> Result<Self, BenchError> {
        let processors = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = processors.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let cpu = field("model name").or_else(|| field("CPU part"));
        let file = |path: &str| {
            read_to_string(path).map_or_else(|_| "unknown".into(), |text| text.trim().to_owned())
        };
        let setting = |name: &str| {
            let text = file(&format!("/sys/kernel/mm/transparent_hugepage/{name}"));
            let chosen = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
            chosen.map_or_else(|| text.clone(), |(chosen, _)| chosen.to_owned())
        };
        let free = file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
        Ok(Self {
            cpu: cpu.unwrap_or_else(|| "unknown".into()),
            cpus: Cpus::usable()?.count(),
            kernel: uname().release().to_string_lossy().into_owned(),
            clock: file("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            huge_pages: setting("enabled"),
            shared_huge_pages: setting("shmem_enabled"),
            load: file("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
            free_reserved_huge_pages: free.parse().unwrap_or(0),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}, {} usable, Linux {}, clock {}, load {}",
            self.cpu, self.cpus, self.kernel, self.clock, self.load
        )?;
        write!(
            f,
            "huge pages: {} for private, {} for shared memory, {} reserved ones free",
            self.huge_pages, self.shared_huge_pages, self.free_reserved_huge_pages
        )
    }
}
