//! A process as a whole: all that it holds, in one call.

pub(crate) mod get;
pub(crate) mod refresh;
pub(crate) mod release;

use hyper::StatusCode;
use leasehold_core::{Command, ProcessId, Reply};

use crate::auth::Caller;
use crate::call::Call;
use crate::endpoint::Endpoint;
use crate::exchange::{Request, Response};
use crate::handlers::mismatched;
use crate::problem::Problem;
use crate::reply;
use crate::state::ApiState;
use crate::wire::ProcessHolds;

const PROCESS: &str = "/v1/process/{process_id}";

/// Answers a call about a process with all that it holds.
async fn answer(
    api: ApiState,
    endpoint: &'static Endpoint,
    caller: Caller,
    request: Request,
    parse: impl FnOnce(&Call<'_>) -> Result<(Command, ProcessId), Problem>,
) -> Result<Response, Problem> {
    let (origin, (command, process_id)) =
        Call::read_from(&api, caller, endpoint, request, parse).await?;
    match api.engine.submit_from(origin, command).await? {
        Reply::Process { holds, lost } => {
            Ok(reply::json(StatusCode::OK, &ProcessHolds::new(&process_id, &holds, &lost)))
        }
        other => Err(mismatched(&other)),
    }
}
