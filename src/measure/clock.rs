//! CPU time and memory of this process.
//!
//! A time is the least of several runs: what disturbs a run (cold caches, neighbours) only ever adds to it. A first run warms
//! up and says how long one takes; then it is run until about `BUDGET` is spent, 3 times at least and `MOST_RUNS` at most. A first
//! run of `LONG` or more is itself the result.

use std::fs;
use std::time::Duration;

use cpu_time::ProcessTime;

/// CPU seconds, over all threads, that `work` takes on what `prepare` makes; making it and dropping the result are not counted.
pub fn cpu<P, T>(mut prepare: impl FnMut() -> P, mut work: impl FnMut(P) -> T) -> f64 {
    let mut run = || {
        let prepared = prepare();
        let start = ProcessTime::now();
        let result = work(prepared);
        let taken = start.elapsed();
        drop(result);
        taken
    };
    let first = run();
    if first >= LONG {
        return first.as_secs_f64();
    }
    let runs = BUDGET.as_nanos() / first.as_nanos().max(1);
    let taken = (0..runs.clamp(3, MOST_RUNS)).map(|_| run());
    taken.min().unwrap_or(first).as_secs_f64()
}

/// The most memory this process has held since [`reset_peak_memory`], in bytes; `None` where the system does not say.
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Forgets the peak so far. Where the system does not allow it, the peak is that of the whole run.
pub fn reset_peak_memory() {
    // 5: reset the peak resident set size, proc(5).
    let _ = fs::write("/proc/self/clear_refs", "5");
}

const BUDGET: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(10);
const MOST_RUNS: u128 = 1000;

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::hint::black_box;

    use super::*;

    #[test]
    fn every_run_has_a_preparation_of_its_own() {
        let prepared = Cell::new(0u32);
        let mut seen = Vec::new();
        let taken = cpu(
            || {
                prepared.set(prepared.get() + 1);
                prepared.get()
            },
            |number| seen.push((number, black_box((0..100_000u64).sum::<u64>()))),
        );
        assert!(taken >= 0.0 && seen.len() >= 4, "a warm-up and three runs");
        assert!(seen.iter().map(|(number, _)| *number).eq(1..=prepared.get()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn peak_memory_of_a_large_buffer_is_seen() {
        let before = peak_memory().expect("Linux says");
        let buffer = black_box(vec![1u8; before as usize + (1 << 20)]);
        assert!(peak_memory().expect("Linux says") > buffer.len() as u64);
    }
}
