//! Locks as such.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod list;

use leasehold_core::{Command, Reply};

use crate::auth::Caller;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::exchange::{Request, Response};
use crate::handlers::mismatched;
use crate::problem::Problem;
use crate::reply;
use crate::state::ApiState;
use crate::wire::Lock;

/// Answers a call about one lock with it.
async fn answer(
    api: ApiState,
    endpoint: &'static Endpoint,
    caller: Caller,
    request: Request,
    parse: impl FnOnce(&Call<'_>) -> Result<Command, Problem>,
) -> Result<Response, Problem> {
    let (status, _) = endpoint.success;
    let (origin, command) = Call::read_from(&api, caller, endpoint, request, parse).await?;
    match api.engine.submit_from(origin, command).await? {
        Reply::Lock(lock) => Ok(reply::json(status, &Lock::from(&lock))),
        other => Err(mismatched(&other)),
    }
}
