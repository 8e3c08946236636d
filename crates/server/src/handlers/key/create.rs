//! Make an API key.

use hyper::StatusCode;
use leasehold_core::{Command, Namespace, Refusal, Reply, Role};
use leasehold_engine::{Clock, SystemClock};

use super::own_limits;
use crate::auth::Caller;
use crate::body::{self, Bounds};
use crate::call::Call;
use crate::credentials::{self, NewKeyError};
use crate::endpoint::{Endpoint, Header, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
use crate::exchange::{Handler, Request, Response};
use crate::handlers::mismatched;
use crate::problem::Problem;
use crate::reply;
use crate::state::ApiState;
use crate::wire::{Key, KeyRequest, NewKey};

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Post,
    path: "/v1/keys",
    noun: Noun::Key,
    operation: "create_key",
    summary: "Create an API key",
    description: "Makes a key and shows it once. Admins of the namespace `default` make keys of any \
                  namespace, other admins only of their own. Its calls can be bounded: how many in a \
                  second, and how far they may fill the namespace. Limits beyond those of the caller's own \
                  key are for admins of the namespace `default`.",
    parameters: &[],
    headers: &[Header::IdempotencyKey],
    success: (StatusCode::CREATED, Shape::NewKey),
    refusals: &[
        ErrorCode::KeyShownBefore,
        ErrorCode::IdempotencyKeyReused,
        ErrorCode::InvalidBody,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::TooManyKeys,
        ErrorCode::KeyExists,
    ],
    handler: Handler::Keyed(Role::Admin, |api, caller, request| {
        Box::pin(handle(api, caller, request))
    }),
};

async fn handle(api: ApiState, caller: Caller, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let (caller, origin) = {
        let call = Call::open(caller, &ENDPOINT, &head)?;
        let origin = call.origin()?;
        (call.caller, origin)
    };
    let asked: KeyRequest = body::read(&head, body, Bounds::of(&api)).await?;
    let role = asked.role.into();
    let namespace = namespace(&caller, asked.namespace.as_deref())?;
    let limits = asked.limits().map_err(Refusal::from)?;
    own_limits::check(&caller, limits, None)?;
    let now = SystemClock.now().wall;
    let made = credentials::generate(namespace, role, asked.label.unwrap_or_default(), now, limits)
        .map_err(|error| refuse(&error))?;
    match api.engine.submit_from(origin, Command::CreateKey(made.key)).await? {
        Reply::Key(key) => {
            let body = NewKey { public: Key::from(&key), key: &made.secret };
            Ok(reply::json(StatusCode::CREATED, &body))
        }
        other => Err(mismatched(&other)),
    }
}

fn namespace(caller: &Caller, asked: Option<&str>) -> Result<Namespace, Problem> {
    let Some(asked) = asked else { return Ok(caller.namespace.clone()) };
    let namespace =
        Namespace::parse(asked).map_err(|error| body::invalid(&format!("`namespace` {error}")))?;
    if namespace == caller.namespace || caller.is_operator() {
        return Ok(namespace);
    }
    let own = caller.namespace.as_str();
    let reason = format!("your key manages the keys of the namespace `{own}` alone");
    Err(Problem::new(ErrorCode::Forbidden, &reason))
}

fn refuse(error: &NewKeyError) -> Problem {
    match error {
        NewKeyError::LabelTooLong(_) | NewKeyError::LabelHasControlCharacter => {
            body::invalid(&error.to_string())
        }
        NewKeyError::NoRandomness(_) | NewKeyError::Id(_) => {
            Problem::new(ErrorCode::Internal, &error.to_string())
        }
    }
}
