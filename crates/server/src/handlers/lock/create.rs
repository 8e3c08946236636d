//! Make a lock.

use hyper::StatusCode;
use leasehold_core::{Command, Role};

use super::answer;
use crate::asked_kind::AskedKind;
use crate::call::Call;
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::Handler;
use crate::parameter::{EPHEMERAL, IS_EXCLUSIVE, MAX_READERS, MAX_WRITERS};
use crate::problem::Problem;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Post,
    path: "/v1/distributed_lock/{lock_id}",
    noun: Noun::Lock,
    operation: "create_lock",
    summary: "Create a lock",
    description: "Makes a lock that does not exist yet. It is free until a process acquires it.",
    parameters: &[&IS_EXCLUSIVE, &MAX_WRITERS, &MAX_READERS, &EPHEMERAL],
    headers: &[Header::IdempotencyKey],
    success: (StatusCode::CREATED, Shape::Lock),
    refusals: &[
        ErrorCode::InvalidId,
        ErrorCode::LockExists,
        ErrorCode::TooManyLocks,
        ErrorCode::QuotaExceeded,
        ErrorCode::NoSuchLock,
        ErrorCode::IdempotencyKeyReused,
    ],
    handler: Handler::Keyed(Role::Write, |api, caller, request| {
        Box::pin(answer(api, &ENDPOINT, caller, request, parse))
    }),
};

fn parse(call: &Call<'_>) -> Result<Command, Problem> {
    Ok(Command::CreateLock {
        namespace: call.caller.namespace.clone(),
        lock_id: call.lock_id()?,
        new: AskedKind::of(&call.query)?.new_lock()?,
        quotas: call.caller.limits.quotas,
    })
}
