//! Start the timeouts of all that a process holds anew.

use hyper::StatusCode;
use leasehold_core::{Command, FencingToken, MAX_LOST_HOLDS, ProcessId, Role};

use super::answer;
use crate::call::Call;
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::Handler;
use crate::parameter::{ACKNOWLEDGE_LOST, TIMEOUT_SECONDS_OF_ALL};
use crate::problem::Problem;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Put,
    path: "/v1/process/{process_id}/refresh",
    noun: Noun::Process,
    operation: "refresh_process",
    summary: "Refresh all holds of a process",
    description: "Starts the timeouts of all that the process holds again, in one call. Holds that it has \
                  lost are named in `lost`, and never acquired again this way. As an answer may not \
                  arrive, each is named again until the client acknowledges it, or for 10 minutes.",
    parameters: &[&TIMEOUT_SECONDS_OF_ALL, &ACKNOWLEDGE_LOST],
    headers: &[Header::IdempotencyKey],
    success: (StatusCode::OK, Shape::Process),
    refusals: &[
        ErrorCode::InvalidId,
        ErrorCode::ProcessHoldsNothing,
        ErrorCode::TimeoutTooLong,
        ErrorCode::IdempotencyKeyReused,
    ],
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(answer(api, &ENDPOINT, caller, request, parse))
    }),
};

fn parse(call: &Call<'_>) -> Result<(Command, ProcessId), Problem> {
    let (namespace, process_id) = (call.caller.namespace.clone(), call.process_id()?);
    let timeout = call.query.optional_timeout(&TIMEOUT_SECONDS_OF_ALL)?;
    let acknowledged = call.query.parsed(&ACKNOWLEDGE_LOST, tokens)?.unwrap_or_default();
    let command = Command::RefreshProcess {
        namespace,
        process_id: process_id.clone(),
        timeout,
        acknowledged,
        rest: None,
    };
    Ok((command, process_id))
}

/// Fencing tokens with commas between, as many as may be told at a time.
fn tokens(text: &str) -> Option<Vec<FencingToken>> {
    let token = |digits: &str| FencingToken::new(digits.parse().ok()?);
    let tokens: Vec<_> = text.split(',').map(token).collect::<Option<_>>()?;
    (tokens.len() <= MAX_LOST_HOLDS).then_some(tokens)
}
