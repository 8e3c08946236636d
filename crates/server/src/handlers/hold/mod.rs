//! Holds: what a process has of a lock, shared or exclusive.

/// What an acquire can be refused for, after what is wrong with how it was asked for.
macro_rules! acquire_refusals {
    ($($asked_wrongly:ident),+) => {
        &[
            $(ErrorCode::$asked_wrongly,)+
            ErrorCode::NoSuchLock,
            ErrorCode::Held,
            ErrorCode::WaitTimedOut,
            ErrorCode::Deadlock,
            ErrorCode::AlreadyWaiting,
            ErrorCode::Superseded,
            ErrorCode::TooManyWaiters,
            ErrorCode::AlreadyHeld,
            ErrorCode::TimeoutTooLong,
            ErrorCode::TooManyHolders,
            ErrorCode::TooManyLocks,
            ErrorCode::QuotaExceeded,
            ErrorCode::TokensExhausted,
            ErrorCode::LockBeingDeleted,
            ErrorCode::LockDeleted,
            ErrorCode::LockDiffers,
            ErrorCode::RequestOver,
            ErrorCode::IdempotencyKeyReused,
        ]
    };
}

pub(crate) mod acquire;
pub(crate) mod acquire_several;
pub(crate) mod downgrade;
pub(crate) mod refresh;
pub(crate) mod release;
pub(crate) mod upgrade;

use leasehold_core::{Command, Detail, Reply};

use crate::auth::Caller;
use crate::call::{Call, preferred};
use crate::endpoint::Endpoint;
use crate::error_code::ErrorCode;
use crate::exchange::{Request, Response};
use crate::handlers::mismatched;
use crate::problem::Problem;
use crate::state::ApiState;
use crate::wire::{GrantedLock, Lock};

const READ_PROCESS: &str = "/v1/distributed_lock/{lock_id}/read-process/{process_id}";
const WRITE_PROCESS: &str = "/v1/distributed_lock/{lock_id}/write-process/{process_id}";

const READ_PROCESS_REFRESH: &str =
    "/v1/distributed_lock/{lock_id}/read-process/{process_id}/refresh";
const WRITE_PROCESS_REFRESH: &str =
    "/v1/distributed_lock/{lock_id}/write-process/{process_id}/refresh";

/// Answers a call about one hold with its lock.
async fn answer(
    api: ApiState,
    endpoint: &'static Endpoint,
    caller: Caller,
    request: Request,
    parse: impl FnOnce(&Call<'_>) -> Result<(Command, Detail), Problem>,
) -> Result<Response, Problem> {
    let (origin, (command, detail)) =
        Call::read_from(&api, caller, endpoint, request, parse).await?;
    match api.engine.submit_from(origin, command).await? {
        Reply::Lock(lock) => Ok(preferred(&Lock::from(&lock), detail)),
        other => Err(mismatched(&other)),
    }
}

/// Answers a call that grants one hold.
async fn answer_with_grant(
    api: ApiState,
    endpoint: &'static Endpoint,
    caller: Caller,
    request: Request,
    parse: impl FnOnce(&Call<'_>) -> Result<(Command, Detail), Problem>,
) -> Result<Response, Problem> {
    let arrived = api.engine.mono();
    let (origin, (command, detail)) =
        Call::read_from(&api, caller, endpoint, request, parse).await?;
    match api.engine.submit_from(origin, command).await? {
        Reply::Granted(grants) => match grants.as_slice() {
            [grant] => {
                let now = api.engine.mono();
                Ok(preferred(&GrantedLock::new(grant, arrived, now), detail))
            }
            several => {
                let reason = format!("one lock was asked for and {} were granted", several.len());
                Err(Problem::new(ErrorCode::Internal, &reason))
            }
        },
        other => Err(mismatched(&other)),
    }
}
