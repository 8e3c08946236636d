//! Between replicas. One leads; the others hand requests on to it and bring its answers back
//! (`hand_on.rs`), and keep in touch with it (`keep_in_touch.rs`), so that it knows who there is
//! (`members.rs`) and can tell them when it leaves. With TLS they speak it to each other as well
//! (`connector.rs`).
//!
//! The link is authenticated by link tokens. Each replica draws one at start; the leader's stands beside
//! its address in the store, and followers tell theirs to the leader. So only readers of the store can
//! forward requests, and only the leader can call for an election. A follower is listed once it has
//! proved that it answers at its address (`proof.rs`).

mod connector;
mod forwarded_stream;
mod hand_on;
mod keep_in_touch;
mod members;
mod proof;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Empty};
use hyper::HeaderMap;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::uri::Scheme;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use leasehold_engine::{Engine, ReplicaState};
use leasehold_store::{Leader, LinkToken};
use subtle::ConstantTimeEq;
use tokio::sync::{Semaphore, watch};

use crate::error_code::ErrorCode;
use crate::problem::Problem;
use crate::tls::Tls;
use connector::Connector;
pub(crate) use forwarded_stream::ForwardedStream;
pub(crate) use keep_in_touch::{ELECTION_PATH, GREETING_PATH, PROOF_PATH};
pub(crate) use members::Member;
use members::Members;

/// What a replica shows when it hands a request on: the link token of the one that it calls.
const X_LINK_TOKEN: HeaderName = HeaderName::from_static("x-leasehold-link");

/// The clients of a request that was forwarded, the last one named by the replica that did.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How the other replicas reach this one.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its address: `host:port`.
    pub address: String,
    /// What they show when they call.
    pub token: LinkToken,
}

/// This replica among the others.
pub struct Cluster {
    link: Link,
    /// What all replicas speak.
    scheme: Scheme,
    client: Client<Connector, Either<Incoming, Empty<Bytes>>>,
    members: Members,
    /// One for each member that may be proving its address.
    proofs: Semaphore,
}

/// Where a request is answered.
pub(crate) enum Place {
    Here,
    There(Leader),
}

impl Cluster {
    /// A replica that others reach by this link, alone at first. With TLS it speaks that to them.
    #[must_use]
    pub fn new(link: Link, tls: Option<watch::Receiver<Tls>>) -> Self {
        let scheme = if tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(Connector::new(tls));
        let proofs = Semaphore::new(keep_in_touch::MAX_PROOFS);
        Self { link, scheme, client, members: Members::default(), proofs }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Those who have been in touch lately, by address.
    pub(crate) fn members(&self) -> Vec<Member> {
        self.members.lately()
    }

    /// Where to answer a request with these headers.
    ///
    /// # Errors
    /// [`ErrorCode::NotReady`] if another replica handed it on to one that does not lead, or that does
    /// not know it: the other has to look anew who leads. So it is handed on once at most.
    pub(crate) fn place(&self, engine: &Engine, headers: &HeaderMap) -> Result<Place, Problem> {
        let leader = match &*engine.state() {
            ReplicaState::Following(leader) => Some(leader.clone()),
            ReplicaState::Recovering { .. }
            | ReplicaState::Standby
            | ReplicaState::Leading(_)
            | ReplicaState::Draining
            | ReplicaState::Stopped { .. } => None,
        };
        match (headers.get(X_LINK_TOKEN), leader) {
            (None, None) => Ok(Place::Here),
            (None, Some(leader)) => Ok(Place::There(leader)),
            (Some(token), None) if self.is_ours(token) => Ok(Place::Here),
            (Some(_), _) => {
                let reason = "the replica that the request was handed on to does not lead";
                Err(Problem::new(ErrorCode::NotReady, reason))
            }
        }
    }

    /// Where a request came from that was let in here: if another replica forwarded it, from the client
    /// that this replica named last; otherwise from the peer. Only replicas know the link token
    /// ([`Cluster::place`]), so nobody else can name a client.
    pub(crate) fn source(headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        if !headers.contains_key(X_LINK_TOKEN) {
            return peer;
        }
        let last = headers.get_all(X_FORWARDED_FOR).iter().next_back();
        let last =
            last.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        last.unwrap_or(peer)
    }

    fn is_ours(&self, token: &HeaderValue) -> bool {
        token.as_bytes().ct_eq(self.link.token.expose().as_bytes()).into()
    }
}
