//! API keys, and the request for a new one.

use leasehold_core::{ApiKey, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Rfc3339;

/// An API key; its secret is not part of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Key<'a> {
    /// Public name of the key, for lists and revocation.
    key_id: &'a str,
    /// The only namespace whose locks it reaches.
    namespace: &'a str,
    role: KeyRole,
    /// What its maker wrote on it.
    label: &'a str,
    /// When it was made, UTC.
    #[schema(value_type = String, format = DateTime)]
    created_at: Rfc3339,
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewKey<'a> {
    #[serde(flatten)]
    pub(crate) public: Key<'a>,
    /// The key itself, shown in this reply and never again.
    pub(crate) key: &'a str,
}

/// The keys that the caller may manage.
#[derive(Serialize, ToSchema)]
pub(crate) struct Keys<'a> {
    /// Ordered by key id.
    pub(crate) keys: Vec<Key<'a>>,
}

/// What a new key is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRequest {
    /// The namespace that it opens: up to 64 letters, digits, `-`, `_` or `.`, starting with a letter
    /// or digit. Without one, the caller's own.
    #[schema(max_length = 64)]
    pub(crate) namespace: Option<String>,
    pub(crate) role: KeyRole,
    /// A note for people, up to 256 bytes.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub(crate) label: String,
}

/// What a key may do. Each role may do all that the ones before it may.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyRole {
    /// Look at locks.
    Read,
    /// Create, acquire, refresh and release.
    Write,
    /// Manage the keys of its namespace; in the namespace `default`, those of every namespace.
    Admin,
}

impl<'a> From<&'a ApiKey> for Key<'a> {
    fn from(key: &'a ApiKey) -> Self {
        Self {
            key_id: key.key_id.as_str(),
            namespace: key.namespace.as_str(),
            role: key.role.into(),
            label: &key.label,
            created_at: Rfc3339(key.created_at),
        }
    }
}

impl From<Role> for KeyRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Read => Self::Read,
            Role::Write => Self::Write,
            Role::Admin => Self::Admin,
        }
    }
}

impl From<KeyRole> for Role {
    fn from(role: KeyRole) -> Self {
        match role {
            KeyRole::Read => Self::Read,
            KeyRole::Write => Self::Write,
            KeyRole::Admin => Self::Admin,
        }
    }
}
