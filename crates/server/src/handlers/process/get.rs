//! Look at all that a process holds.

use hyper::StatusCode;
use leasehold_core::{Command, ProcessId, Role};

use super::{PROCESS, answer};
use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::Handler;
use crate::problem::Problem;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: PROCESS,
    noun: Noun::Process,
    operation: "get_process",
    summary: "Look at a process",
    description: "Shows all that a process holds, and what it lost; empty lists for one that is not known.",
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Process),
    refusals: &[ErrorCode::InvalidId],
    handler: Handler::Keyed(Role::Read, |api, caller, request| {
        Box::pin(answer(api, &ENDPOINT, caller, request, parse))
    }),
};

fn parse(call: &Call<'_>) -> Result<(Command, ProcessId), Problem> {
    let (namespace, process_id) = (call.caller.namespace.clone(), call.process_id()?);
    let command = Command::GetProcess { namespace, process_id: process_id.clone() };
    Ok((command, process_id))
}
