//! The flags that say what bounds the calls of a key.

use clap::Args;

use super::wire::Limits;

#[derive(Args, Clone, Debug)]
pub(super) struct LimitFlags {
    /// Requests a second that are answered; more are refused with 429
    #[arg(long, value_name = "N", value_parser = limit)]
    requests_per_second: Option<Limit>,
    /// Requests that may come at once [default: as many as in a second]
    #[arg(long, value_name = "N", value_parser = limit)]
    burst: Option<Limit>,
    /// How many locks calls with the key may bring its namespace to
    #[arg(long, value_name = "N", value_parser = limit)]
    max_locks: Option<Limit>,
    /// The same for holds, with those that requests in line wait for
    #[arg(long, value_name = "N", value_parser = limit)]
    max_holds: Option<Limit>,
    /// The same for requests in line
    #[arg(long, value_name = "N", value_parser = limit)]
    max_waiters: Option<Limit>,
}

/// A limit, or `none`. A type of its own, because clap takes an option for one that may be missing.
#[derive(Clone, Copy, Debug)]
struct Limit(Option<u32>);

fn limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let count = text.parse().map_err(|_| "give a whole number, or `none`")?;
    Ok(Limit(Some(count)))
}

impl From<&LimitFlags> for Limits {
    fn from(flags: &LimitFlags) -> Self {
        Self {
            requests_per_second: flags.requests_per_second.map(|limit| limit.0),
            burst: flags.burst.map(|limit| limit.0),
            max_locks: flags.max_locks.map(|limit| limit.0),
            max_holds: flags.max_holds.map(|limit| limit.0),
            max_waiters: flags.max_waiters.map(|limit| limit.0),
        }
    }
}
