//! Single words of a line: times, numbers, names and limits.

use std::time::Duration;

use leasehold_core::{
    Deadlines, IdError, KeyId, Limits, LockId, LockState, Namespace, ProcessId, Role,
};

/// Seconds with up to three decimals, as milliseconds.
pub(super) fn millis(word: &str) -> Result<u64, String> {
    let wrong = || format!("`{word}` is not a time such as 9.999");
    let (secs, decimals) = word.split_once('.').unwrap_or((word, "0"));
    if decimals.len() > 3 {
        return Err(wrong());
    }
    let secs: u64 = secs.parse().map_err(|_| wrong())?;
    let thousandths: u64 = format!("{decimals:0<3}").parse().map_err(|_| wrong())?;
    Ok(secs * 1_000 + thousandths)
}

/// A whole number.
pub(super) fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("`{word}` is not a number"))
}

fn wrong_name(word: &str, error: &IdError) -> String {
    format!("`{word}` {error}")
}

/// A namespace's name.
pub(super) fn namespace(word: &str) -> Result<Namespace, String> {
    Namespace::parse(word).map_err(|error| wrong_name(word, &error))
}

/// A lock's name.
pub(super) fn lock_id(word: &str) -> Result<LockId, String> {
    LockId::parse(word).map_err(|error| wrong_name(word, &error))
}

/// A process's name.
pub(super) fn process_id(word: &str) -> Result<ProcessId, String> {
    ProcessId::parse(word).map_err(|error| wrong_name(word, &error))
}

/// The public name of an API key.
pub(super) fn key_id(word: &str) -> Result<KeyId, String> {
    KeyId::parse(word).map_err(|error| wrong_name(word, &error))
}

/// What a key may do.
pub(super) fn role(word: &str) -> Result<Role, String> {
    let roles = [Role::Read, Role::Write, Role::Admin];
    roles.into_iter().find(|role| role.as_str() == word).ok_or(format!("`{word}` is no role"))
}

/// A lock's state.
pub(super) fn state(word: &str) -> Result<LockState, String> {
    match word {
        "FREE" => Ok(LockState::Free),
        "READ" => Ok(LockState::Read),
        "WRITE" => Ok(LockState::Write),
        _ => Err(format!("`{word}` is not a state")),
    }
}

/// Limits with some of them changed, as in `locks=2 timeout=10`.
pub(super) fn limits(mut limits: Limits, words: &[&str]) -> Result<Limits, String> {
    for word in words {
        let (name, value) = word.split_once('=').ok_or(format!("`{word}` is not NAME=N"))?;
        let value = number(value)?;
        let count = usize::try_from(value).map_err(|error| error.to_string())?;
        match name {
            "locks" => limits.max_locks_per_namespace = count,
            "holders" => limits.max_holders_per_lock = count,
            "keys" => limits.max_keys = count,
            "waiters-of-lock" => limits.max_waiters_per_lock = count,
            "waiters-of-namespace" => limits.max_waiters_per_namespace = count,
            "waiters" => limits.max_waiters = count,
            "releases" => limits.max_remembered_releases = count,
            "history-of-lock" => limits.max_history_per_lock = count,
            "history" => limits.max_history = count,
            "history-age" => {
                limits.max_history_age_secs =
                    u32::try_from(value).map_err(|error| error.to_string())?;
            }
            "timeout" => {
                limits.max_timeout_secs =
                    u32::try_from(value).map_err(|error| error.to_string())?;
            }
            _ => return Err(format!("there is no limit `{name}`")),
        }
    }
    Ok(limits)
}

/// How the next recovery reckons, and what it leaves to the one after it.
pub(super) fn deadlines(words: &[&str]) -> Result<Deadlines, String> {
    match words {
        ["anew"] => Ok(Deadlines::Anew),
        ["stored", skew] => {
            let skew = skew.strip_prefix("skew=").ok_or("stored with what skew=?")?;
            Ok(Deadlines::Stored { max_clock_skew: Duration::from_millis(millis(skew)?) })
        }
        _ => Err("deadlines are `anew`, or `stored skew=SECS`".to_owned()),
    }
}
