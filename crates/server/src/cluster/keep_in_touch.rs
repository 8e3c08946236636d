//! Followers greet the leader now and then; a leader that leaves calls on one of them to be the next.
//! Both are courtesies: without them the members of `GET /v1/cluster` are unknown, and a handover takes
//! until the next regular try to lead.
//!
//! A greeting shows the leader's link token. The leader lists the member only after it has called it at the
//! address that it gave, and got the proof that only a reader of the store can give (`proof.rs`).

use std::time::Duration;

use http_body_util::{Either, Empty};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response};
use leasehold_engine::{Engine, ReplicaState};
use leasehold_store::LinkToken;
use tokio::time::timeout;

use super::{Cluster, X_LINK_TOKEN, proof};
use crate::error_code::ErrorCode;
use crate::problem::Problem;

const GREETING_PERIOD: Duration = Duration::from_secs(2);

/// How long a greeting or a call for an election may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a member may take to prove its address: less than its greeting may take.
const PROOF_PATIENCE: Duration = Duration::from_millis(700);

/// Members whose proofs may be under way at the same time (I7).
pub(super) const MAX_PROOFS: usize = 8;

/// How long a leader that leaves may take to find the next one, in all.
const HANDOVER_PATIENCE: Duration = Duration::from_secs(2);

/// Where followers greet the leader. Between replicas only, so it is not in the documentation.
pub(crate) const GREETING_PATH: &str = "/internal/greeting";

/// Where the leader asks a member for the proof of its address.
pub(crate) const PROOF_PATH: &str = "/internal/proof";

/// Where the leader calls on a follower to be the next one.
pub(crate) const ELECTION_PATH: &str = "/internal/election";

const X_MEMBER_ADDRESS: HeaderName = HeaderName::from_static("x-leasehold-member");
const X_MEMBER_TOKEN: HeaderName = HeaderName::from_static("x-leasehold-member-link");
const X_MEMBER_PROOF: HeaderName = HeaderName::from_static("x-leasehold-member-proof");

impl Cluster {
    /// Greets the leader for as long as this replica follows one, again and again, and a new one
    /// immediately: in a rolling restart it is asked to stop as soon as this replica is ready.
    pub async fn keep_in_touch(&self, engine: &Engine) {
        let mut state = engine.watch_state();
        loop {
            let leader = match &*state.borrow_and_update() {
                ReplicaState::Following(leader) => Some(leader.clone()),
                ReplicaState::Recovering { .. }
                | ReplicaState::Standby
                | ReplicaState::Leading(_)
                | ReplicaState::Draining => None,
                ReplicaState::Stopped { .. } => return,
            };
            if let Some(leader) = leader {
                self.post(&leader.address, GREETING_PATH, &leader.link_token, PATIENCE).await;
            }
            if let Ok(Err(_)) = timeout(GREETING_PERIOD, state.changed()).await {
                return;
            }
        }
    }

    /// Calls on one of those that were in touch lately to lead next, this one having resigned. Several
    /// at the same time would be in each other's way; if nothing comes of it, the others try soon anyway.
    /// Takes 2 s at most, however many members do not answer.
    pub async fn call_election(&self) {
        let mut members = self.members();
        // The one heard last is the most likely to answer.
        members.sort_by_key(|member| member.silent_for);
        let call = async {
            for member in members {
                let (address, token) = (&member.address, &member.link_token);
                if self.post(address, ELECTION_PATH, token, PATIENCE).await.is_some() {
                    return;
                }
            }
        };
        if timeout(HANDOVER_PATIENCE, call).await.is_err() {
            tracing::debug!("no replica took the lead in time");
        }
    }

