//! The replicas of the service, and what they say to each other.

pub(crate) mod election;
pub(crate) mod get;
pub(crate) mod greeting;
pub(crate) mod proof;
