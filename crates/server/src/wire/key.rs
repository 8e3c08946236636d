//! API keys, and the request for a new one.

use std::num::NonZeroU32;

use leasehold_core::{ApiKey, KeyLimits, LimitsError, LimitsPatch, Rate, Role};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{Rfc3339, member};

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
    /// Requests a second that are answered; `null` for any number.
    requests_per_second: Option<u32>,
    /// Requests that may come at once; `null` for as many as in a second.
    burst: Option<u32>,
    /// How many locks calls with the key may bring the namespace to; `null` for no limit of the key's own.
    max_locks: Option<u32>,
    /// The same for holds, with those that requests in line wait for.
    max_holds: Option<u32>,
    /// The same for requests in line.
    max_waiters: Option<u32>,
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
    #[serde(default, deserialize_with = "member::text")]
    #[schema(max_length = 64)]
    pub(crate) namespace: Option<String>,
    pub(crate) role: KeyRole,
    /// A note for people, up to 256 bytes.
    #[serde(default, deserialize_with = "member::text")]
    #[schema(max_length = 256)]
    pub(crate) label: Option<String>,
    /// Requests a second that are answered, 1 to 1,000,000; more are refused with 429 `rate_limited`.
    #[serde(default, deserialize_with = "member::number")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    requests_per_second: Option<u32>,
    /// Requests that may come at once. Without it, as many as in a second.
    #[serde(default, deserialize_with = "member::number")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    burst: Option<u32>,
    /// How many locks calls with the key may bring the namespace to, whoever made them; more are refused
    /// with 429 `quota_exceeded`.
    #[serde(default, deserialize_with = "member::number")]
    max_locks: Option<u32>,
    /// The same for holds, with those that requests in line wait for.
    #[serde(default, deserialize_with = "member::number")]
    max_holds: Option<u32>,
    /// The same for requests in line.
    #[serde(default, deserialize_with = "member::number")]
    max_waiters: Option<u32>,
}

impl KeyRequest {
    pub(crate) fn limits(&self) -> Result<KeyLimits, LimitsError> {
        KeyLimits::default().patched(&LimitsPatch {
            requests_per_second: Some(self.requests_per_second),
            burst: Some(self.burst),
            max_locks: Some(self.max_locks),
            max_holds: Some(self.max_holds),
            max_waiters: Some(self.max_waiters),
        })
    }
}

/// What changes about a key (RFC 7396): what is left out stays, and `null` takes a limit away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyChange {
    /// See the request for a new key. `burst` goes with it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    requests_per_second: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    burst: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    max_locks: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    max_holds: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    max_waiters: Option<Option<u32>>,
}

/// A member that is there, `null` or not.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    member::number(deserializer).map(Some)
}

impl From<KeyChange> for LimitsPatch {
    fn from(change: KeyChange) -> Self {
        Self {
            requests_per_second: change.requests_per_second,
            burst: change.burst,
            max_locks: change.max_locks,
            max_holds: change.max_holds,
            max_waiters: change.max_waiters,
        }
    }
}

/// What a key may do. Each role may do all that the ones before it may.
#[derive(Clone, Copy, Serialize, ToSchema)]
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
        let KeyLimits { rate, quotas } = key.limits;
        Self {
            key_id: key.key_id.as_str(),
            namespace: key.namespace.as_str(),
            role: key.role.into(),
            label: &key.label,
            created_at: Rfc3339(key.created_at),
            requests_per_second: rate.map(|rate| rate.per_second().get()),
            burst: rate.and_then(Rate::own_burst).map(NonZeroU32::get),
            max_locks: quotas.max_locks,
            max_holds: quotas.max_holds,
            max_waiters: quotas.max_waiters,
        }
    }
}

impl<'de> Deserialize<'de> for KeyRole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        member::word(from, &[("read", Self::Read), ("write", Self::Write), ("admin", Self::Admin)])
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
