//! Make a lock.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use leasehold_core::{Command, LockUid, Reply, Role};

use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, IS_EXCLUSIVE, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::handlers::mismatched;
use crate::problem::Problem;
use crate::reply;
use crate::state::ApiState;
use crate::wire::Lock;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Post,
    path: "/v1/distributed_lock/{lock_id}",
    noun: Noun::Lock,
    operation: "create_lock",
    summary: "Create a lock",
    description: "Makes a lock that does not exist yet. It is free until a process acquires it.",
    needs: Some(Role::Write),
    parameters: &[&IS_EXCLUSIVE],
    can_be_minimal: false,
    success: (StatusCode::CREATED, Shape::Lock),
    refusals: &[ErrorCode::InvalidId, ErrorCode::LockExists, ErrorCode::TooManyLocks],
};

pub(crate) async fn handle(
    State(api): State<ApiState>,
    request: Request,
) -> Result<Response, Problem> {
    let command = parse(&Call::open(&api, &ENDPOINT, &request)?)?;
    match api.engine.submit(command).await? {
        Reply::Lock(lock) => Ok(reply::json(StatusCode::CREATED, &Lock::from(&lock))),
        other @ (Reply::Key(_) | Reply::Keys(_)) => Err(mismatched(&other)),
    }
}

fn parse(call: &Call<'_>) -> Result<Command, Problem> {
    Ok(Command::CreateLock {
        namespace: call.caller.namespace.clone(),
        lock_id: call.lock_id()?,
        uid: LockUid(uuid::Uuid::new_v4().into_bytes()),
        is_write_exclusive: call.query.is_exclusive()?,
    })
}
