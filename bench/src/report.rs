//! What a run measured: collected while it runs, summed up once, shown to people or as JSON.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest latency told apart from longer ones.
const MAX_LATENCY_MICROS: u64 = 60_000_000;

/// What the clients of one thread have seen within the measured window.
pub(crate) struct Tally {
    pub(crate) request_micros: Histogram<u64>,
    pub(crate) cycle_micros: Histogram<u64>,
    pub(crate) refusals: u64,
}

impl Tally {
    #[expect(clippy::expect_used, reason = "the bounds are constants that the histogram allows")]
    pub(crate) fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, MAX_LATENCY_MICROS, 3)
            .expect("1 µs to 60 s with three digits is a valid histogram");
        Self { request_micros: latencies.clone(), cycle_micros: latencies, refusals: 0 }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        // Both histograms have the same bounds, so adding cannot fail.
        let _ = self.request_micros.add(&other.request_micros);
        let _ = self.cycle_micros.add(&other.cycle_micros);
        self.refusals += other.refusals;
    }
}

pub(crate) fn record(latencies: &mut Histogram<u64>, latency: Duration) {
    latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
}

/// How long something took, in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Latency {
    /// Half took at most so long.
    pub p50_ms: f64,
    /// Nine in ten took at most so long.
    pub p90_ms: f64,
    /// Ninety-nine in a hundred took at most so long.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Latency {
    fn of(micros: &Histogram<u64>) -> Self {
        let quantile = |q| micros.value_at_quantile(q) as f64 / 1e3;
        Self {
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p99_ms: quantile(0.99),
            max_ms: micros.max() as f64 / 1e3,
        }
    }
}

/// One run.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// Clients, each with a connection of its own.
    pub clients: usize,
    /// Length of the measured window, in seconds.
    pub seconds: f64,
    /// Cycles (acquire and release) that ended within the window. Where clients wait for each other, each
    /// of them is a handover.
    pub cycles: u64,
    /// The same per second.
    pub cycles_per_second: f64,
    /// Acquires refused because the lock was taken, or because the wait for it was over (409), and tried
    /// again.
    pub refusals: u64,
    /// Latency of one request, refused or granted.
    pub request: Latency,
    /// Latency of a cycle, from the first try to acquire to the reply to the release.
    pub cycle: Latency,
    /// CPU seconds that the server spent on 100,000 cycles, if its process id was given.
    pub server_cpu_seconds_per_100k_cycles: Option<f64>,
    /// CPU seconds that the generator spent on 100,000 cycles.
    pub generator_cpu_seconds_per_100k_cycles: f64,
    /// Clients that gave up because of an error. Not zero: the run counts for nothing.
    pub errors: usize,
    /// The first of those errors.
    pub first_error: Option<String>,
}

impl Report {
    pub(crate) fn new(
        clients: usize,
        window: Duration,
        tally: &Tally,
        cpu: CpuUsed,
        errors: &[String],
    ) -> Self {
        let cycles = tally.cycle_micros.len();
        let per_100k = |used: Duration| used.as_secs_f64() * 1e5 / (cycles as f64).max(1.0);
        Self {
            clients,
            seconds: window.as_secs_f64(),
            cycles,
            cycles_per_second: cycles as f64 / window.as_secs_f64(),
            refusals: tally.refusals,
            request: Latency::of(&tally.request_micros),
            cycle: Latency::of(&tally.cycle_micros),
            server_cpu_seconds_per_100k_cycles: cpu.server.map(per_100k),
            generator_cpu_seconds_per_100k_cycles: per_100k(cpu.generator),
            errors: errors.len(),
            first_error: errors.first().cloned(),
        }
    }
}

/// CPU time spent within the window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuUsed {
    pub(crate) server: Option<Duration>,
    pub(crate) generator: Duration,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50_ms, p90_ms, p99_ms, max_ms } = self;
        write!(f, "p50 {p50_ms:.3}  p90 {p90_ms:.3}  p99 {p99_ms:.3}  max {max_ms:.3} ms")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, seconds, cycles, refusals, .. } = self;
        writeln!(f, "clients    {clients}, measured for {seconds} s")?;
        writeln!(f, "cycles     {:.0} /s ({cycles})", self.cycles_per_second)?;
        writeln!(f, "refusals   {refusals}")?;
        writeln!(f, "request    {}", self.request)?;
        writeln!(f, "cycle      {}", self.cycle)?;
        if let Some(server) = self.server_cpu_seconds_per_100k_cycles {
            writeln!(f, "server     {server:.2} CPU s per 100,000 cycles")?;
        }
        let generator = self.generator_cpu_seconds_per_100k_cycles;
        writeln!(f, "generator  {generator:.2} CPU s per 100,000 cycles")?;
        write!(f, "errors     {}", self.errors)?;
        if let Some(error) = &self.first_error {
            write!(f, ": {error}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_rates_are_those_of_what_was_recorded() {
        let mut tally = Tally::new();
        for millis in 1..=100 {
            record(&mut tally.cycle_micros, Duration::from_millis(millis));
        }
        let cpu =
            CpuUsed { server: Some(Duration::from_secs(2)), generator: Duration::from_secs(1) };
        let report = Report::new(1, Duration::from_secs(4), &tally, cpu, &["lost".to_owned()]);
        assert_eq!((report.cycles, report.cycles_per_second), (100, 25.0));
        for (value, ms) in [(report.cycle.p50_ms, 50.0), (report.cycle.p99_ms, 99.0)] {
            assert!((value - ms).abs() < ms / 500.0, "{value} instead of {ms}");
        }
        assert_eq!(report.server_cpu_seconds_per_100k_cycles, Some(2_000.0));
        assert_eq!((report.errors, report.first_error.as_deref()), (1, Some("lost")));
    }

    #[test]
    fn tallies_of_threads_add_up() {
        let (mut one, mut other) = (Tally::new(), Tally::new());
        record(&mut one.request_micros, Duration::from_millis(1));
        record(&mut other.request_micros, Duration::from_secs(3_600));
        other.refusals = 3;
        one.add(&other);
        assert_eq!((one.request_micros.len(), one.refusals), (2, 3));
        let longest = Latency::of(&one.request_micros).max_ms;
        assert!(longest >= 60_000.0, "beyond the longest is counted, not lost: {longest}");
    }
}
