//! Turn a writer into a reader.

use hyper::StatusCode;
use leasehold_core::{Command, Detail, Mode, Role};

use super::answer_with_grant;
use crate::call::Call;
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::Handler;
use crate::parameter::{NOTE, TIMEOUT_SECONDS};
use crate::problem::Problem;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Put,
    path: "/v1/distributed_lock/{lock_id}/write-process/{process_id}/downgrade",
    noun: Noun::Hold,
    operation: "downgrade",
    summary: "Turn a write hold into a read hold",
    description: "Turns the hold for writing into one for reading, at once and with a new \
                  `fencing_token`: nobody can write in between. Readers at the head of the line come in \
                  with it. While others hold the lock for writing too, it is refused: 409 `held`.",
    parameters: &[&TIMEOUT_SECONDS, &NOTE],
    headers: &[Header::Prefer, Header::IdempotencyKey],
    success: (StatusCode::OK, Shape::GrantedLock),
    refusals: &[
        ErrorCode::InvalidId,
        ErrorCode::NoSuchLock,
        ErrorCode::NotHeld,
        ErrorCode::Held,
        ErrorCode::TimeoutTooLong,
        ErrorCode::TooManyHolders,
        ErrorCode::TokensExhausted,
        ErrorCode::AlreadyHeld,
        ErrorCode::LockBeingDeleted,
        ErrorCode::RequestOver,
        ErrorCode::IdempotencyKeyReused,
    ],
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(answer_with_grant(api, &ENDPOINT, caller, request, parse))
    }),
};

fn parse(call: &Call<'_>) -> Result<(Command, Detail), Problem> {
    let (hold, terms, detail) = (call.hold(Mode::Write)?, call.terms()?, call.detail());
    Ok((Command::Downgrade { hold, terms }, detail))
}
