//! What a call answers: its success, and its refusals by status.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder, ResponsesBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, ContentBuilder, Header as DocumentedHeader, Ref, Responses};

use super::example;
use crate::endpoint::{Endpoint, Header, Reply};
use crate::error_code::{ErrorCode, Retry};
use crate::problem::PROBLEM_JSON;

pub(super) fn responses(endpoint: &Endpoint) -> Responses {
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in endpoint.all_refusals() {
        by_status.entry(code.status().as_u16()).or_default().push(code);
    }
    let refusals =
        by_status.into_iter().map(|(status, codes)| (status.to_string(), refusal(&codes)));
    ResponsesBuilder::new()
        .response(endpoint.success.0.as_str(), success(endpoint))
        .responses_from_iter(refusals)
        .build()
}

fn success(endpoint: &Endpoint) -> Response {
    let (description, media_type, content) = match endpoint.success.1 {
        Reply::Lock => {
            json("The lock as it stands after the call.", "Lock", example::lock(endpoint))
        }
        Reply::GrantedLock => {
            json("The lock as it stands, and the hold.", "GrantedLock", example::granted_lock())
        }
        Reply::Grants => json("The locks as they stand.", "Grants", example::grants()),
        Reply::Locks => json("A page of locks.", "Locks", example::locks()),
        Reply::History => json("A page of past holds.", "History", example::history()),
        Reply::Process => json("What the process holds.", "ProcessHolds", example::process()),
        Reply::Waits => json("Who waits.", "Waits", example::waits()),
        Reply::Events => {
            let text = ObjectBuilder::new().schema_type(Type::String).build();
            let content = ContentBuilder::new().schema(Some(text)).example(Some(example::events()));
            (
                "What happens, for as long as the client listens.",
                "text/event-stream",
                content.build(),
            )
        }
        Reply::NewKey => json("The key, shown this once.", "NewKey", example::new_key()),
        Reply::Key => json("The key as it was.", "Key", example::key()),
        Reply::LimitedKey => json("The key as it is from now on.", "Key", example::key()),
        Reply::Keys => json("The keys, by id.", "Keys", example::keys()),
        Reply::Cluster => json("Who leads, and who follows.", "Cluster", example::cluster()),
        Reply::Health => json("The service answers.", "Health", example::health()),
        Reply::Readiness => json("Calls are answered.", "Readiness", example::readiness()),
        Reply::Text(media_type) => {
            let text = ObjectBuilder::new().schema_type(Type::String).build();
            ("The text.", media_type, ContentBuilder::new().schema(Some(text)).build())
        }
    };
    let mut response = ResponseBuilder::new()
        .description(description)
        .content(media_type, content)
        .header("x-request-id", header("The request's name."));
    if endpoint.needs().is_some() {
        response = with_rate(response);
    }
    if endpoint.headers.contains(&Header::Prefer) {
        let applied = header("`return=minimal` if the reply lists only the caller's own hold.");
        response.header("Preference-Applied", applied).build()
    } else {
        response.build()
    }
}

fn json(
    description: &'static str,
    schema: &str,
    example: Value,
) -> (&'static str, &'static str, Content) {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .example(Some(example))
        .build();
    (description, "application/json", content)
}

/// All refusals of one status.
fn refusal(codes: &[ErrorCode]) -> Response {
    let describe = |code: &ErrorCode| format!("`{}`: {}.", code.word(), code.title());
    let description = codes.iter().map(describe).collect::<Vec<_>>().join(" ");
    let examples = codes.iter().map(|code| {
        let example = ExampleBuilder::new().summary(code.title());
        (code.word(), example.value(Some(example::problem(*code))).build())
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples)
        .build();
    let mut response = ResponseBuilder::new()
        .description(description)
        .content(PROBLEM_JSON, content)
        .header("x-request-id", header("The request's name."));
    if codes.iter().any(|code| matches!(code.retry(), Retry::AfterSecs(_))) {
        response = response.header("Retry-After", header("Seconds to wait before trying again."));
    }
    if codes.contains(&ErrorCode::RateLimited) {
        response = with_rate(response);
    }
    if codes.contains(&ErrorCode::Unauthorized) {
        response = response.header("WWW-Authenticate", header("How to send a key."));
    }
    response.build()
}

/// What a key with a rate is told on every reply.
fn with_rate(response: ResponseBuilder) -> ResponseBuilder {
    let policy = "To a key with a rate: `q` requests at once, and as many again in `w` seconds.";
    let left =
        "To a key with a rate: `r` requests are left, and all of them again after `t` seconds.";
    response.header("RateLimit-Policy", header(policy)).header("RateLimit", header(left))
}

fn header(description: &str) -> DocumentedHeader {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).build()))
        .description(Some(description))
        .build()
}
