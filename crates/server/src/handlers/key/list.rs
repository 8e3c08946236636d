//! List API keys.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use leasehold_core::{Command, Reply, Role};

use super::managed_namespace;
use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
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
};

pub(crate) async fn handle(
    State(api): State<ApiState>,
    request: Request,
) -> Result<Response, Problem> {
    let namespace = managed_namespace(&Call::open(&api, &ENDPOINT, &request)?.caller);
    match api.engine.submit(Command::ListKeys { namespace }).await? {
        Reply::Keys(keys) => {
            let body = Keys { keys: keys.iter().map(Key::from).collect() };
            Ok(reply::json(StatusCode::OK, &body))
        }
        other => Err(mismatched(&other)),
    }
}
