//! One call.

use serde_json::{Value, json};
use utoipa::openapi::path::{Operation, OperationBuilder};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, Required};

use super::parameters::{parameters, value_schema};
use super::responses::responses;
use super::{BEARER, KEY_IN_QUERY, X_API_KEY, example, tag_name};
use crate::endpoint::{Endpoint, Reply};

pub(super) fn operation(endpoint: &Endpoint) -> Operation {
    let operation = OperationBuilder::new()
        .tag(tag_name(endpoint.noun))
        .operation_id(Some(endpoint.operation))
        .summary(Some(endpoint.summary))
        .description(Some(description(endpoint)))
        .parameters(Some(parameters(endpoint)))
        .request_body(request_body(endpoint))
        .responses(responses(endpoint));
    let securities = match endpoint.needs() {
        Some(_) => vec![X_API_KEY, BEARER, KEY_IN_QUERY],
        None => Vec::new(),
    };
    let requirement = |scheme| SecurityRequirement::new::<_, [&str; 0], _>(scheme, []);
    operation.securities(Some(securities.into_iter().map(requirement))).build()
}

fn description(endpoint: &Endpoint) -> String {
    match endpoint.needs() {
        Some(role) => {
            let role = role.as_str();
            format!("{} Needs a key with the role `{role}`, or a higher one.", endpoint.description)
        }
        None => endpoint.description.to_owned(),
    }
}

fn request_body(endpoint: &Endpoint) -> Option<RequestBody> {
    if endpoint.takes_body_parameters() && !endpoint.parameters.is_empty() {
        return Some(body_parameters(endpoint));
    }
    match endpoint.success.1 {
        Reply::NewKey => Some(json_body("KeyRequest", example::key_request())),
        Reply::LimitedKey => Some(json_body("KeyChange", example::key_change())),
        Reply::Grants => Some(json_body("AcquireRequest", example::acquire_request())),
        Reply::Lock
        | Reply::GrantedLock
        | Reply::Locks
        | Reply::History
        | Reply::Process
        | Reply::Waits => None,
        Reply::Events
        | Reply::Key
        | Reply::Keys
        | Reply::Cluster
        | Reply::Health
        | Reply::Readiness
        | Reply::Text(_) => None,
    }
}

/// The parameters once more, as a JSON object. The example is empty because the interactive page sends it
/// along with the query.
fn body_parameters(endpoint: &Endpoint) -> RequestBody {
    let schema = endpoint.parameters.iter().fold(ObjectBuilder::new(), |schema, parameter| {
        parameter
            .names()
            .fold(schema, |schema, name| schema.property(name, value_schema(parameter).build()))
    });
    let description = "Parameters as one JSON object, in place of the query: each in one of the two. Names \
                       are those of the query, numbers and booleans are JSON numbers and booleans, and \
                       `null` is a parameter that is left out. Any other body is refused.";
    let content = ContentBuilder::new()
        .schema(Some(
            schema.additional_properties(Some(AdditionalProperties::FreeForm(false))).build(),
        ))
        .example(Some(json!({})))
        .build();
    RequestBodyBuilder::new()
        .description(Some(description))
        .content("application/json", content)
        .required(Some(Required::False))
        .build()
}

fn json_body(schema: &str, example: Value) -> RequestBody {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(schema)))
        .example(Some(example))
        .build();
    let body = RequestBodyBuilder::new().content("application/json", content);
    body.required(Some(Required::True)).build()
}
