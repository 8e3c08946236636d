//! What a call takes: ids in its path, query parameters in both spellings, headers.

use serde_json::Value;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter as Documented, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::endpoint::{Endpoint, Header};
use crate::parameter::{Kind, Parameter};

pub(super) fn parameters(endpoint: &Endpoint) -> Vec<Documented> {
    let in_path = endpoint.path.split('/').filter_map(path_parameter);
    let in_query = endpoint.parameters.iter().flat_map(|parameter| query_parameters(parameter));
    let in_header = endpoint.headers.iter().map(|taken| match taken {
        Header::Prefer => prefer(),
        Header::IdempotencyKey => idempotency_key(),
        Header::LastEventId => last_event_id(),
    });
    in_path.chain(in_query).chain(in_header).chain([request_id()]).collect()
}

fn path_parameter(segment: &str) -> Option<Documented> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    let schema = string().min_length(Some(1)).max_length(Some(255));
    let description = "1 to 255 bytes of UTF-8 after percent-decoding, no control characters, not \
                       `.` or `..`; a `/` is written `%2F`.";
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema.build()));
    Some(parameter.build())
}

fn query_parameters(parameter: &Parameter) -> impl Iterator<Item = Documented> {
    let alias_of = format!(
        "Alias of `{}`, as clients of the old service spell it. Give one of the two.",
        parameter.name
    );
    let in_query = |name: &str, description: &str, schema: ObjectBuilder| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(schema.build()))
            .build()
    };
    let default = parameter.default.and_then(|text| serde_json::from_str::<Value>(text).ok());
    // The interactive page fills defaults in and sends them: one on the alias too would make every
    // call that is tried there give the parameter twice. The same goes for examples of headers.
    let schema = value_schema(parameter).default(default);
    let alias = parameter.alias.map(|alias| in_query(alias, &alias_of, value_schema(parameter)));
    [in_query(parameter.name, parameter.description, schema)].into_iter().chain(alias)
}

pub(super) fn value_schema(parameter: &Parameter) -> ObjectBuilder {
    match parameter.kind {
        Kind::WholeNumber { min, max } => {
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(min)).maximum(max)
        }
        Kind::Boolean => ObjectBuilder::new().schema_type(Type::Boolean),
        Kind::Text { max_bytes } => string().max_length(max_bytes),
        Kind::OneOf(words) => string().enum_values(Some(words.iter().copied())),
    }
}

fn prefer() -> Documented {
    let description = "`return=minimal` lists only the caller's own hold in the reply, which then \
                       has the header `Preference-Applied`.";
    header("Prefer", description)
}

fn idempotency_key() -> Documented {
    let description = "1 to 255 bytes that mark this request, the same each time that it is sent: \
                       sent again after a lost reply, it gets the same answer and does nothing twice.";
    header("Idempotency-Key", description)
}

fn last_event_id() -> Documented {
    let description = "The `id` of the last event that the client has seen, as `EventSource` sends it by \
                       itself: the stream resumes after it.";
    header("Last-Event-ID", description)
}

fn request_id() -> Documented {
    let description = "1 to 128 printable ASCII characters that name the request; the reply repeats \
                       them. Without them the service draws a name.";
    header("x-request-id", description)
}

fn header(name: &str, description: &str) -> Documented {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(string().build()))
        .build()
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}
