//! The files that the interactive page loads.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{StatusCode, Uri};
use percent_encoding::percent_decode_str;
use utoipa_swagger_ui::Config;

use crate::error_code::ErrorCode;
use crate::exchange::{Answering, Request, Response};
use crate::problem::Problem;
use crate::reply;
use crate::state::ApiState;

pub(crate) const PATH: &str = "/v1/docs/{file}";

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The files of Swagger UI that the page uses, and the script that starts it.
pub(crate) fn answer(_: ApiState, request: Request) -> Answering {
    Box::pin(async move { handle(request.uri()) })
}

fn handle(uri: &Uri) -> Result<Response, Problem> {
    let encoded = uri.path().rsplit('/').next().unwrap_or_default();
    let name = percent_decode_str(encoded).decode_utf8().map_err(|_| missing())?;
    let mut response = match name.as_ref() {
        "start.js" => reply::with_type(StatusCode::OK, JAVASCRIPT, include_str!("start.js")),
        "swagger-ui-bundle.js" => embedded(&name, JAVASCRIPT)?,
        "swagger-ui.css" => embedded(&name, "text/css; charset=utf-8")?,
        "favicon-32x32.png" => embedded(&name, "image/png")?,
        _ => return Err(missing()),
    };
    let a_day = HeaderValue::from_static("max-age=86400");
    response.headers_mut().insert(header::CACHE_CONTROL, a_day);
    Ok(response)
}

fn embedded(name: &str, media_type: &'static str) -> Result<Response, Problem> {
    let file = utoipa_swagger_ui::serve(name, Arc::new(Config::default())).ok().flatten();
    let bytes = Bytes::from(file.ok_or_else(missing)?.bytes.into_owned());
    Ok(reply::with_type(StatusCode::OK, media_type, bytes))
}

fn missing() -> Problem {
    Problem::new(ErrorCode::NoSuchRoute, "the documentation has no such file")
}
