//! Remove a lock.

use hyper::StatusCode;
use leasehold_core::{Command, Role};

use super::answer;
use crate::call::Call;
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::Handler;
use crate::parameter::FORCE;
use crate::problem::Problem;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Delete,
    path: "/v1/distributed_lock/{lock_id}",
    noun: Noun::Lock,
    operation: "delete_lock",
    summary: "Delete a lock",
    description: "Removes a lock that nobody holds or waits for, and shows it as it was. With \
                  `force=true`, which needs the role `admin`, it breaks the lock: its holders lose \
                  their holds, and its waiters are told 409 `lock_deleted`. Its history stays. The fencing tokens of a \
                  lock that is made anew under the name are higher all the same.",
    parameters: &[&FORCE],
    headers: &[Header::IdempotencyKey],
    success: (StatusCode::OK, Shape::Lock),
    refusals: &[
        ErrorCode::InvalidId,
        ErrorCode::NoSuchLock,
        ErrorCode::NotFree,
        ErrorCode::IdempotencyKeyReused,
    ],
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(answer(api, &ENDPOINT, caller, request, parse))
    }),
};

fn parse(call: &Call<'_>) -> Result<Command, Problem> {
    let force = call.query.flag(&FORCE)?;
    if force {
        call.caller.must_have(Role::Admin)?;
    }
    let (namespace, lock_id) = (call.caller.namespace.clone(), call.lock_id()?);
    Ok(Command::DeleteLock { namespace, lock_id, force, is_begun: false })
}
