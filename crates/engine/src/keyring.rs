//! The valid API keys as request handlers look them up, without asking the commit loop.

use std::collections::BTreeMap;

use leasehold_core::{ApiKey, KeyId};

/// A snapshot of the committed keys. Replaced as a whole when a key is made or revoked.
#[derive(Debug, Default, Clone)]
pub struct KeyRing {
    keys: BTreeMap<KeyId, ApiKey>,
}

impl KeyRing {
    /// A ring of these keys.
    #[must_use]
    pub fn new(keys: BTreeMap<KeyId, ApiKey>) -> Self {
        Self { keys }
    }

    /// The key with this public name, if it is valid.
    #[must_use]
    pub fn get(&self, key_id: &KeyId) -> Option<&ApiKey> {
        self.keys.get(key_id)
    }

    /// Whether no key has been made yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
