//! Look at all that a process holds.

use hyper::StatusCode;
use leasehold_core::{Command, ProcessId, Role};

use super::{PROCESS, submit};
use crate::auth::Caller;
use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::{Handler, Request, Response};
use crate::problem::Problem;
use crate::state::ApiState;

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
        Box::pin(handle(api, caller, request))
    }),
};

async fn handle(api: ApiState, caller: Caller, request: Request) -> Result<Response, Problem> {
    let (command, process_id) = Call::read(caller, &ENDPOINT, request, parse)?;
    submit(&api, command, &process_id).await
}

fn parse(call: &Call<'_>) -> Result<(Command, ProcessId), Problem> {
    let (namespace, process_id) = (call.caller.namespace.clone(), call.process_id()?);
    let command = Command::GetProcess { namespace, process_id: process_id.clone() };
    Ok((command, process_id))
}
