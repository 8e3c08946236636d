//! From a line to a command.

use std::collections::{BTreeMap, BTreeSet};

use leasehold_core::{
    Acquire, ApiKey, Command, HoldKey, IdempotencyKey, KeyHash, KeyId, KeyLimits, ListLocks,
    LockUid, Mode, Namespace, NewLock, Origin, Quotas, Wall, Want,
};

use super::options::Options;
use super::words::{key_id, lock_id, process_id};

/// What a line takes from its surroundings.
pub(super) struct Scene<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) uid: LockUid,
    pub(super) wall: Wall,
    pub(super) keys: &'a BTreeMap<KeyId, ApiKey>,
    /// All keys that the table has ever had.
    pub(super) known_keys: &'a BTreeSet<KeyId>,
}

impl Scene<'_> {
    /// The quotas of the key that a command is made with, as the table has them.
    fn quotas(&self, by: Option<&KeyId>) -> Result<Quotas, String> {
        let Some(by) = by else { return Ok(Quotas::default()) };
        let key = self.keys.get(by).ok_or_else(|| format!("there is no key `{by}`"))?;
        Ok(key.limits.quotas)
    }
}

const ACQUIRE: &str =
    "timeout own wait note key as create match shared exclusive writers readers ephemeral";

const LIMITS: &str = "rate burst max-locks max-holds max-waiters";

/// Where the command of a line comes from: its `as=KEY`, and the idempotency key `key=KEY`. A key that was
/// made in the table can be revoked, or has been.
pub(super) fn origin(words: &[&str], scene: &Scene<'_>) -> Result<Origin, String> {
    let value = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
    let key_id = value("as=").map(key_id).transpose()?;
    let is_revocable = key_id.as_ref().is_some_and(|key_id| scene.known_keys.contains(key_id));
    let idempotency_key = value("key=").map(IdempotencyKey::parse).transpose();
    let idempotency_key = idempotency_key.map_err(|error| error.to_string())?;
    Ok(Origin { key_id, is_revocable, idempotency_key })
}

/// The command that a line asks for.
pub(super) fn command(words: &[&str], scene: &Scene<'_>) -> Result<Command, String> {
    let [verb, rest @ ..] = words else { return Err("there is no command".to_owned()) };
    let command = match *verb {
        "create" | "get" | "delete" | "history" => of_lock(verb, rest, scene)?,
        "list" => Some(list(rest, scene)?),
        "read" | "write" | "acquire" => acquire(verb, rest, scene)?,
        "refresh-read" | "refresh-write" | "release-read" | "release-write" | "downgrade"
        | "upgrade" => of_hold(verb, rest, scene)?,
        "process" | "refresh-process" | "release-process" => of_process(verb, rest, scene)?,
        "waits" => Some(Command::GetWaits { namespace: scene.namespace.clone() }),
        "create-key" | "list-keys" | "limit-key" | "revoke-key" => of_key(verb, rest, scene)?,
        _ => None,
    };
    command.ok_or_else(|| format!("there is no command `{}`", words.join(" ")))
}

fn of_lock(verb: &str, rest: &[&str], scene: &Scene<'_>) -> Result<Option<Command>, String> {
    let [lock, options @ ..] = rest else { return Ok(None) };
    let (namespace, lock_id) = (scene.namespace.clone(), lock_id(lock)?);
    Ok(match verb {
        "create" => {
            let options =
                Options::parse(options, "as key shared exclusive writers readers ephemeral")?;
            let new = NewLock { uid: scene.uid, kind: options.kind, must_match: false };
            let quotas = scene.quotas(options.by.as_ref())?;
            Some(Command::CreateLock { namespace, lock_id, new, quotas })
        }
        "delete" => {
            let Options { force, .. } = Options::parse(options, "force as key")?;
            Some(Command::DeleteLock { namespace, lock_id, force, is_begun: false })
        }
        "history" => {
            let Options { before, limit, .. } = Options::parse(options, "before limit")?;
            Some(Command::GetHistory { namespace, lock_id, before, limit })
        }
        _ if options.is_empty() => Some(Command::GetLock { namespace, lock_id }),
        _ => None,
    })
}

fn list(rest: &[&str], scene: &Scene<'_>) -> Result<Command, String> {
    let options = Options::parse(rest, "prefix state process after limit")?;
    Ok(Command::ListLocks(ListLocks {
        namespace: scene.namespace.clone(),
        prefix: options.prefix,
        state: options.state,
        process_id: options.process,
        after: options.after,
        limit: options.limit,
    }))
}

