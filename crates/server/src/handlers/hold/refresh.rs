//! Start a hold's timeout anew.

use hyper::StatusCode;
use leasehold_core::{Command, Detail, Mode, Role};

use super::{READ_PROCESS_REFRESH, WRITE_PROCESS_REFRESH, answer};
use crate::call::Call;
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::Handler;
use crate::parameter::{FENCING_TOKEN, TIMEOUT_SECONDS};
use crate::problem::Problem;

pub(crate) static READ: Endpoint = Endpoint {
    operation: "refresh_read",
    path: READ_PROCESS_REFRESH,
    summary: "Refresh a read hold",
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(answer(api, &READ, caller, request, |call| parse(call, Mode::Read)))
    }),
    ..WRITE_ENDPOINT
};

pub(crate) static WRITE: Endpoint = WRITE_ENDPOINT;

const WRITE_ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Put,
    path: WRITE_PROCESS_REFRESH,
    noun: Noun::Hold,
    operation: "refresh_write",
    summary: "Refresh a write hold",
    description: "Starts the hold's timeout anew, with the length given here. What has expired or \
                  was released is never acquired again this way: the reply is 409 `not_held`, \
                  also if the lock is gone and its history knows the hold.",
    parameters: &[&TIMEOUT_SECONDS, &FENCING_TOKEN],
    headers: &[Header::Prefer, Header::IdempotencyKey],
    success: (StatusCode::OK, Shape::Lock),
    refusals: &[
        ErrorCode::InvalidId,
        ErrorCode::NoSuchLock,
        ErrorCode::NotHeld,
        ErrorCode::StaleToken,
        ErrorCode::TimeoutTooLong,
        ErrorCode::IdempotencyKeyReused,
    ],
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(answer(api, &WRITE, caller, request, |call| parse(call, Mode::Write)))
    }),
};

fn parse(call: &Call<'_>, mode: Mode) -> Result<(Command, Detail), Problem> {
    let (hold, token, detail) = (call.hold(mode)?, call.token()?, call.detail());
    Ok((Command::Refresh { hold, token, timeout: call.query.timeout()?, detail }, detail))
}
