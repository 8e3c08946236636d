//! A page of locks.

use leasehold_core::{LockId, LockView};
use serde::Serialize;
use utoipa::ToSchema;

use super::Lock;
use crate::cursor;

/// A page of locks.
#[derive(Serialize, ToSchema)]
pub(crate) struct Locks<'a> {
    /// By name, in the order of their bytes; each with its first holders only. A page can be shorter
    /// than the limit, even empty, and not be the last.
    locks: Vec<Lock<'a>>,
    /// Where the next page begins; null at the end.
    next_cursor: Option<String>,
}

impl<'a> Locks<'a> {
    pub(crate) fn new(locks: &'a [LockView], next: Option<&LockId>) -> Self {
        Self {
            locks: locks.iter().map(Lock::from).collect(),
            next_cursor: next.map(cursor::after_lock),
        }
    }
}
