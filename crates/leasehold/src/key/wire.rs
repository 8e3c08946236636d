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
    #[serde(flatten)]
    pub(super) limits: &'a Limits,
}

/// What bounds the calls of a key: what is not given is left out, and `null` takes a limit away.
#[derive(Serialize)]
pub(super) struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requests_per_second: Option<Limit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) burst: Option<Limit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_locks: Option<Limit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_holds: Option<Limit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_waiters: Option<Limit>,
}

/// A limit, or that there is none.
pub(super) type Limit = Option<u32>;

/// A key without its secret.
#[derive(Deserialize)]
pub(super) struct Key {
    pub(super) key_id: String,
    pub(super) namespace: String,
    pub(super) role: String,
    pub(super) label: String,
    /// RFC 3339, UTC.
    pub(super) created_at: String,
    pub(super) requests_per_second: Option<u32>,
    pub(super) burst: Option<u32>,
    pub(super) max_locks: Option<u32>,
    pub(super) max_holds: Option<u32>,
    pub(super) max_waiters: Option<u32>,
}

impl Key {
    /// What bounds its calls, in a few words.
    pub(super) fn limits(&self) -> String {
        let parts = [
            self.requests_per_second.map(|count| format!("{count}/s")),
            self.burst.map(|count| format!("burst {count}")),
            self.max_locks.map(|count| format!("{count} locks")),
            self.max_holds.map(|count| format!("{count} holds")),
            self.max_waiters.map(|count| format!("{count} waiters")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    }
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
