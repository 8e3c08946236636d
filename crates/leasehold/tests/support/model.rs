//! What a client may believe of its own hold, and what it may find when it looks.
//!
//! Nobody else touches a hold, and timeouts are an hour, so that a hold is what its client made of
//! it. A request without a reply leaves the outcome open until the next look.

use serde_json::Value;

/// A fencing token; 0 stands for none yet.
pub(crate) type Token = u64;

/// What one client knows of one hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Belief {
    /// Acknowledged: not held.
    Free,
    /// Acknowledged: held, with this token.
    Held(Token),
    /// An acquire had no reply: held with a token above this one, or not held.
    MaybeAcquired { above: Token },
    /// A release had no reply: held with this token, or not held.
    MaybeReleased(Token),
}

impl Belief {
    /// Whether this is what a client with this belief may find.
    pub(crate) fn allows(self, found: Option<Token>) -> bool {
        match (self, found) {
            (Self::Free | Self::MaybeAcquired { .. } | Self::MaybeReleased(_), None) => true,
            (Self::Held(token) | Self::MaybeReleased(token), Some(found)) => token == found,
            (Self::MaybeAcquired { above }, Some(found)) => found > above,
            (Self::Free, Some(_)) | (Self::Held(_), None) => false,
        }
    }

    /// What is believed after a look.
    pub(crate) fn after_look(found: Option<Token>) -> Self {
        found.map_or(Self::Free, Self::Held)
    }
}

/// How a hold is taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Mode {
    Read,
    Write,
}

impl Mode {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Read => Self::Write,
            Self::Write => Self::Read,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// The token of a process's hold in a lock as the service words it.
pub(crate) fn token_of(lock: &Value, mode: Mode, process: &str) -> Option<Token> {
    let holders = lock[format!("{}_process_list", mode.word())].as_array()?;
    holders.iter().find(|holder| holder["process_id"] == process)?["fencing_token"].as_u64()
}

/// I1, as every reply shows it: never a reader beside a writer, never two writers where writing is
/// exclusive. The locks of these tests are.
#[track_caller]
pub(crate) fn i1_assert_exclusion(lock: &Value) {
    let count = |list: &str| lock[list].as_u64().unwrap_or_else(|| panic!("{list} in {lock}"));
    let (readers, writers) = (count("read_process_count"), count("write_process_count"));
    assert!(writers <= 1, "two writers: {lock}");
    assert!(readers == 0 || writers == 0, "a reader beside a writer: {lock}");
}

#[cfg(test)]
mod tests {
    use super::Belief;

    #[test]
    fn only_what_was_never_acknowledged_may_have_gone_either_way() {
        for (belief, allowed, refused) in [
            (Belief::Free, vec![None], vec![Some(7)]),
            (Belief::Held(7), vec![Some(7)], vec![None, Some(8)]),
            (Belief::MaybeAcquired { above: 7 }, vec![None, Some(8)], vec![Some(7)]),
            (Belief::MaybeReleased(7), vec![None, Some(7)], vec![Some(8)]),
        ] {
            assert!(allowed.iter().all(|found| belief.allows(*found)), "{belief:?}");
            assert!(!refused.iter().any(|found| belief.allows(*found)), "{belief:?}");
        }
    }
}
