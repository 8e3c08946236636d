//! The files that the interactive page loads.

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use utoipa_swagger_ui::Config;

use crate::error_code::ErrorCode;
use crate::problem::Problem;
use crate::reply;

pub(crate) const PATH: &str = "/v1/docs/{file}";

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The files of Swagger UI that the page uses, and the script that starts it.
pub(crate) async fn handle(file: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let name = file.map_or_else(|_| String::new(), |Path(name)| name);
    let mut response = match name.as_str() {
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
