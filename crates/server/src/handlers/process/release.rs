//! Give back all that a process holds.

use hyper::StatusCode;
use leasehold_core::{Command, ProcessId, Role};

use super::{PROCESS, answer};
use crate::call::Call;
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::Handler;
use crate::problem::Problem;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Delete,
    path: PROCESS,
    noun: Noun::Process,
    operation: "release_process",
    summary: "Release all holds of a process",
    description: "Gives back all that the process holds, in one call, and shows what that was.",
    parameters: &[],
    headers: &[Header::IdempotencyKey],
    success: (StatusCode::OK, Shape::Process),
    refusals: &[
        ErrorCode::InvalidId,
        ErrorCode::ProcessHoldsNothing,
        ErrorCode::IdempotencyKeyReused,
    ],
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(answer(api, &ENDPOINT, caller, request, parse))
    }),
};

fn parse(call: &Call<'_>) -> Result<(Command, ProcessId), Problem> {
    let (namespace, process_id) = (call.caller.namespace.clone(), call.process_id()?);
    let command = Command::ReleaseProcess { namespace, process_id: process_id.clone(), rest: None };
    Ok((command, process_id))
}
