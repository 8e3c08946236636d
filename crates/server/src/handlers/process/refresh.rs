//! Start the timeouts of all that a process holds anew.

use hyper::StatusCode;
use leasehold_core::{Command, ProcessId, Role};

use super::answer;
use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::Handler;
use crate::parameter::TIMEOUT_SECONDS_OF_ALL;
use crate::problem::Problem;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Put,
    path: "/v1/process/{process_id}/refresh",
    noun: Noun::Process,
    operation: "refresh_process",
    summary: "Refresh all holds of a process",
    description: "Starts the timeouts of all that the process holds anew, in one call. What it has \
                  lost since it was told last is named once in `lost`, and never acquired again this \
                  way.",
    parameters: &[&TIMEOUT_SECONDS_OF_ALL],
    headers: &[],
    success: (StatusCode::OK, Shape::Process),
    refusals: &[ErrorCode::InvalidId, ErrorCode::ProcessHoldsNothing, ErrorCode::TimeoutTooLong],
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(answer(api, &ENDPOINT, caller, request, parse))
    }),
};

fn parse(call: &Call<'_>) -> Result<(Command, ProcessId), Problem> {
    let (namespace, process_id) = (call.caller.namespace.clone(), call.process_id()?);
    let timeout = call.query.optional_timeout(&TIMEOUT_SECONDS_OF_ALL)?;
    let command = Command::RefreshProcess { namespace, process_id: process_id.clone(), timeout };
    Ok((command, process_id))
}
