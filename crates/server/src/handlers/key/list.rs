//! List API keys.

use hyper::StatusCode;
use leasehold_core::{Command, Reply, Role};

use super::managed_namespace;
use crate::auth::Caller;
use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::exchange::{Handler, Request, Response};
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
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Keys),
    refusals: &[],
    handler: Handler::Keyed(Role::Admin, |api, caller, request| {
        Box::pin(handle(api, caller, request))
    }),
};

async fn handle(api: ApiState, caller: Caller, request: Request) -> Result<Response, Problem> {
    let parse = |call: &Call<'_>| Ok(managed_namespace(&call.caller));
    let namespace = Call::read(&api, caller, &ENDPOINT, request, parse).await?;
    match api.engine.submit(Command::ListKeys { namespace }).await? {
        Reply::Keys(keys) => {
            let body = Keys { keys: keys.iter().map(Key::from).collect() };
            Ok(reply::json(StatusCode::OK, &body))
        }
        other => Err(mismatched(&other)),
    }
}
