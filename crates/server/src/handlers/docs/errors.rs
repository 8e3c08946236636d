//! What the `type` of a refusal leads to.

use std::fmt::Write;
use std::sync::LazyLock;

use bytes::Bytes;
use hyper::StatusCode;

use super::HTML;
use crate::endpoint::{Endpoint, HttpMethod, Noun, Reply as Shape};
use crate::error_code::{ErrorCode, Retry};
use crate::exchange::{Handler, Response};
use crate::reply;

pub(crate) static ENDPOINT: Endpoint = Endpoint {
    method: HttpMethod::Get,
    path: "/v1/docs/errors",
    noun: Noun::Service,
    operation: "errors",
    summary: "All refusals",
    description: "Explains every `code`; the `type` of a refusal leads here.",
    parameters: &[],
    headers: &[],
    success: (StatusCode::OK, Shape::Text(HTML)),
    refusals: &[],
    handler: Handler::Open(|_, _| Box::pin(async { Ok(handle()) })),
};

static PAGE: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(page()));

fn handle() -> Response {
    reply::with_type(StatusCode::OK, HTML, PAGE.clone())
}

fn page() -> String {
    let mut page = String::from(include_str!("errors.html"));
    for code in ErrorCode::ALL {
        let (word, status, title) = (code.word(), code.status(), code.title());
        let advice = code.advice().replace('<', "&lt;");
        let retry = match code.retry() {
            Retry::Never => "The same request will not succeed.".to_owned(),
            Retry::Later => "The same request may succeed later.".to_owned(),
            Retry::AfterSecs(secs) => {
                format!("Try again after {secs} s (<code>Retry-After</code>).")
            }
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "<section id=\"{word}\"><h2><code>{word}</code> {title}</h2>\
             <p>Status {status}, outcome {}. {retry}</p><p>{advice}</p></section>",
            code.outcome(),
        );
    }
    page
}
