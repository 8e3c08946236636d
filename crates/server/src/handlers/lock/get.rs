//! Look at a lock.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use leasehold_core::{Command, Reply, Role};

use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
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
    needs: Some(Role::Read),
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Lock),
    refusals: &[ErrorCode::InvalidId, ErrorCode::NoSuchLock],
};

pub(crate) async fn handle(
    State(api): State<ApiState>,
    request: Request,
) -> Result<Response, Problem> {
    let command = parse(&Call::open(&api, &ENDPOINT, &request)?)?;
    match api.engine.submit(command).await? {
        Reply::Lock(lock) => Ok(reply::json(StatusCode::OK, &Lock::from(&lock))),
        other => Err(mismatched(&other)),
    }
}

fn parse(call: &Call<'_>) -> Result<Command, Problem> {
    Ok(Command::GetLock { namespace: call.caller.namespace.clone(), lock_id: call.lock_id()? })
}
