//! Look at a lock.

use hyper::StatusCode;
use leasehold_core::{Command, Role};

use super::answer;
use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::Handler;
use crate::problem::Problem;

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
        Box::pin(answer(api, &ENDPOINT, caller, request, parse))
    }),
};

fn parse(call: &Call<'_>) -> Result<Command, Problem> {
    Ok(Command::GetLock { namespace: call.caller.namespace.clone(), lock_id: call.lock_id()? })
}
