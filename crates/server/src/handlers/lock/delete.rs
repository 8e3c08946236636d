//! Remove a lock.

use hyper::StatusCode;
use leasehold_core::{Command, Reply, Role};

use crate::auth::Caller;
use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::{Handler, Request, Response};
use crate::handlers::mismatched;
use crate::parameter::FORCE;
use crate::problem::Problem;
use crate::reply;
use crate::state::ApiState;
use crate::wire::Lock;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Delete,
    path: "/v1/distributed_lock/{lock_id}",
    noun: Noun::Lock,
    operation: "delete_lock",
    summary: "Delete a lock",
    description: "Removes a lock that nobody holds or waits for, and shows it as it was. With \
                  `force=true`, which needs the role `admin`, it breaks the lock: its holders lose \
                  their holds, and its waiters are told 404 `no_such_lock`. Its history stays. The fencing tokens of a \
                  lock that is made anew under the name are higher all the same.",
    parameters: &[&FORCE],
    headers: &[],
    success: (StatusCode::OK, Shape::Lock),
    refusals: &[ErrorCode::InvalidId, ErrorCode::NoSuchLock, ErrorCode::NotFree],
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(handle(api, caller, request))
    }),
};

async fn handle(api: ApiState, caller: Caller, request: Request) -> Result<Response, Problem> {
    let command = Call::read(caller, &ENDPOINT, request, parse)?;
    match api.engine.submit(command).await? {
        Reply::Lock(lock) => Ok(reply::json(StatusCode::OK, &Lock::from(&lock))),
        other => Err(mismatched(&other)),
    }
}

fn parse(call: &Call<'_>) -> Result<Command, Problem> {
    let force = call.query.flag(&FORCE)?;
    if force {
        call.caller.must_have(Role::Admin)?;
    }
    let (namespace, lock_id) = (call.caller.namespace.clone(), call.lock_id()?);
    let by = call.caller.key_id.clone();
    Ok(Command::DeleteLock { namespace, lock_id, force, by })
}
