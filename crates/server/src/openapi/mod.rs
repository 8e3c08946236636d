//! The OpenAPI document, made from what the calls say of themselves.

mod example;
mod operation;
mod parameters;
mod responses;

use utoipa::PartialSchema;
use utoipa::ToSchema;
use utoipa::openapi::path::{PathItem, PathsBuilder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{
    Components, ComponentsBuilder, Info, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    Server,
};

use crate::endpoint::Noun;
use crate::router::ENDPOINTS;
use crate::wire;

const X_API_KEY: &str = "x-api-key";
const BEARER: &str = "bearer";
const KEY_IN_QUERY: &str = "key";

const DESCRIPTION: &str = "\
Named locks over plain HTTP: shared readers, exclusive or shared writers. Every hold has a timeout and \
is released by the service when it runs out; whoever needs longer refreshes it. With `wait_seconds` an \
acquire stands in line, first come, first served.

Every grant carries a `fencing_token` that only grows. A holder that was paused past its timeout does \
not know that it lost the lock: hand the token to the resource that the lock protects, and let it \
refuse lower tokens than the highest it has seen.

Every refusal is an RFC 9457 problem document; decide by its `code` ([all of them](docs/errors)).";

/// The OpenAPI 3.1 document of the service.
#[must_use]
pub fn openapi() -> OpenApi {
    let paths = ENDPOINTS.iter().fold(PathsBuilder::new(), |paths, endpoint| {
        let operation = operation::operation(endpoint);
        paths.path(endpoint.path, PathItem::new(endpoint.method.clone(), operation))
    });
    OpenApiBuilder::new()
        .info(info())
        .servers(Some([Server::new("/")]))
        .paths(paths)
        .components(Some(components()))
        .tags(Some(
            [
                Noun::Lock,
                Noun::Hold,
                Noun::Process,
                Noun::Wait,
                Noun::Event,
                Noun::Key,
                Noun::Service,
            ]
            .map(tag),
        ))
        .build()
}

fn info() -> Info {
    InfoBuilder::new()
        .title("Leasehold")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(
            LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build(),
        ))
        .build()
}

fn tag(noun: Noun) -> Tag {
    let description = match noun {
        Noun::Lock => "Locks as such.",
        Noun::Hold => {
            "What a process has of a lock, shared (`read-process`) or exclusive (`write-process`)."
        }
        Noun::Process => "All that a process holds, in one call.",
        Noun::Wait => "Who stands in line, and because of whom.",
        Noun::Event => "What happens to locks, as it happens.",
        Noun::Key => "API keys, for admins.",
        Noun::Service => "The service itself. No key is needed.",
    };
    TagBuilder::new().name(tag_name(noun)).description(Some(description)).build()
}

fn tag_name(noun: Noun) -> &'static str {
    match noun {
        Noun::Lock => "locks",
        Noun::Hold => "holds",
        Noun::Process => "processes",
        Noun::Wait => "waits",
        Noun::Event => "events",
        Noun::Key => "keys",
        Noun::Service => "service",
    }
}

fn components() -> Components {
    let components = ComponentsBuilder::new();
    let components = with_schema::<wire::Lock<'static>>(components);
    let components = with_schema::<wire::GrantedLock<'static>>(components);
    let components = with_schema::<wire::AcquireRequest>(components);
    let components = with_schema::<wire::Grants<'static>>(components);
    let components = with_schema::<wire::Locks<'static>>(components);
    let components = with_schema::<wire::History<'static>>(components);
    let components = with_schema::<wire::ProcessHolds<'static>>(components);
    let components = with_schema::<wire::Waits<'static>>(components);
    let components = with_schema::<wire::LockEvent<'static>>(components);
    let components = with_schema::<wire::EventGap>(components);
    let components = with_schema::<wire::Cluster<'static>>(components);
    let components = with_schema::<wire::ProblemDocument<'static>>(components);
    let components = with_schema::<wire::KeyRequest>(components);
    let components = with_schema::<wire::KeyChange>(components);
    let components = with_schema::<wire::NewKey<'static>>(components);
    let components = with_schema::<wire::Key<'static>>(components);
    let components = with_schema::<wire::Keys<'static>>(components);
    let components = with_schema::<wire::Health<'static>>(components);
    let components = with_schema::<wire::Readiness>(components);
    components
        .security_scheme(X_API_KEY, in_header())
        .security_scheme(BEARER, bearer())
        .security_scheme(KEY_IN_QUERY, in_query())
        .build()
}

fn with_schema<T: ToSchema>(components: ComponentsBuilder) -> ComponentsBuilder {
    let mut referenced = Vec::new();
    T::schemas(&mut referenced);
    components.schema(T::name(), <T as PartialSchema>::schema()).schemas_from_iter(referenced)
}

fn in_header() -> SecurityScheme {
    let description = "The API key as a header of its own.";
    SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(X_API_KEY, description)))
}

fn bearer() -> SecurityScheme {
    let description = "The API key as `Authorization: Bearer`.";
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description));
    SecurityScheme::Http(scheme.build())
}

fn in_query() -> SecurityScheme {
    let description = "For clients that cannot set headers. The weaker way: addresses end up in the \
                       logs of proxies and in histories.";
    SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description(KEY_IN_QUERY, description)))
}
