//! API keys as the table keeps them: whose they are and what they may do, never the secret itself.

use std::num::NonZeroU32;

use thiserror::Error;

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
    /// What bounds the calls that are made with it.
    pub limits: KeyLimits,
}

/// Longest label of a key, in bytes (I7).
pub const MAX_LABEL_BYTES: usize = 256;

/// Highest rate and largest burst of a key (I7).
pub const MAX_RATE: u32 = 1_000_000;

/// What bounds the calls that are made with a key, beside what bounds the service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeyLimits {
    /// How many requests; `None` for any number.
    pub rate: Option<Rate>,
    /// How far they may fill the key's namespace.
    pub quotas: Quotas,
}

/// How many requests a key may make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    per_second: NonZeroU32,
    burst: Option<NonZeroU32>,
}

/// How far calls with a key may fill its namespace. `None` is without a limit of the key's own. What
/// other keys have brought about counts as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Quotas {
    /// Locks.
    pub max_locks: Option<u32>,
    /// Holds, and those that requests in line wait for.
    pub max_holds: Option<u32>,
    /// Requests in line.
    pub max_waiters: Option<u32>,
}

/// New values for some of a key's limits: `None` leaves one as it is, `Some(None)` takes it away.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LimitsPatch {
    /// Requests a second, 1 to [`MAX_RATE`]. The burst goes when this goes.
    pub requests_per_second: Option<Option<u32>>,
    /// Requests that may come at once, 1 to [`MAX_RATE`].
    pub burst: Option<Option<u32>>,
    /// See [`Quotas::max_locks`].
    pub max_locks: Option<Option<u32>>,
    /// See [`Quotas::max_holds`].
    pub max_holds: Option<Option<u32>>,
    /// See [`Quotas::max_waiters`].
    pub max_waiters: Option<Option<u32>>,
}

/// Why a key cannot have such limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum LimitsError {
    /// Nothing would ever be let in, or more than can be counted.
    #[error("`{0}` must be 1 to {MAX_RATE}")]
    OutOfRange(&'static str),
    /// There is nothing that the burst could be an exception from.
    #[error("`burst` needs `requests_per_second` beside it")]
    BurstWithoutRate,
}

impl Rate {
    /// Checks a rate and takes it.
    ///
    /// # Errors
    /// [`LimitsError::OutOfRange`].
    pub fn new(per_second: u32, burst: Option<u32>) -> Result<Self, LimitsError> {
        let check = |name, count: u32| {
            let count = NonZeroU32::new(count).filter(|count| count.get() <= MAX_RATE);
            count.ok_or(LimitsError::OutOfRange(name))
        };
        Ok(Self {
            per_second: check("requests_per_second", per_second)?,
            burst: burst.map(|burst| check("burst", burst)).transpose()?,
        })
    }

    /// Requests a second, on and on.
    #[must_use]
    pub fn per_second(self) -> NonZeroU32 {
        self.per_second
    }

    /// Requests that may come at once, if that was said.
    #[must_use]
    pub fn own_burst(self) -> Option<NonZeroU32> {
        self.burst
    }

    /// Requests that may come at once: unless it was said, as many as in a second.
    #[must_use]
    pub fn burst(self) -> NonZeroU32 {
        self.burst.unwrap_or(self.per_second)
    }
}

impl KeyLimits {
    /// These limits with some of them changed.
    ///
    /// # Errors
    /// [`LimitsError`]; nothing is changed then.
    pub fn patched(self, patch: &LimitsPatch) -> Result<Self, LimitsError> {
        let Self { rate, quotas } = self;
        let per_second = rate.map(|rate| rate.per_second.get());
        let burst = rate.and_then(|rate| rate.burst).map(NonZeroU32::get);
        let rate = match (patch.requests_per_second.unwrap_or(per_second), patch.burst) {
            (Some(per_second), given) => Some(Rate::new(per_second, given.unwrap_or(burst))?),
            (None, Some(Some(_))) => return Err(LimitsError::BurstWithoutRate),
            (None, Some(None) | None) => None,
        };
        let quotas = Quotas {
            max_locks: patch.max_locks.unwrap_or(quotas.max_locks),
            max_holds: patch.max_holds.unwrap_or(quotas.max_holds),
            max_waiters: patch.max_waiters.unwrap_or(quotas.max_waiters),
        };
        Ok(Self { rate, quotas })
    }
}