/// `read LOCK PROCESS`, `write LOCK PROCESS`, or `acquire PROCESS MODE:LOCK …`.
fn acquire(verb: &str, rest: &[&str], scene: &Scene<'_>) -> Result<Option<Command>, String> {
    let (process, wants, options) = match (verb, rest) {
        ("read", [lock, process, options @ ..]) => (process, vec![(Mode::Read, *lock)], options),
        ("write", [lock, process, options @ ..]) => (process, vec![(Mode::Write, *lock)], options),
        ("acquire", [process, rest @ ..]) => {
            let wanted = rest.iter().take_while(|word| word.contains(':')).count();
            let (wants, options) = rest.split_at(wanted);
            (
                process,
                wants.iter().map(|want| mode_and_lock(want)).collect::<Result<_, _>>()?,
                options,
            )
        }
        _ => return Ok(None),
    };
    let options = Options::parse(options, ACQUIRE)?;
    let wants = wants.into_iter().map(|(mode, lock)| {
        let create_if_missing = options.new_lock(scene.uid);
        Ok(Want { lock_id: lock_id(lock)?, mode, create_if_missing })
    });
    Ok(Some(Command::Acquire(Acquire {
        namespace: scene.namespace.clone(),
        process_id: process_id(process)?,
        wants: wants.collect::<Result<_, String>>()?,
        terms: options.terms()?,
        wait: options.wait,
        quotas: scene.quotas(options.by.as_ref())?,
    })))
}

fn mode_and_lock(want: &str) -> Result<(Mode, &str), String> {
    match want.split_once(':') {
        Some(("read", lock)) => Ok((Mode::Read, lock)),
        Some(("write", lock)) => Ok((Mode::Write, lock)),
        Some(_) | None => Err(format!("`{want}` is not MODE:LOCK")),
    }
}

fn of_hold(verb: &str, rest: &[&str], scene: &Scene<'_>) -> Result<Option<Command>, String> {
    let [lock, process, options @ ..] = rest else { return Ok(None) };
    let mode = match verb {
        "refresh-read" | "release-read" | "upgrade" => Mode::Read,
        _ => Mode::Write,
    };
    let hold = HoldKey {
        namespace: scene.namespace.clone(),
        lock_id: lock_id(lock)?,
        mode,
        process_id: process_id(process)?,
    };
    Ok(Some(match verb {
        "refresh-read" | "refresh-write" => {
            let options = Options::parse(options, "timeout own token as key")?;
            let (token, timeout, detail) = (options.token, options.timeout()?, options.detail);
            Command::Refresh { hold, token, timeout, detail }
        }
        "release-read" | "release-write" => {
            let options = Options::parse(options, "own token key as")?;
            let Options { token, detail, .. } = options;
            Command::Release { hold, token, detail }
        }
        "downgrade" => {
            let terms = Options::parse(options, "timeout own note key as")?.terms()?;
            Command::Downgrade { hold, terms }
        }
        _ => {
            let options = Options::parse(options, "timeout own note key wait as")?;
            let quotas = scene.quotas(options.by.as_ref())?;
            Command::Upgrade { hold, terms: options.terms()?, wait: options.wait, quotas }
        }
    }))
}

fn of_process(verb: &str, rest: &[&str], scene: &Scene<'_>) -> Result<Option<Command>, String> {
    let [process, options @ ..] = rest else { return Ok(None) };
    let (namespace, process_id) = (scene.namespace.clone(), process_id(process)?);
    Ok(match verb {
        "refresh-process" => {
            let options = Options::parse(options, "timeout acknowledged as key")?;
            let (timeout, acknowledged, rest) = (options.timeout, options.acknowledged, None);
            Some(Command::RefreshProcess { namespace, process_id, timeout, acknowledged, rest })
        }
        "release-process" => {
            Options::parse(options, "as key")?;
            Some(Command::ReleaseProcess { namespace, process_id, rest: None })
        }
        "process" if options.is_empty() => Some(Command::GetProcess { namespace, process_id }),
        _ => None,
    })
}

fn of_key(verb: &str, rest: &[&str], scene: &Scene<'_>) -> Result<Option<Command>, String> {
    let namespace = Some(scene.namespace.clone());
    Ok(match (verb, rest) {
        ("create-key", [id, options @ ..]) => Some(create_key(id, options, scene)?),
        ("list-keys", []) => Some(Command::ListKeys { namespace }),
        ("list-keys", ["all"]) => Some(Command::ListKeys { namespace: None }),
        ("limit-key", [id, options @ ..]) => {
            let patch = Options::parse(options, LIMITS)?.limits;
            Some(Command::LimitKey { key_id: key_id(id)?, namespace, patch })
        }
        ("revoke-key", [id, options @ ..]) => {
            let (key_id, end_holds) = (key_id(id)?, options.contains(&"end-holds"));
            let namespace = namespace.filter(|_| !options.contains(&"any"));
            Some(Command::RevokeKey { key_id, namespace, end_holds, rest: None })
        }
        _ => None,
    })
}

fn create_key(id: &str, options: &[&str], scene: &Scene<'_>) -> Result<Command, String> {
    let Options { role, limits, .. } = Options::parse(options, &format!("role {LIMITS}"))?;
    Ok(Command::CreateKey(ApiKey {
        key_id: key_id(id)?,
        namespace: scene.namespace.clone(),
        role,
        label: String::new(),
        hash: KeyHash([0; 32]),
        created_at: scene.wall,
        limits: KeyLimits::default().patched(&limits).map_err(|error| error.to_string())?,
    }))
}
