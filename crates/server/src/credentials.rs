//! API keys: how they are made and how they are recognised.
//!
//! A key reads `lh_<key id, 12 hex digits>_<secret, 64 hex digits>`. The service keeps its SHA-256.

use leasehold_core::{
    ApiKey, IdError, KeyHash, KeyId, KeyLimits, MAX_LABEL_BYTES, Namespace, Role, Wall, is_hidden,
};
use sha2::{Digest, Sha256};
use thiserror::Error;

const PREFIX: &str = "lh_";
const KEY_ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;

/// A key that was just made. Its text exists here and with whoever is told, and nowhere else.
pub struct NewKey {
    /// What the store keeps.
    pub key: ApiKey,
    /// The key's full text, to be shown once.
    pub secret: String,
}

/// Why no key could be made.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NewKeyError {
    /// The label is too long.
    #[error("the label is {0} bytes long; at most {MAX_LABEL_BYTES} are allowed")]
    LabelTooLong(usize),
    /// The label would garble a terminal.
    #[error("the label contains a control character, or one that hides, reorders or breaks text")]
    LabelHasControlCharacter,
    /// The machine has no random numbers.
    #[error("the operating system gave no random numbers: {0}")]
    NoRandomness(String),
    /// The key's own id is not valid.
    #[error("the drawn key id {0}")]
    Id(#[from] IdError),
}

/// Makes a key from fresh random numbers.
///
/// # Errors
/// [`NewKeyError`] if the label cannot be kept, or the machine has no randomness.
pub fn generate(
    namespace: Namespace,
    role: Role,
    label: String,
    created_at: Wall,
    limits: KeyLimits,
) -> Result<NewKey, NewKeyError> {
    if label.len() > MAX_LABEL_BYTES {
        return Err(NewKeyError::LabelTooLong(label.len()));
    }
    if label.chars().any(|c| c.is_control() || is_hidden(c)) {
        return Err(NewKeyError::LabelHasControlCharacter);
    }
    let key_id = random_hex::<KEY_ID_BYTES>()?;
    let secret = format!("{PREFIX}{key_id}_{}", random_hex::<SECRET_BYTES>()?);
    let hash = hash(&secret);
    let key_id = KeyId::parse(&key_id)?;
    Ok(NewKey { key: ApiKey { key_id, namespace, role, label, hash, created_at, limits }, secret })
}

/// What a key's text is kept and recognised as: its SHA-256.
#[must_use]
pub fn hash(text: &str) -> KeyHash {
    KeyHash(Sha256::digest(text).into())
}

/// The key id in a key's text, if it has the form of one.
pub(crate) fn key_id(text: &str) -> Option<&str> {
    let (key_id, _) = text.strip_prefix(PREFIX)?.split_once('_')?;
    (key_id.len() == 2 * KEY_ID_BYTES).then_some(key_id)
}

fn random_hex<const BYTES: usize>() -> Result<String, NewKeyError> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| NewKeyError::NoRandomness(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_itself_and_only_its_hash_is_kept() {
        let made = generate(
            Namespace::default(),
            Role::Write,
            "ci".to_owned(),
            Wall(0),
            KeyLimits::default(),
        )
        .unwrap();
        assert_eq!(made.secret.len(), 3 + 12 + 1 + 64);
        assert_eq!(key_id(&made.secret), Some(made.key.key_id.as_str()));
        assert_eq!(made.key.hash, hash(&made.secret));
        let kept = format!("{:?}", made.key);
        assert!(!kept.contains(&made.secret[16..]), "{kept}");
    }

    #[test]
    fn two_keys_never_agree() {
        let make = || {
            generate(Namespace::default(), Role::Read, String::new(), Wall(0), KeyLimits::default())
                .unwrap()
        };
        let (one, other) = (make(), make());
        assert_ne!(one.secret, other.secret);
        assert_ne!(one.key.key_id, other.key.key_id);
    }

    #[test]
    fn i7_labels_are_bounded_and_printable() {
        let with = |label: String| {
            generate(Namespace::default(), Role::Read, label, Wall(0), KeyLimits::default())
                .map(|made| made.key.label)
        };
        assert!(with("x".repeat(MAX_LABEL_BYTES)).is_ok());
        assert_eq!(with("x".repeat(257)), Err(NewKeyError::LabelTooLong(257)));
        for label in ["a\u{1b}[2J", "a\u{202e}b", "a\u{200b}b", "a\u{2028}b"] {
            assert_eq!(with(label.to_owned()), Err(NewKeyError::LabelHasControlCharacter));
        }
    }

    #[test]
    fn other_texts_name_no_key() {
        for text in ["", "lh_", "lh_abc_def", "secret", "lh_0123456789abcdef", "xx_0123456789ab_ff"]
        {
            assert_eq!(key_id(text), None, "{text}");
        }
    }
}
