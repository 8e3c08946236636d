//! CPU time of a process, as Linux counts it.

use std::time::Duration;

use thiserror::Error;

/// Why a process's CPU time is not known.
#[derive(Debug, Error)]
pub enum CpuError {
    /// No such process, or not Linux.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file does not say it.
    #[error("{0} has no user and system time where they should be")]
    Malformed(String),
}

/// Fields of `/proc/PID/stat` behind the command's name, where user and system time stand.
const USER_TICKS_FIELD: usize = 11;

/// User and system time of a process since it started, in steps of a clock tick (mostly 10 ms).
pub(crate) fn cpu_time(pid: u32) -> Result<Duration, CpuError> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path)
        .map_err(|source| CpuError::Unreadable { path: path.clone(), source })?;
    let ticks = ticks_in(&stat).ok_or(CpuError::Malformed(path))?;
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

fn ticks_in(stat: &str) -> Option<u64> {
    // The name stands in parentheses and may itself contain spaces and parentheses.
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(USER_TICKS_FIELD);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(ticks()? + ticks()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_found_behind_any_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194304 5 0 0 0 123 77 0 0 20 0 9 0 100 0";
        assert_eq!(ticks_in(stat), Some(200));
        assert_eq!(ticks_in("42 (a) S 1"), None);
    }

    #[test]
    fn cpu_time_of_this_process_is_known_and_of_no_process_an_error() {
        assert!(cpu_time(std::process::id()).is_ok());
        assert!(matches!(cpu_time(u32::MAX), Err(CpuError::Unreadable { .. })));
    }
}
