//! Take a hold.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use leasehold_core::{Command, Detail, Mode, Role};

use super::{READ_PROCESS, WRITE_PROCESS, submit};
use crate::call::Call;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape, TIMEOUT_SECONDS};
use crate::error_code::ErrorCode;
use crate::problem::Problem;
use crate::state::ApiState;

pub(crate) static READ: Endpoint = Endpoint {
    operation: "acquire_read",
    path: READ_PROCESS,
    summary: "Acquire for reading",
    description: "Takes a shared hold: beside other readers, never beside a writer. The process's \
                  entry in the reply carries its `fencing_token`.",
    ..WRITE_ENDPOINT
};

pub(crate) static WRITE: Endpoint = WRITE_ENDPOINT;

const WRITE_ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Put,
    path: WRITE_PROCESS,
    noun: Noun::Hold,
    operation: "acquire_write",
    summary: "Acquire for writing",
    description: "Takes a hold that excludes readers, and other writers where the lock is \
                  write-exclusive. The process's entry in the reply carries its `fencing_token`.",
    needs: Some(Role::Write),
    parameters: &[&TIMEOUT_SECONDS],
    can_be_minimal: true,
    success: (StatusCode::OK, Shape::Lock),
    refusals: &[
        ErrorCode::InvalidId,
        ErrorCode::NoSuchLock,
        ErrorCode::Held,
        ErrorCode::AlreadyHeld,
        ErrorCode::TimeoutTooLong,
        ErrorCode::TooManyHolders,
        ErrorCode::TokensExhausted,
    ],
};

pub(crate) async fn read(
    State(api): State<ApiState>,
    request: Request,
) -> Result<Response, Problem> {
    let (command, detail) = parse(&Call::open(&api, &READ, &request)?, Mode::Read)?;
    submit(&api, command, detail).await
}

pub(crate) async fn write(
    State(api): State<ApiState>,
    request: Request,
) -> Result<Response, Problem> {
    let (command, detail) = parse(&Call::open(&api, &WRITE, &request)?, Mode::Write)?;
    submit(&api, command, detail).await
}

fn parse(call: &Call<'_>, mode: Mode) -> Result<(Command, Detail), Problem> {
    let (hold, timeout, detail) = (call.hold(mode)?, call.query.timeout()?, call.detail());
    Ok((Command::Acquire { hold, timeout, detail }, detail))
}
