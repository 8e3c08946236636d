//! What bounds an admin of a namespace bounds the keys that it makes and changes: otherwise a limit would
//! bind only those admins that leave it alone.

use leasehold_core::{KeyLimits, Namespace};

use crate::auth::Caller;
use crate::error_code::ErrorCode;
use crate::problem::Problem;

/// Refuses limits beyond the caller's own, unless the key has them already. `present` is what the key has
/// now; `None` for a new key. The operator may set any.
///
/// # Errors
/// [`ErrorCode::Forbidden`] names the limit.
pub(super) fn check(
    caller: &Caller,
    asked: KeyLimits,
    present: Option<KeyLimits>,
) -> Result<(), Problem> {
    if caller.is_operator() {
        return Ok(());
    }
    let own = named(caller.limits);
    let present = present.map(named);
    for (at, ((name, asked), (_, own))) in named(asked).into_iter().zip(own).enumerate() {
        let is_lift = present.is_none_or(|present| is_beyond(asked, present[at].1));
        if is_lift && is_beyond(asked, own) {
            return Err(refuse(caller, name, own));
        }
    }
    Ok(())
}

/// Each limit by its name on the wire; `None` is without a limit.
fn named(limits: KeyLimits) -> [(&'static str, Option<u32>); 5] {
    let KeyLimits { rate, quotas } = limits;
    [
        ("requests_per_second", rate.map(|rate| rate.per_second().get())),
        ("burst", rate.map(|rate| rate.burst().get())),
        ("max_locks", quotas.max_locks),
        ("max_holds", quotas.max_holds),
        ("max_waiters", quotas.max_waiters),
    ]
}

fn is_beyond(asked: Option<u32>, limit: Option<u32>) -> bool {
    limit.is_some_and(|limit| asked.is_none_or(|asked| asked > limit))
}

fn refuse(caller: &Caller, name: &str, own: Option<u32>) -> Problem {
    let (own, operator) = (own.unwrap_or_default(), Namespace::default());
    let (namespace, operator) = (caller.namespace.as_str(), operator.as_str());
    let reason = format!(
        "`{name}` of your own key is {own}, and an admin of the namespace `{namespace}` may not go beyond \
         its own limits; give at most {own}, or ask an admin of the namespace `{operator}`"
    );
    Problem::new(ErrorCode::Forbidden, &reason)
}
