//! Holds: what a process has of a lock, shared or exclusive.

pub(crate) mod acquire;
pub(crate) mod refresh;
pub(crate) mod release;

use axum::response::Response;
use leasehold_core::{Command, Detail, Reply};

use crate::call::lock_reply;
use crate::handlers::mismatched;
use crate::problem::Problem;
use crate::state::Api;

const READ_PROCESS: &str = "/v1/distributed_lock/{lock_id}/read-process/{process_id}";
const WRITE_PROCESS: &str = "/v1/distributed_lock/{lock_id}/write-process/{process_id}";

const READ_PROCESS_REFRESH: &str =
    "/v1/distributed_lock/{lock_id}/read-process/{process_id}/refresh";
const WRITE_PROCESS_REFRESH: &str =
    "/v1/distributed_lock/{lock_id}/write-process/{process_id}/refresh";

async fn submit(api: &Api, command: Command, detail: Detail) -> Result<Response, Problem> {
    match api.engine.submit(command).await? {
        Reply::Lock(lock) => Ok(lock_reply(&lock, detail)),
        other @ (Reply::Key(_) | Reply::Keys(_)) => Err(mismatched(&other)),
    }
}
