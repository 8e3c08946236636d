//! Give a hold back.

use hyper::StatusCode;
use leasehold_core::{Command, Detail, Mode, Role};

use super::{READ_PROCESS, WRITE_PROCESS, answer};
use crate::call::Call;
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::Handler;
use crate::parameter::FENCING_TOKEN;
use crate::problem::Problem;

pub(crate) static READ: Endpoint = Endpoint {
    operation: "release_read",
    path: READ_PROCESS,
    summary: "Release a read hold",
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(answer(api, &READ, caller, request, |call| parse(call, Mode::Read)))
    }),
    ..WRITE_ENDPOINT
};

pub(crate) static WRITE: Endpoint = WRITE_ENDPOINT;

const WRITE_ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Delete,
    path: WRITE_PROCESS,
    noun: Noun::Hold,
    operation: "release_write",
    summary: "Release a write hold",
    description: "Gives the hold back; the next in line has the lock at once. A request with the \
                  `Idempotency-Key` of one that was answered gets the same answer again, and does not \
                  end a hold that the process took since.",
    parameters: &[&FENCING_TOKEN],
    headers: &[Header::Prefer, Header::IdempotencyKey],
    success: (StatusCode::OK, Shape::Lock),
    refusals: &[
        ErrorCode::InvalidId,
        ErrorCode::NoSuchLock,
        ErrorCode::NothingToRelease,
        ErrorCode::StaleToken,
        ErrorCode::IdempotencyKeyReused,
    ],
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(answer(api, &WRITE, caller, request, |call| parse(call, Mode::Write)))
    }),
};

fn parse(call: &Call<'_>, mode: Mode) -> Result<(Command, Detail), Problem> {
    let (hold, token, detail) = (call.hold(mode)?, call.token()?, call.detail());
    Ok((Command::Release { hold, token, detail }, detail))
}
