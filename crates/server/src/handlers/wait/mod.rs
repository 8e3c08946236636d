//! Waits: who stands in line, and because of whom.

pub(crate) mod list;
