//! Look through locks.

use hyper::StatusCode;
use leasehold_core::{Command, ListLocks, LockState, ProcessId, Reply, Role};

use crate::auth::Caller;
use crate::call::Call;
use crate::cursor;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::exchange::{Handler, Request, Response};
use crate::handlers::mismatched;
use crate::parameter::{CURSOR, LIMIT, PREFIX, PROCESS_ID, STATE};
use crate::problem::Problem;
use crate::query::present;
use crate::reply;
use crate::state::ApiState;
use crate::wire::Locks;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/v1/distributed_lock",
    noun: Noun::Lock,
    operation: "list_locks",
    summary: "List locks",
    description: "Shows the locks of the caller's namespace by name, a page at a time; each with its \
                  first holders only. A page can be shorter than `limit`, even empty, while there are \
                  more: go on until `next_cursor` is null.",
    parameters: &[&PREFIX, &STATE, &PROCESS_ID, &LIMIT, &CURSOR],
    headers: &[],
    success: (StatusCode::OK, Shape::Locks),
    refusals: &[],
    handler: Handler::Keyed(Role::Read, |api, caller, request| {
        Box::pin(handle(api, caller, request))
    }),
};

async fn handle(api: ApiState, caller: Caller, request: Request) -> Result<Response, Problem> {
    let command = Call::read(&api, caller, &ENDPOINT, request, parse).await?;
    match api.engine.submit(command).await? {
        Reply::Locks { locks, next } => {
            Ok(reply::json(StatusCode::OK, &Locks::new(&locks, next.as_ref())))
        }
        other => Err(mismatched(&other)),
    }
}

fn parse(call: &Call<'_>) -> Result<Command, Problem> {
    let query = &call.query;
    let limit = present(&LIMIT, query.number(&LIMIT)?)?;
    Ok(Command::ListLocks(ListLocks {
        namespace: call.caller.namespace.clone(),
        prefix: query.parsed(&PREFIX, |text| Some(text.to_owned()))?.unwrap_or_default(),
        state: query.parsed(&STATE, state)?,
        process_id: query.parsed(&PROCESS_ID, |text| ProcessId::parse(text).ok())?,
        after: query.parsed(&CURSOR, cursor::lock_before)?,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
    }))
}

fn state(word: &str) -> Option<LockState> {
    match word {
        "FREE" => Some(LockState::Free),
        "READ" => Some(LockState::Read),
        "WRITE" => Some(LockState::Write),
        _ => None,
    }
}
