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
        ]
    };
}

pub(crate) mod acquire;
pub(crate) mod acquire_several;
pub(crate) mod downgrade;
pub(crate) mod refresh;
pub(crate) mod release;
pub(crate) mod upgrade;

use leasehold_core::{Command, Detail, Mono, Reply};

use crate::call::preferred;
use crate::error_code::ErrorCode;
use crate::exchange::Response;
use crate::handlers::mismatched;
use crate::problem::Problem;
use crate::state::Api;
use crate::wire::{GrantedLock, Lock};

const READ_PROCESS: &str = "/v1/distributed_lock/{lock_id}/read-process/{process_id}";
const WRITE_PROCESS: &str = "/v1/distributed_lock/{lock_id}/write-process/{process_id}";

const READ_PROCESS_REFRESH: &str =
    "/v1/distributed_lock/{lock_id}/read-process/{process_id}/refresh";
const WRITE_PROCESS_REFRESH: &str =
    "/v1/distributed_lock/{lock_id}/write-process/{process_id}/refresh";

/// A command about one hold whose lock is the reply.
async fn submit(api: &Api, command: Command, detail: Detail) -> Result<Response, Problem> {
    match api.engine.submit(command).await? {
        Reply::Lock(lock) => Ok(preferred(&Lock::from(&lock), detail)),
        other => Err(mismatched(&other)),
    }
}

/// A command that grants one hold, from a request that arrived then.
async fn submit_for_grant(
    api: &Api,
    command: Command,
    detail: Detail,
    arrived: Mono,
) -> Result<Response, Problem> {
    match api.engine.submit(command).await? {
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
