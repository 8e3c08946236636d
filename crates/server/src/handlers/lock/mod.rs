//! Locks as such.

pub(crate) mod create;
pub(crate) mod get;
