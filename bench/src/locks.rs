//! Which locks the clients of a measurement work on.

use std::str::FromStr;

use thiserror::Error;

/// Digits of a lock's number in its name: fixed, so that a request can be re-aimed in place.
pub(crate) const NUMBER_DIGITS: usize = 8;

/// The most locks that the names can tell apart.
const MAX_LOCKS: usize = 10_usize.pow(NUMBER_DIGITS as u32);

/// The name of the lock with this number: `bench-` and eight digits.
#[must_use]
pub fn lock_name(number: usize) -> String {
    format!("bench-{number:0NUMBER_DIGITS$}")
}

/// How clients and locks belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Locks {
    /// Each client has a lock of its own.
    Own,
    /// So many locks, shared by all clients: being refused (409) is part of the game.
    Shared(usize),
    /// So many existing locks; each client goes about in a part of its own, far apart each time.
    Roam(usize),
}

/// Why a choice of locks was not understood.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error(
    "give `own`, a number of shared locks such as `8`, or `roam:` and a number of existing locks, each 1 to {MAX_LOCKS}"
)]
pub struct LocksError;

impl FromStr for Locks {
    type Err = LocksError;

    fn from_str(text: &str) -> Result<Self, LocksError> {
        let count = |digits: &str| {
            digits.parse().ok().filter(|n| (1..=MAX_LOCKS).contains(n)).ok_or(LocksError)
        };
        match text.strip_prefix("roam:") {
            Some(digits) => Ok(Self::Roam(count(digits)?)),
            None if text == "own" => Ok(Self::Own),
            None => Ok(Self::Shared(count(text)?)),
        }
    }
}

impl Locks {
    /// How many locks have to be made before the clients start.
    pub(crate) fn to_create(self, clients: usize) -> usize {
        match self {
            Self::Own => clients,
            Self::Shared(locks) => locks,
            Self::Roam(_) => 0,
        }
    }

    /// Whether a client may find its lock taken.
    pub(crate) fn contended(self) -> bool {
        match self {
            Self::Own | Self::Roam(_) => false,
            Self::Shared(_) => true,
        }
    }

    /// The locks of one client, one after the other without end.
    pub(crate) fn of_client(self, client: usize, clients: usize) -> Walk {
        let alone = |first| Walk { first, every: 1, len: 1, at: 0 };
        match self {
            Self::Own => alone(client),
            Self::Shared(locks) => alone(client % locks),
            Self::Roam(locks) => {
                let len = (locks / clients).max(1);
                Walk { first: client % locks, every: clients, len, at: 0 }
            }
        }
    }
}

/// Step of a walk: a prime above [`MAX_LOCKS`], so that it visits all locks before any twice.
const STRIDE: usize = 2_147_483_647;

/// A client's way through its locks: `len` of them, `every` so many numbers one, from `first` on.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    first: usize,
    every: usize,
    len: usize,
    at: usize,
}

impl Iterator for Walk {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let number = self.first + self.every * self.at;
        self.at = (self.at + STRIDE) % self.len;
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_choice_of_locks_is_read_or_refused() {
        assert_eq!("own".parse(), Ok(Locks::Own));
        assert_eq!("8".parse(), Ok(Locks::Shared(8)));
        assert_eq!("roam:1000000".parse(), Ok(Locks::Roam(1_000_000)));
        for bad in ["", "0", "roam:0", "roam:", "own:3", "-1", "100000001"] {
            assert_eq!(bad.parse::<Locks>(), Err(LocksError), "{bad:?}");
        }
    }

    #[test]
    fn roaming_clients_never_meet_and_leave_no_lock_out() {
        let (clients, locks) = (8, 1_000);
        let mut seen = BTreeSet::new();
        for client in 0..clients {
            let own: Vec<usize> =
                Locks::Roam(locks).of_client(client, clients).take(locks / clients).collect();
            assert!(own.iter().any(|n| n.abs_diff(own[0]) > locks / 2), "goes far: {own:?}");
            for number in own {
                assert!(number < locks && seen.insert(number), "{number} of client {client}");
            }
        }
        assert_eq!(seen.len(), locks);
    }

    #[test]
    fn own_locks_are_one_each_and_shared_ones_are_shared() {
        let of = |locks: Locks, client| locks.of_client(client, 64).take(3).collect::<Vec<_>>();
        assert_eq!(of(Locks::Own, 5), [5, 5, 5]);
        assert_eq!(of(Locks::Shared(8), 5), [5, 5, 5]);
        assert_eq!(of(Locks::Shared(8), 13), [5, 5, 5]);
    }
}
