//! The service itself: for people, orchestrators and monitoring. None of it needs a key.

pub(crate) mod healthcheck;
pub(crate) mod livez;
pub(crate) mod metrics;
pub(crate) mod readyz;
