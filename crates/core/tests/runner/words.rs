//! From the words of a line to a command.

use leasehold_core::{
    ApiKey, Command, Detail, HoldKey, IdError, KeyHash, KeyId, Limits, LockId, LockUid, Mode,
    Namespace, ProcessId, Role, TimeoutSecs, Wall,
};

const DEFAULT_TIMEOUT_SECS: u32 = 60;

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

/// A namespace's name.
pub(super) fn namespace(word: &str) -> Result<Namespace, String> {
    Namespace::parse(word).map_err(|error| wrong_name(word, &error))
}

fn wrong_name(word: &str, error: &IdError) -> String {
    format!("`{word}` {error}")
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
            "timeout" => {
                limits.max_timeout_secs =
                    u32::try_from(value).map_err(|error| error.to_string())?;
            }
            _ => return Err(format!("there is no limit `{name}`")),
        }
    }
    Ok(limits)
}

/// What a line takes from its surroundings.
pub(super) struct Scene<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) uid: LockUid,
    pub(super) wall: Wall,
}

/// The command that a line asks for.
pub(super) fn command(words: &[&str], scene: &Scene<'_>) -> Result<Command, String> {
    let namespace = scene.namespace.clone();
    match *words {
        ["create", lock] | ["create", lock, "shared"] => create(lock, false, scene),
        ["create", lock, "exclusive"] => create(lock, true, scene),
        ["get", lock] => Ok(Command::GetLock { namespace, lock_id: lock_id(lock)? }),
        ["read", lock, process, ref options @ ..] => {
            acquire(hold(scene, lock, Mode::Read, process)?, options)
        }
        ["write", lock, process, ref options @ ..] => {
            acquire(hold(scene, lock, Mode::Write, process)?, options)
        }
        ["refresh-read", lock, process, ref options @ ..] => {
            refresh(hold(scene, lock, Mode::Read, process)?, options)
        }
        ["refresh-write", lock, process, ref options @ ..] => {
            refresh(hold(scene, lock, Mode::Write, process)?, options)
        }
        ["release-read", lock, process, ref options @ ..] => {
            release(hold(scene, lock, Mode::Read, process)?, options)
        }
        ["release-write", lock, process, ref options @ ..] => {
            release(hold(scene, lock, Mode::Write, process)?, options)
        }
        ["create-key", id, ref options @ ..] => create_key(id, options, scene),
        ["list-keys"] => Ok(Command::ListKeys { namespace: Some(namespace) }),
        ["list-keys", "all"] => Ok(Command::ListKeys { namespace: None }),
        ["revoke-key", id] => {
            Ok(Command::RevokeKey { key_id: key_id(id)?, namespace: Some(namespace) })
        }
        ["revoke-key", id, "any"] => {
            Ok(Command::RevokeKey { key_id: key_id(id)?, namespace: None })
        }
        _ => Err(format!("there is no command `{}`", words.join(" "))),
    }
}

fn lock_id(word: &str) -> Result<LockId, String> {
    LockId::parse(word).map_err(|error| wrong_name(word, &error))
}

fn key_id(word: &str) -> Result<KeyId, String> {
    KeyId::parse(word).map_err(|error| wrong_name(word, &error))
}

fn hold(scene: &Scene<'_>, lock: &str, mode: Mode, process: &str) -> Result<HoldKey, String> {
    let process_id = ProcessId::parse(process).map_err(|error| wrong_name(process, &error))?;
    Ok(HoldKey { namespace: scene.namespace.clone(), lock_id: lock_id(lock)?, mode, process_id })
}

fn create(lock: &str, is_write_exclusive: bool, scene: &Scene<'_>) -> Result<Command, String> {
    let (namespace, lock_id) = (scene.namespace.clone(), lock_id(lock)?);
    Ok(Command::CreateLock { namespace, lock_id, uid: scene.uid, is_write_exclusive })
}

fn acquire(hold: HoldKey, options: &[&str]) -> Result<Command, String> {
    let (timeout, detail) = timed(options)?;
    Ok(Command::Acquire { hold, timeout, detail })
}

fn refresh(hold: HoldKey, options: &[&str]) -> Result<Command, String> {
    let (timeout, detail) = timed(options)?;
    Ok(Command::Refresh { hold, timeout, detail })
}

fn release(hold: HoldKey, options: &[&str]) -> Result<Command, String> {
    match options {
        [] => Ok(Command::Release { hold, detail: Detail::Full }),
        ["own"] => Ok(Command::Release { hold, detail: Detail::Own }),
        _ => Err(format!("a release takes no `{}`", options.join(" "))),
    }
}

fn timed(options: &[&str]) -> Result<(TimeoutSecs, Detail), String> {
    let (mut secs, mut detail) = (DEFAULT_TIMEOUT_SECS, Detail::Full);
    for option in options {
        match (*option, option.strip_prefix("timeout=")) {
            ("own", _) => detail = Detail::Own,
            (_, Some(value)) => {
                secs = value.parse().map_err(|_| format!("`{value}` is not a timeout"))?;
            }
            (_, None) => return Err(format!("there is no option `{option}`")),
        }
    }
    Ok((TimeoutSecs::new(secs).ok_or("a timeout is at least one second")?, detail))
}

fn create_key(id: &str, options: &[&str], scene: &Scene<'_>) -> Result<Command, String> {
    let role = match options {
        [] | ["role=write"] => Role::Write,
        ["role=read"] => Role::Read,
        ["role=admin"] => Role::Admin,
        _ => return Err(format!("a key takes no `{}`", options.join(" "))),
    };
    Ok(Command::CreateKey(ApiKey {
        key_id: key_id(id)?,
        namespace: scene.namespace.clone(),
        role,
        label: String::new(),
        hash: KeyHash([0; 32]),
        created_at: scene.wall,
    }))
}
