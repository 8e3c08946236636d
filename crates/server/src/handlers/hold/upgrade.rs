//! Turn the only reader into a writer.

use hyper::StatusCode;
use leasehold_core::{Command, Detail, Mode, Role};

use super::answer_with_grant;
use crate::call::Call;
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::Handler;
use crate::parameter::{NOTE, TIMEOUT_SECONDS, WAIT_SECONDS};
use crate::problem::Problem;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Put,
    path: "/v1/distributed_lock/{lock_id}/read-process/{process_id}/upgrade",
    noun: Noun::Hold,
    operation: "upgrade",
    summary: "Turn a read hold into a write hold",
    description: "Turns the hold for reading into one for writing, with a new `fencing_token`, once it \
                  is the only one: nobody can write in between. With `wait_seconds` it waits for the \
                  other readers to go, ahead of everybody in line. Two that upgrade at once would wait \
                  for each other for ever: the second is told 409 `deadlock`, and keeps its hold for \
                  reading until it releases it.",
    parameters: &[&TIMEOUT_SECONDS, &WAIT_SECONDS, &NOTE],
    headers: &[Header::Prefer, Header::IdempotencyKey],
    success: (StatusCode::OK, Shape::GrantedLock),
    refusals: &[
        ErrorCode::InvalidId,
        ErrorCode::NoSuchLock,
        ErrorCode::NotHeld,
        ErrorCode::Held,
        ErrorCode::WaitTimedOut,
        ErrorCode::Deadlock,
        ErrorCode::Superseded,
        ErrorCode::TooManyWaiters,
        ErrorCode::QuotaExceeded,
        ErrorCode::TimeoutTooLong,
        ErrorCode::TokensExhausted,
        ErrorCode::AlreadyHeld,
        ErrorCode::LockBeingDeleted,
        ErrorCode::LockDeleted,
        ErrorCode::RequestOver,
        ErrorCode::IdempotencyKeyReused,
    ],
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(answer_with_grant(api, &ENDPOINT, caller, request, parse))
    }),
};

fn parse(call: &Call<'_>) -> Result<(Command, Detail), Problem> {
    let (hold, terms, detail) = (call.hold(Mode::Read)?, call.terms()?, call.detail());
    let quotas = call.caller.limits.quotas;
    Ok((Command::Upgrade { hold, terms, wait: call.wait()?, quotas }, detail))
}
