//! CPU and wall time.
#![allow(dead_code, reason = "each bench uses some of them")]

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The CPU time that the process has used.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU and wall ns an item.
pub(crate) fn measure(items: usize, work: impl FnOnce()) -> (f64, f64) {
    let (cpu_before, wall) = (cpu(), Instant::now());
    work();
    per_item(items, cpu() - cpu_before, wall.elapsed())
}

/// CPU and wall ns an item.
pub(crate) fn per_item(items: usize, cpu: Duration, wall: Duration) -> (f64, f64) {
    (cpu.as_nanos() as f64 / items as f64, wall.as_nanos() as f64 / items as f64)
}

/// The median of each.
pub(crate) fn median(figures: &mut [(f64, f64)]) -> (f64, f64) {
    let middle = figures.len() / 2;
    figures.sort_by(|a, b| a.0.total_cmp(&b.0));
    let cpu = figures.get(middle).map_or(f64::NAN, |figure| figure.0);
    figures.sort_by(|a, b| a.1.total_cmp(&b.1));
    (cpu, figures.get(middle).map_or(f64::NAN, |figure| figure.1))
}
