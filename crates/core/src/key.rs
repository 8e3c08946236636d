//! API keys as the table keeps them: whose they are and what they may do, never the secret itself.

use crate::id::{KeyId, Namespace};
use crate::time::Wall;

/// What a key may do. Each role may do all that the ones before it may.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Look at locks.
    Read,
    /// Create, acquire, refresh and release.
    Write,
    /// Manage the keys of its namespace; in the namespace `default`, those of every namespace.
    Admin,
}

impl Role {
    /// The word on the wire and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// SHA-256 of a key's full text. Secrets are 256 random bits, so a plain hash is enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyHash(pub [u8; 32]);

/// One API key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiKey {
    /// Public name of the key, unique in the service.
    pub key_id: KeyId,
    /// The only namespace that it opens.
    pub namespace: Namespace,
    /// What it may do there.
    pub role: Role,
    /// What its maker wrote on it, at most [`MAX_LABEL_BYTES`] bytes; may be empty.
    pub label: String,
    /// What a presented key must hash to.
    pub hash: KeyHash,
    /// When it was made.
    pub created_at: Wall,
}

/// Longest label of a key, in bytes (I7).
pub const MAX_LABEL_BYTES: usize = 256;
