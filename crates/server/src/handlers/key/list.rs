//! List API keys.

use hyper::StatusCode;
use leasehold_core::{Command, Reply, Role};

use super::managed_namespace;
use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::exchange::{Request, Response};
use crate::handlers::mismatched;
use crate::problem::Problem;
use crate::reply;
use crate::state::ApiState;
use crate::wire::{Key, Keys};

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/v1/keys",
    noun: Noun::Key,
    operation: "list_keys",
    summary: "List API keys",
    description: "Lists the keys that the caller may manage. Secrets are not kept, so none is shown.",
    needs: Some(Role::Admin),
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Keys),
    refusals: &[],
    answer: |api, request| Box::pin(handle(api, request)),
};

async fn handle(api: ApiState, request: Request) -> Result<Response, Problem> {
    let namespace =
        Call::read(&api, &ENDPOINT, request, |call| Ok(managed_namespace(&call.caller)))?;
    match api.engine.submit(Command::ListKeys { namespace }).await? {
        Reply::Keys(keys) => {
            let body = Keys { keys: keys.iter().map(Key::from).collect() };
            Ok(reply::json(StatusCode::OK, &body))
        }
        other => Err(mismatched(&other)),
    }
}
