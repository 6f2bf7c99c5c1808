//! What the operating system knows about this process. Linux only; elsewhere the gauges stay at zero.

use prometheus::{Gauge, IntGauge};

/// Bytes of a page, and clock ticks of a second, on every platform that we are built for.
const PAGE_BYTES: i64 = 4096;
const TICKS: f64 = 100.0;

/// Reads `/proc/self` into the gauges.
pub(super) fn measure(memory: &IntGauge, cpu: &Gauge, started: &Gauge) {
    if let Some(pages) = resident_pages() {
        memory.set(pages * PAGE_BYTES);
    }
    if let Some(times) = times() {
        cpu.set(times.cpu_seconds);
        started.set(times.started_seconds);
    }
}

fn resident_pages() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split_whitespace().nth(1)?.parse().ok()
}

struct Times {
    cpu_seconds: f64,
    started_seconds: f64,
}

/// Fields 14, 15 and 22 of `/proc/self/stat` (proc(5)), counted after the name in parentheses.
fn times() -> Option<Times> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let boot = std::fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(Times { cpu_seconds: (field(14)? + field(15)?) / TICKS, started_seconds: boot + field(22)? / TICKS })
}
