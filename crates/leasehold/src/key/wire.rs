//! API keys as the server words them.

use serde::{Deserialize, Serialize};

/// What a new key is asked to be.
#[derive(Serialize)]
pub(super) struct NewKey<'a> {
    /// The caller's own, if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<&'a str>,
    pub(super) role: &'a str,
    pub(super) label: &'a str,
}

/// A key without its secret.
#[derive(Deserialize)]
pub(super) struct Key {
    pub(super) key_id: String,
    pub(super) namespace: String,
    pub(super) role: String,
    pub(super) label: String,
    /// RFC 3339, UTC.
    pub(super) created_at: String,
}

/// A key that was just made.
#[derive(Deserialize)]
pub(super) struct CreatedKey {
    #[serde(flatten)]
    pub(super) about: Key,
    /// The full text, which is told this once.
    pub(super) key: String,
}

/// Keys by key id.
#[derive(Deserialize)]
pub(super) struct KeyList {
    pub(super) keys: Vec<Key>,
}