    /// Lists the replica that greets, once it has proved its address.
    ///
    /// # Errors
    /// [`ErrorCode::Forbidden`] without the link token or without the proof; [`ErrorCode::Overloaded`]
    /// while too many others are to prove theirs.
    pub(crate) async fn greeted(&self, headers: &HeaderMap) -> Result<(), Problem> {
        self.let_in(headers)?;
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(address), Some(token)) = (text(X_MEMBER_ADDRESS), text(X_MEMBER_TOKEN)) else {
            return Ok(());
        };
        let token = LinkToken::from(token.to_owned());
        if !self.members.knows(address, &token) {
            self.ask_for_proof(address, &token).await?;
        }
        self.members.note(address.to_owned(), token);
        Ok(())
    }

    async fn ask_for_proof(&self, address: &str, token: &LinkToken) -> Result<(), Problem> {
        let Ok(_permit) = self.proofs.try_acquire() else {
            let reason = "too many other replicas are to prove their addresses";
            return Err(Problem::new(ErrorCode::Overloaded, reason));
        };
        let reply = self.post(address, PROOF_PATH, token, PROOF_PATIENCE).await;
        let proof = reply.as_ref().and_then(|reply| reply.headers().get(X_MEMBER_PROOF));
        if proof.is_some_and(|it| proof::is_valid(it.as_bytes(), &self.link.token, address)) {
            return Ok(());
        }
        tracing::warn!(address, "a greeting is refused: no replica proves itself at its address");
        let reason = "the replica does not prove that it answers at its address";
        Err(Problem::new(ErrorCode::Forbidden, reason))
    }

    /// The header that proves to the leader that this replica answers at its address.
    ///
    /// # Errors
    /// [`ErrorCode::Forbidden`] without the link token; [`ErrorCode::NotReady`] while it knows no leader.
    pub(crate) fn prove(
        &self,
        engine: &Engine,
        headers: &HeaderMap,
    ) -> Result<(HeaderName, HeaderValue), Problem> {
        self.let_in(headers)?;
        let proof = match &*engine.state() {
            ReplicaState::Following(leader) => proof::of(&leader.link_token, &self.link.address),
            ReplicaState::Recovering { .. }
            | ReplicaState::Standby
            | ReplicaState::Leading(_)
            | ReplicaState::Draining
            | ReplicaState::Stopped { .. } => String::new(),
        };
        match HeaderValue::try_from(proof) {
            Ok(value) if !value.is_empty() => Ok((X_MEMBER_PROOF, value)),
            _ => Err(Problem::new(ErrorCode::NotReady, "this replica follows no leader")),
        }
    }

    /// Tries to lead immediately, if the caller may ask for that.
    pub(crate) fn called_to_elect(
        &self,
        engine: &Engine,
        headers: &HeaderMap,
    ) -> Result<(), Problem> {
        self.let_in(headers)?;
        engine.campaign();
        Ok(())
    }

    /// Only replicas know the link token.
    fn let_in(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if headers.get(X_LINK_TOKEN).is_some_and(|token| self.is_ours(token)) {
            return Ok(());
        }
        Err(Problem::new(ErrorCode::Forbidden, "this call is for the other replicas"))
    }

    /// The reply of the other replica, if it is a success in time.
    async fn post(
        &self,
        address: &str,
        path: &str,
        link_token: &LinkToken,
        patience: Duration,
    ) -> Option<Response<Incoming>> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}://{address}{path}", self.scheme))
            .header(X_LINK_TOKEN, link_token.expose())
            .header(X_MEMBER_ADDRESS, &self.link.address)
            .header(X_MEMBER_TOKEN, self.link.token.expose())
            .body(Either::Right(Empty::new()))
            .ok()?;
        match timeout(patience, self.client.request(request)).await {
            Ok(Ok(reply)) => return reply.status().is_success().then_some(reply),
            Ok(Err(error)) => tracing::debug!(%error, address, path, "a replica is not reached"),
            Err(_) => tracing::debug!(address, path, "a replica does not answer"),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;
    use crate::cluster::Link;

    /// A leader with 35 members that did not answer called one by one, a second each, before it stopped: 35 s.
    #[tokio::test]
    async fn a_handover_to_members_that_do_not_answer_is_bounded_in_all() {
        let token = |text: &str| LinkToken::from(text.to_owned());
        let cluster =
            Cluster::new(Link { address: "here:1".to_owned(), token: token("ours") }, None);
        let mut silent = Vec::new();
        for _ in 0..35 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap().to_string();
            cluster.members.note(address, token("theirs"));
            silent.push(listener);
        }
        let began = Instant::now();
        cluster.call_election().await;
        let took = began.elapsed();
        println!("a handover with {} silent members took {took:?}", silent.len());
        assert!(took < Duration::from_millis(2_500), "{took:?}");
    }
}
