//! Look at who held a lock before.

use hyper::StatusCode;
use leasehold_core::{Command, LockId, Reply, Role};

use crate::auth::Caller;
use crate::call::Call;
use crate::cursor;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::{Handler, Request, Response};
use crate::handlers::mismatched;
use crate::parameter::{CURSOR_OF_HISTORY, LIMIT_OF_HISTORY};
use crate::problem::Problem;
use crate::query::present;
use crate::reply;
use crate::state::ApiState;
use crate::wire::History;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/v1/distributed_lock/{lock_id}/history",
    noun: Noun::Lock,
    operation: "lock_history",
    summary: "See who held a lock before",
    description: "Shows the holds of the lock that are over, the newest first, a page at a time: who, \
                  from when to when, with which token and note, and how it ended. Who holds it now \
                  stands in the lock itself. What holds of a deleted lock there were is shown under its \
                  name, also after a lock of that name is made anew. How much is kept, and for how \
                  long, are settings of the service.",
    parameters: &[&LIMIT_OF_HISTORY, &CURSOR_OF_HISTORY],
    headers: &[],
    success: (StatusCode::OK, Shape::History),
    refusals: &[ErrorCode::InvalidId, ErrorCode::NoSuchLock],
    handler: Handler::Keyed(Role::Read, |api, caller, request| {
        Box::pin(handle(api, caller, request))
    }),
};

async fn handle(api: ApiState, caller: Caller, request: Request) -> Result<Response, Problem> {
    let (command, lock_id) = Call::read(&api, caller, &ENDPOINT, request, parse).await?;
    match api.engine.submit(command).await? {
        Reply::History { past, next } => {
            Ok(reply::json(StatusCode::OK, &History::new(&lock_id, &past, next)))
        }
        other => Err(mismatched(&other)),
    }
}

fn parse(call: &Call<'_>) -> Result<(Command, LockId), Problem> {
    let (namespace, lock_id) = (call.caller.namespace.clone(), call.lock_id()?);
    let limit = present(&LIMIT_OF_HISTORY, call.query.number(&LIMIT_OF_HISTORY)?)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let before = call.query.parsed(&CURSOR_OF_HISTORY, cursor::past_before)?;
    let command = Command::GetHistory { namespace, lock_id: lock_id.clone(), before, limit };
    Ok((command, lock_id))
}
