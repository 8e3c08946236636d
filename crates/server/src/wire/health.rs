//! What people and orchestrators ask about the service itself.

use serde::Serialize;
use utoipa::ToSchema;

use super::Rfc3339;

/// The service answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health<'a> {
    /// Always `healthy`.
    pub(crate) message: &'static str,
    /// Version of the service.
    pub(crate) service_version: &'a str,
    /// Commit that it was built from.
    pub(crate) commit_id: &'a str,
    /// The service's wall clock, UTC.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) time: Rfc3339,
}

/// The service answers calls to locks.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Always true: while it is not, the reply is a refusal that says why.
    pub(crate) ready: bool,
}
