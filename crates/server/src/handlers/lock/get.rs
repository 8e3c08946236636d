//! Look at a lock.

use hyper::StatusCode;
use leasehold_core::{Command, Reply, Role};

use crate::auth::Caller;
use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::{Handler, Request, Response};
use crate::handlers::mismatched;
use crate::problem::Problem;
use crate::reply;
use crate::state::ApiState;
use crate::wire::Lock;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/v1/distributed_lock/{lock_id}",
    noun: Noun::Lock,
    operation: "get_lock",
    summary: "Look at a lock",
    description: "Shows a lock with all its holders. What it shows is durable.",
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Lock),
    refusals: &[ErrorCode::InvalidId, ErrorCode::NoSuchLock],
    handler: Handler::Keyed(Role::Read, |api, caller, request| {
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
    Ok(Command::GetLock { namespace: call.caller.namespace.clone(), lock_id: call.lock_id()? })
}
