//! What a caller says about a lock to be made, in a query or in a body.

use leasehold_core::{LockKind, LockUid, NewLock};
use thiserror::Error;

use crate::error_code::ErrorCode;
use crate::parameter::{EPHEMERAL, IS_EXCLUSIVE, MAX_READERS, MAX_WRITERS};
use crate::problem::Problem;
use crate::query::Query;

/// As the caller put it; `None` for what it left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct AskedKind {
    pub(crate) is_exclusive: Option<bool>,
    pub(crate) max_writers: Option<u32>,
    pub(crate) max_readers: Option<u32>,
    pub(crate) is_ephemeral: Option<bool>,
}

/// Why no lock can be made like that.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum KindError {
    /// Two ways to say how many writers there may be, and they differ.
    #[error(
        "`is_exclusive={is_exclusive}` and `max_writers={max_writers}` contradict each other: \
         exclusive means one writer at a time"
    )]
    Contradiction { is_exclusive: bool, max_writers: u32 },
    /// It says how to make a lock, but not that one is to be made.
    #[error(
        "`is_exclusive`, `max_writers`, `max_readers` and `ephemeral` say how to make a lock that is \
         missing, so they need `create_if_missing` to be true"
    )]
    NothingToMake,
}

impl AskedKind {
    /// What a query says.
    pub(crate) fn of(query: &Query<'_>) -> Result<Self, Problem> {
        let permits = |parameter| {
            let number = query.number(parameter)?;
            Ok::<_, Problem>(number.and_then(|number| u32::try_from(number).ok()))
        };
        Ok(Self {
            is_exclusive: query.boolean(&IS_EXCLUSIVE)?,
            max_writers: permits(&MAX_WRITERS)?,
            max_readers: permits(&MAX_READERS)?,
            is_ephemeral: query.boolean(&EPHEMERAL)?,
        })
    }

    /// A lock to make, with a UUID of its own.
    pub(crate) fn new_lock(self) -> Result<NewLock, KindError> {
        let max_writers = match (self.is_exclusive, self.max_writers) {
            (Some(is_exclusive), Some(max_writers)) if is_exclusive != (max_writers == 1) => {
                return Err(KindError::Contradiction { is_exclusive, max_writers });
            }
            (Some(true), None) => Some(1),
            (Some(_) | None, max_writers) => max_writers,
        };
        let kind = LockKind {
            max_readers: self.max_readers,
            max_writers,
            is_ephemeral: self.is_ephemeral.unwrap_or_default(),
        };
        Ok(NewLock {
            uid: LockUid(uuid::Uuid::new_v4().into_bytes()),
            kind,
            must_match: self != Self::default(),
        })
    }

    /// What an acquire makes if there is no such lock.
    pub(crate) fn if_missing(self, create_if_missing: bool) -> Result<Option<NewLock>, KindError> {
        if create_if_missing {
            self.new_lock().map(Some)
        } else if self == Self::default() {
            Ok(None)
        } else {
            Err(KindError::NothingToMake)
        }
    }
}

impl From<KindError> for Problem {
    /// As a refusal of query parameters.
    fn from(error: KindError) -> Self {
        Self::new(ErrorCode::InvalidParameter, &error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn max_writers(is_exclusive: Option<bool>, max_writers: Option<u32>) -> Option<Option<u32>> {
        let asked = AskedKind { is_exclusive, max_writers, ..AskedKind::default() };
        asked.new_lock().ok().map(|new| new.kind.max_writers)
    }

    #[test]
    fn exclusive_is_another_word_for_one_writer() {
        assert_eq!(max_writers(None, None), Some(None));
        assert_eq!(max_writers(Some(false), None), Some(None));
        assert_eq!(max_writers(Some(true), None), Some(Some(1)));
        assert_eq!(max_writers(None, Some(1)), Some(Some(1)));
        assert_eq!(max_writers(Some(true), Some(1)), Some(Some(1)));
        assert_eq!(max_writers(Some(false), Some(3)), Some(Some(3)));
        assert_eq!(max_writers(Some(true), Some(2)), None);
        assert_eq!(max_writers(Some(false), Some(1)), None);
    }

    #[test]
    fn what_a_lock_is_to_be_like_needs_a_lock_to_be_made() {
        let asked = AskedKind { is_ephemeral: Some(false), ..AskedKind::default() };
        assert_eq!(asked.if_missing(false), Err(KindError::NothingToMake));
        assert!(asked.if_missing(true).is_ok_and(|new| new.is_some()));
        assert_eq!(AskedKind::default().if_missing(false), Ok(None));
    }
}
