//! A process as a whole: all that it holds, in one call.

pub(crate) mod get;
pub(crate) mod refresh;
pub(crate) mod release;

use hyper::StatusCode;
use leasehold_core::{Command, ProcessId, Reply};

use crate::exchange::Response;
use crate::handlers::mismatched;
use crate::problem::Problem;
use crate::reply;
use crate::state::Api;
use crate::wire::ProcessHolds;

const PROCESS: &str = "/v1/process/{process_id}";

/// A command about this process, which is the reply.
async fn submit(api: &Api, command: Command, process_id: &ProcessId) -> Result<Response, Problem> {
    match api.engine.submit(command).await? {
        Reply::Process { holds, lost } => {
            Ok(reply::json(StatusCode::OK, &ProcessHolds::new(process_id, &holds, &lost)))
        }
        other => Err(mismatched(&other)),
    }
}
