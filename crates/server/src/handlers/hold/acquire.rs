//! Take a hold.

use hyper::StatusCode;
use leasehold_core::{Acquire, Command, Detail, HoldKey, Mode, Role, Want};

use super::{READ_PROCESS, WRITE_PROCESS, answer_with_grant};
use crate::asked_kind::AskedKind;
use crate::call::Call;
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::Handler;
use crate::parameter::{
    CREATE_IF_MISSING, EPHEMERAL, IS_EXCLUSIVE, MAX_READERS, MAX_WRITERS, NOTE, TIMEOUT_SECONDS,
    WAIT_SECONDS,
};
use crate::problem::Problem;

pub(crate) static READ: Endpoint = Endpoint {
    operation: "acquire_read",
    path: READ_PROCESS,
    summary: "Acquire for reading",
    description: "Takes a shared hold: beside other readers, never beside a writer, and never ahead \
                  of somebody who stands in line. The reply is the lock, with the `fencing_token` of \
                  the caller's own hold. A request with the `Idempotency-Key` of the one that was \
                  granted gets the same grant again while it lasts, and 409 `request_over` after that.",
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(answer_with_grant(api, &READ, caller, request, |call| parse(call, Mode::Read)))
    }),
    ..WRITE_ENDPOINT
};

pub(crate) static WRITE: Endpoint = WRITE_ENDPOINT;

const WRITE_ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Put,
    path: WRITE_PROCESS,
    noun: Noun::Hold,
    operation: "acquire_write",
    summary: "Acquire for writing",
    description: "Takes a hold that excludes readers, and other writers as far as the lock's \
                  `max_writers` says, and never ahead of somebody who stands in line. The reply is the \
                  lock, with the `fencing_token` of the caller's own hold. A request with the \
                  `Idempotency-Key` of the one that was granted gets the same grant again while it lasts, \
                  and 409 `request_over` after that.",
    parameters: &[
        &TIMEOUT_SECONDS,
        &WAIT_SECONDS,
        &NOTE,
        &CREATE_IF_MISSING,
        &IS_EXCLUSIVE,
        &MAX_WRITERS,
        &MAX_READERS,
        &EPHEMERAL,
    ],
    headers: &[Header::Prefer, Header::IdempotencyKey],
    success: (StatusCode::OK, Shape::GrantedLock),
    refusals: acquire_refusals!(InvalidId),
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(answer_with_grant(api, &WRITE, caller, request, |call| parse(call, Mode::Write)))
    }),
};

fn parse(call: &Call<'_>, mode: Mode) -> Result<(Command, Detail), Problem> {
    let HoldKey { namespace, lock_id, mode, process_id } = call.hold(mode)?;
    let create = call.query.flag(&CREATE_IF_MISSING)?;
    let create_if_missing = AskedKind::of(&call.query)?.if_missing(create)?;
    let acquire = Acquire {
        namespace,
        process_id,
        wants: vec![Want { lock_id, mode, create_if_missing }],
        terms: call.terms()?,
        wait: call.wait()?,
        quotas: call.caller.limits.quotas,
    };
    let detail = acquire.terms.detail;
    Ok((Command::Acquire(acquire), detail))
}
