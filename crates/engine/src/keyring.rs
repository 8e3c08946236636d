//! The valid API keys as request handlers look them up, without asking the commit loop.

use std::collections::BTreeMap;
use std::sync::Arc;

use leasehold_core::{ApiKey, KeyId};

use crate::bucket::Bucket;

/// A snapshot of the committed keys. Replaced as a whole when a key is made, limited or revoked.
#[derive(Debug, Default)]
pub struct KeyRing {
    keys: BTreeMap<KeyId, ValidKey>,
    /// How often this process has seen keys disappear.
    revocations: u64,
}

/// A key that is let in.
#[derive(Debug)]
pub struct ValidKey {
    /// The key.
    pub key: ApiKey,
    /// What it may ask for, if that has a limit.
    pub bucket: Option<Arc<Bucket>>,
}

impl KeyRing {
    /// A ring of these keys. Those whose rate is what it was in the ring `before` have left what they
    /// had left there.
    #[must_use]
    pub fn new(keys: &BTreeMap<KeyId, ApiKey>, before: &Self) -> Self {
        let valid = |(key_id, key): (&KeyId, &ApiKey)| {
            let bucket = key.limits.rate.map(|rate| {
                let known = before.get(key_id).and_then(|before| before.bucket.as_ref());
                let known = known.filter(|bucket| bucket.rate() == rate);
                known.map_or_else(|| Arc::new(Bucket::new(rate)), Arc::clone)
            });
            (key_id.clone(), ValidKey { key: key.clone(), bucket })
        };
        let is_let_in = |(key_id, known): (&KeyId, &ValidKey)| {
            let same = |key: &ApiKey| (key.hash, key.role) == (known.key.hash, known.key.role);
            keys.get(key_id).is_some_and(same)
        };
        let revoked = !before.keys.iter().all(is_let_in);
        let revocations = before.revocations + u64::from(revoked);
        Self { keys: keys.iter().map(valid).collect(), revocations }
    }

    /// Tells rings apart between which a key was revoked: whoever was let in by one of them may be shut
    /// out by the other.
    pub(crate) fn revocations(&self) -> u64 {
        self.revocations
    }

    /// The key with this public name, if it is valid.
    #[must_use]
    pub fn get(&self, key_id: &KeyId) -> Option<&ValidKey> {
        self.keys.get(key_id)
    }

    /// Whether no key has been made yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
