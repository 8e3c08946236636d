//! Where a command comes from, and how it is known when it is sent twice.

use crate::command::{Acquire, Command, HoldKey, Mode};
use crate::id::{IdempotencyKey, KeyId, Namespace, ProcessId};

/// What the service knows of a request beside the command.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// The API key that the request was made with, if any.
    pub key_id: Option<KeyId>,
    /// Whether that key stands in the table: if so, it can be revoked, and then the command is refused.
    pub is_revocable: bool,
    /// The same key marks the same request, sent again.
    pub idempotency_key: Option<IdempotencyKey>,
}

impl Origin {
    /// The API key that the request was made with, if it can be revoked.
    pub(crate) fn revocable_key(&self) -> Option<&KeyId> {
        self.key_id.as_ref().filter(|_| self.is_revocable)
    }
}

/// A request that may be sent twice: what it is known by, and what it asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestMark {
    /// What it is known by.
    pub id: RequestId,
    /// A digest of what it asked for: the same key with another digest is another request.
    pub digest: u64,
}

/// What a request is known by: the key that its client drew, among all requests of that client.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RequestId {
    /// Whose keys these are.
    pub client: RequestClient,
    /// What kind of call it is: an acquire and the release that follows may have the same key.
    pub verb: RequestVerb,
    /// The key.
    pub key: IdempotencyKey,
}

/// The kinds of calls whose idempotency keys are told apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RequestVerb {
    /// Acquire, upgrade and downgrade: what gives a process a hold.
    Take,
    /// Refresh a hold or all of a process, or change the limits of an API key: what does the same each time.
    Refresh,
    /// Release a hold, or all of a process.
    Release,
    /// Create a lock or an API key.
    Create,
    /// Delete a lock, or revoke an API key.
    Delete,
}

/// Whose idempotency keys are told apart: two clients may draw the same one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RequestClient {
    /// A process of a namespace.
    Process(Namespace, ProcessId),
    /// For commands that name no process: the holder of an API key.
    Key(Option<KeyId>),
}

impl RequestMark {
    /// The mark of a command that changes something and carries a key; `None` for all others.
    pub(crate) fn of(origin: &Origin, command: &Command) -> Option<Self> {
        let key = origin.idempotency_key.clone()?;
        let (verb, digest) = digest_of(command)?;
        let client = match command.process() {
            Some((namespace, process)) => {
                RequestClient::Process(namespace.clone(), process.clone())
            }
            None => RequestClient::Key(origin.key_id.clone()),
        };
        Some(Self { id: RequestId { client, verb, key }, digest })
    }
}

impl RequestId {
    /// What the request is known by that took a hold.
    pub(crate) fn of_hold(hold: &HoldKey, key: &IdempotencyKey) -> Self {
        let client = RequestClient::Process(hold.namespace.clone(), hold.process_id.clone());
        Self { client, verb: RequestVerb::Take, key: key.clone() }
    }
}

/// What kind of call a command is, and a digest of what it asks for; `None` for one that only looks. How long it may wait and how much
/// of the answer it wants to see may differ from try to try.
fn digest_of(command: &Command) -> Option<(RequestVerb, u64)> {
    let mut digest = Digest::new();
    let verb = match command {
        Command::CreateLock { namespace, lock_id, new, quotas: _ } => {
            digest.word("create").word(namespace.as_str()).word(lock_id.as_str());
            digest.word(&format!("{:?}", new.kind));
            RequestVerb::Create
        }
        Command::DeleteLock { namespace, lock_id, force, .. } => {
            digest.word("delete").word(namespace.as_str()).word(lock_id.as_str());
            digest.word(if *force { "force" } else { "" });
            RequestVerb::Delete
        }
        Command::Acquire(Acquire { wants, terms, .. }) => {
            digest.word("acquire").number(terms.timeout.get().into());
            digest.word(terms.note.as_ref().map_or("", |note| note.as_str()));
            let mut wants: Vec<_> = wants.iter().collect();
            wants.sort_unstable_by_key(|want| (&want.lock_id, want.mode));
            for want in wants {
                digest.word(want.lock_id.as_str()).mode(want.mode);
                digest.word(&format!("{:?}", want.create_if_missing.map(|new| new.kind)));
            }
            RequestVerb::Take
        }
        Command::Downgrade { hold, terms } | Command::Upgrade { hold, terms, .. } => {
            digest.word("convert").hold(hold).number(terms.timeout.get().into());
            digest.word(terms.note.as_ref().map_or("", |note| note.as_str()));
            RequestVerb::Take
        }
        Command::Refresh { hold, token, timeout, detail: _ } => {
            digest.word("refresh").hold(hold).number(timeout.get().into());
            digest.number(token.map_or(0, |token| token.get()));
            RequestVerb::Refresh
        }
        Command::Release { hold, token, detail: _ } => {
            digest.word("release").hold(hold).number(token.map_or(0, |token| token.get()));
            RequestVerb::Release
        }
        Command::RefreshProcess { timeout, .. } => {
            digest.word("refresh process").number(timeout.map_or(0, |t| t.get().into()));
            RequestVerb::Refresh
        }
        Command::ReleaseProcess { .. } => {
            digest.word("release process");
            RequestVerb::Release
        }
        // The key itself is drawn for each try: what is asked for is the rest.
        Command::CreateKey(key) => {
            digest.word("create key").word(key.namespace.as_str()).word(&key.label);
            digest.word(&format!("{:?} {:?}", key.role, key.limits));
            RequestVerb::Create
        }
        Command::LimitKey { key_id, patch, namespace: _ } => {
            digest.word("limit key").word(key_id.as_str()).word(&format!("{patch:?}"));
            RequestVerb::Refresh
        }
        Command::RevokeKey { key_id, end_holds, .. } => {
            digest.word("revoke key").word(key_id.as_str()).word(&end_holds.to_string());
            RequestVerb::Delete
        }
        Command::GetLock { .. }
        | Command::ListLocks(_)
        | Command::GetProcess { .. }
        | Command::GetHistory { .. }
        | Command::GetWaits { .. }
        | Command::ListKeys { .. } => return None,
    };
    Some((verb, digest.0))
}

/// FNV-1a, 64 bits: tells requests apart that differ by mistake, not by malice.
struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Words end with a byte that no UTF-8 has, so that two lists of words with one text differ.
    fn word(&mut self, word: &str) -> &mut Self {
        for byte in word.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.word(&number.to_string())
    }

    fn mode(&mut self, mode: Mode) -> &mut Self {
        self.word(match mode {
            Mode::Read => "read",
            Mode::Write => "write",
        })
    }

    fn hold(&mut self, hold: &HoldKey) -> &mut Self {
        self.word(hold.lock_id.as_str()).mode(hold.mode)
    }
}
