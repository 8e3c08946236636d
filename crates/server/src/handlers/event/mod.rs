//! Events: what happens to locks, as it happens.

pub(crate) mod follow;
