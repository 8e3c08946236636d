//! Who calls, and what they may do. A presented key is hashed at once and its text forgotten.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use hyper::{HeaderMap, header};
use leasehold_core::{KeyHash, KeyId, KeyLimits, Namespace, Role};
use leasehold_engine::{Bucket, ReplicaState, Tally, ValidKey};
use subtle::ConstantTimeEq;

use crate::cluster::Cluster;
use crate::credentials;
use crate::error_code::ErrorCode;
use crate::exchange::Request;
use crate::problem::Problem;
use crate::query;
use crate::rate;
use crate::state::Api;

/// Compared with where there is nothing to compare with, so that timing tells nothing.
const NOBODY: KeyHash = KeyHash([0; 32]);

/// Stands in history for the key of the settings. The ids of other keys are 12 hex digits.
static KEY_OF_SETTINGS: LazyLock<KeyId> = LazyLock::new(KeyId::of_settings);

/// An authenticated caller.
pub(crate) struct Caller {
    /// The only namespace whose locks the caller can reach.
    pub(crate) namespace: Namespace,
    pub(crate) role: Role,
    /// The key's public name, for history; `None` where keys are not asked for.
    pub(crate) key_id: Option<KeyId>,
    /// What bounds its key.
    pub(crate) limits: KeyLimits,
}

impl Caller {
    /// Admins of the namespace `default` manage the keys of all namespaces.
    pub(crate) fn is_operator(&self) -> bool {
        self.role == Role::Admin && self.namespace == Namespace::default()
    }

    /// The key that let it in, if that can be revoked.
    pub(crate) fn revocable_key(&self) -> Option<&KeyId> {
        self.key_id.as_ref().filter(|key_id| **key_id != *KEY_OF_SETTINGS)
    }

    /// Refuses a caller whose key has too low a role.
    pub(crate) fn must_have(&self, needed: Role) -> Result<(), Problem> {
        if self.role >= needed {
            return Ok(());
        }
        let (needed, has) = (needed.as_str(), self.role.as_str());
        let reason = format!("this call needs a key with the role `{needed}`; yours has `{has}`");
        Err(Problem::new(ErrorCode::Forbidden, &reason))
    }
}

/// The caller, if it may make a call that needs this role, and what its key has left, if that has a rate.
/// Checks in this order: the key, its rate, its role.
pub(crate) fn admit(
    api: &Api,
    needed: Role,
    request: &Request,
    source: Option<IpAddr>,
) -> (Result<Caller, Problem>, Option<Tally>) {
    let (headers, query) = (request.headers(), request.uri().query());
    let source = source.map(|peer| match &api.cluster {
        Some(_) => Cluster::source(headers, peer),
        // Nobody has checked a link token.
        None => peer,
    });
    let throttled = source.is_some_and(|source| api.failed_keys.is_throttled(source));
    let (caller, bucket) = match identify(api, headers, query, throttled) {
        Ok(identified) => identified,
        Err(problem) => {
            let has_failed = problem.code == ErrorCode::Unauthorized;
            if let Some(source) =
                source.filter(|_| has_failed && presented(headers, query).is_some())
            {
                api.failed_keys.note(source);
            }
            return (Err(problem), None);
        }
    };
    let tally = bucket.as_deref().map(Bucket::take);
    let admitted = tally.map_or(Ok(()), rate::check).and_then(|()| caller.must_have(needed));
    (admitted.map(|()| caller), tally)
}

/// Finds out who calls, and what the key has left, if it has a rate.
fn identify(
    api: &Api,
    headers: &HeaderMap,
    query: Option<&str>,
    throttled: bool,
) -> Result<(Caller, Option<Arc<Bucket>>), Problem> {
    let operator = |key_id| Caller {
        namespace: Namespace::default(),
        role: Role::Admin,
        key_id,
        limits: KeyLimits::default(),
    };
    if api.settings.dev {
        return Ok((operator(None), None));
    }
    let Some(text) = presented(headers, query) else {
        let reason = "this call needs an API key and none was sent";
        // Who leads on demand need not, only to say so.
        return Err(match api.engine.is_on_demand() {
            true => Problem::new(ErrorCode::Unauthorized, reason),
            false => not_let_in(api, reason),
        });
    };
    let hash = credentials::hash(&text);
    let keyring = api.engine.keyring();
    let named = credentials::key_id(&text)
        .and_then(|key_id| KeyId::parse(key_id).ok())
        .and_then(|key_id| keyring.get(&key_id));
    let is_named = matches(&hash, named.map(|named| &named.key.hash));
    let is_configured = matches(&hash, api.settings.admin_key.as_ref());
    match named {
        Some(ValidKey { key, bucket }) if is_named => {
            let caller = Caller {
                namespace: key.namespace.clone(),
                role: key.role,
                key_id: Some(key.key_id.clone()),
                limits: key.limits,
            };
            Ok((caller, bucket.clone()))
        }
        Some(_) | None if throttled => {
            let reason = "too many keys that are not valid came from your address";
            Err(Problem::new(ErrorCode::TooManyFailedKeys, reason))
        }
        Some(_) | None if is_configured => Ok((operator(Some(KEY_OF_SETTINGS.clone())), None)),
        Some(_) | None => Err(not_let_in(api, "the API key that was sent is not valid")),
    }
}

/// Whether what is known here has to be the latest before the caller is let in or refused: a key that
/// is not known here may have been made elsewhere. One that is known and was revoked elsewhere is
/// found out by the command itself.
pub(crate) fn must_attend(api: &Api, headers: &HeaderMap, query: Option<&str>) -> bool {
    if !api.settings.dev && presented(headers, query).is_none() {
        return false;
    }
    let stands_by = matches!(*api.engine.state(), ReplicaState::Standby);
    stands_by || identify(api, headers, query, false).is_err()
}

fn presented<'r>(headers: &'r HeaderMap, query: Option<&'r str>) -> Option<Cow<'r, str>> {
    let api_key = || headers.get("x-api-key")?.to_str().ok();
    let bearer = || {
        let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    };
    api_key().or_else(bearer).map(Cow::from).or_else(|| query::key(query))
}

fn matches(hash: &KeyHash, expected: Option<&KeyHash>) -> bool {
    let equal = bool::from(hash.0.ct_eq(&expected.unwrap_or(&NOBODY).0));
    equal && expected.is_some()
}

/// While the keys are being loaded nobody can be told that theirs is wrong.
fn not_let_in(api: &Api, reason: &str) -> Problem {
    match &*api.engine.state() {
        ReplicaState::Leading(_) | ReplicaState::Draining => {
            Problem::new(ErrorCode::Unauthorized, reason)
        }
        ReplicaState::Following(_) => {
            Problem::new(ErrorCode::NotReady, "another replica leads, which knows the API keys")
        }
        ReplicaState::Standby => {
            Problem::new(ErrorCode::NotReady, "the API keys are not loaded yet: nobody leads here")
        }
        ReplicaState::Recovering { reason } | ReplicaState::Stopped { reason } => {
            let reason = format!("the API keys are not loaded yet: {reason}");
            Problem::new(ErrorCode::NotReady, &reason)
        }
    }
}
