//! Shut an API key out.

use hyper::StatusCode;
use leasehold_core::{Command, KeyId, Reply, Role};

use super::managed_namespace;
use crate::auth::Caller;
use crate::call::Call;
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::{Handler, Request, Response};
use crate::handlers::mismatched;
use crate::parameter::END_HOLDS;
use crate::problem::Problem;
use crate::reply;
use crate::state::ApiState;
use crate::wire::Key;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Delete,
    path: "/v1/keys/{key_id}",
    noun: Noun::Key,
    operation: "revoke_key",
    summary: "Revoke an API key",
    description: "Shuts a key out for good, from the next request on. Requests that wait with it end with \
                  401 `unauthorized`, and event streams close. What was acquired with it stays held until it \
                  is released or expires; with `end_holds=true` it ends as well, as `forced`.",
    parameters: &[&END_HOLDS],
    headers: &[Header::IdempotencyKey],
    success: (StatusCode::OK, Shape::Key),
    refusals: &[ErrorCode::InvalidId, ErrorCode::NoSuchKey, ErrorCode::IdempotencyKeyReused],
    handler: Handler::Keyed(Role::Admin, |api, caller, request| {
        Box::pin(handle(api, caller, request))
    }),
};

async fn handle(api: ApiState, caller: Caller, request: Request) -> Result<Response, Problem> {
    let (origin, command) = Call::read_from(&api, caller, &ENDPOINT, request, parse).await?;
    match api.engine.submit_from(origin, command).await? {
        Reply::Key(key) => Ok(reply::json(StatusCode::OK, &Key::from(&key))),
        other => Err(mismatched(&other)),
    }
}

fn parse(call: &Call<'_>) -> Result<Command, Problem> {
    Ok(Command::RevokeKey {
        key_id: call.path_id("{key_id}", KeyId::parse)?,
        namespace: managed_namespace(&call.caller),
        end_holds: call.query.flag(&END_HOLDS)?,
        rest: None,
    })
}
