//! How many requests a key may make: refused past that with 429, and told in the header fields of
//! draft-ietf-httpapi-ratelimit-headers-10 on every reply to a key with a rate.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use leasehold_engine::Tally;

use crate::error_code::ErrorCode;
use crate::problem::Problem;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Refuses a request that its key had nothing left for.
pub(crate) fn check(tally: Tally) -> Result<(), Problem> {
    if tally.left.is_some() {
        return Ok(());
    }
    let (per_second, burst) = (tally.rate.per_second(), tally.rate.burst());
    let reason =
        format!("your key may make {per_second} requests a second, and {burst} at once, not more");
    Err(Problem::new(ErrorCode::RateLimited, &reason))
}

/// Tells a caller what it has left.
pub(crate) fn tell(tally: Tally, headers: &mut HeaderMap) {
    let (burst, per_second) = (tally.rate.burst().get(), tally.rate.per_second().get());
    let policy = format!("\"requests\";q={burst};w={}", burst.div_ceil(per_second));
    let left = tally.left.unwrap_or(0);
    let limit = format!("\"requests\";r={left};t={}", tally.resets_in_secs());
    for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, limit)] {
        // Digits and quotes are always fit for a header.
        headers.extend(HeaderValue::try_from(value).ok().map(|value| (name, value)));
    }
}
