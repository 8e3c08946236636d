//! Make an API key.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use leasehold_core::{Command, Namespace, Reply, Role};
use leasehold_engine::{Clock, SystemClock};
use tokio::time::timeout;

use crate::auth::Caller;
use crate::call::Call;
use crate::credentials::{self, NewKeyError};
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::ErrorCode;
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
                  namespace, other admins only of their own.",
    needs: Some(Role::Admin),
    parameters: &[],
    can_be_minimal: false,
    success: (StatusCode::CREATED, Shape::NewKey),
    refusals: &[
        ErrorCode::InvalidBody,
        ErrorCode::UnsupportedMediaType,
        ErrorCode::TooManyKeys,
        ErrorCode::KeyExists,
    ],
};

/// How long a caller may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn handle(
    State(api): State<ApiState>,
    request: Request,
) -> Result<Response, Problem> {
    let caller = Call::open(&api, &ENDPOINT, &request)?.caller;
    check_media_type(request.headers())?;
    let body = read_body(request.into_body(), api.settings.max_body_bytes).await?;
    let asked: KeyRequest =
        serde_json::from_slice(&body).map_err(|error| invalid_body(&error.to_string()))?;
    let role = asked.role.into();
    let namespace = namespace(&caller, asked.namespace.as_deref())?;
    let made = credentials::generate(namespace, role, asked.label, SystemClock.now().wall)
        .map_err(|error| refuse(&error))?;
    match api.engine.submit(Command::CreateKey(made.key)).await? {
        Reply::Key(key) => {
            let body = NewKey { public: Key::from(&key), key: &made.secret };
            Ok(reply::json(StatusCode::CREATED, &body))
        }
        other @ (Reply::Lock(_) | Reply::Keys(_)) => Err(mismatched(&other)),
    }
}

fn namespace(caller: &Caller, asked: Option<&str>) -> Result<Namespace, Problem> {
    let Some(asked) = asked else { return Ok(caller.namespace.clone()) };
    let namespace =
        Namespace::parse(asked).map_err(|error| invalid_body(&format!("`namespace` {error}")))?;
    if namespace == caller.namespace || caller.is_operator() {
        return Ok(namespace);
    }
    let own = caller.namespace.as_str();
    let reason = format!("your key manages the keys of the namespace `{own}` alone");
    Err(Problem::new(ErrorCode::Forbidden, &reason))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let media_type = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    if media_type.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::UnsupportedMediaType, "the body is announced as something else"))
}

async fn read_body(body: Body, max_bytes: usize) -> Result<Bytes, Problem> {
    match timeout(BODY_TIMEOUT, to_bytes(body, max_bytes)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let reason = format!("the body broke off, or has more than {max_bytes} bytes");
            Err(Problem::new(ErrorCode::BodyTooLarge, &reason))
        }
        Err(_) => Err(invalid_body("it did not arrive in time")),
    }
}

fn invalid_body(reason: &str) -> Problem {
    Problem::new(ErrorCode::InvalidBody, &format!("the body is not valid: {reason}"))
}

fn refuse(error: &NewKeyError) -> Problem {
    match error {
        NewKeyError::LabelTooLong(_) | NewKeyError::LabelHasControlCharacter => {
            invalid_body(&error.to_string())
        }
        NewKeyError::NoRandomness(_) | NewKeyError::Id(_) => {
            Problem::new(ErrorCode::Internal, &error.to_string())
        }
    }
}
