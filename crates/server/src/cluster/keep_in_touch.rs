//! Followers greet the leader now and then; a leader that leaves calls on one of them to be the next.
//! Both are courtesies: without them the members of `GET /v1/cluster` are unknown, and a handover takes
//! until the next regular try to lead.

use std::time::Duration;

use http_body_util::{Either, Empty};
use hyper::header::HeaderName;
use hyper::{HeaderMap, Method, Request};
use leasehold_engine::{Engine, ReplicaState};
use tokio::time::timeout;

use super::{Cluster, X_LINK_TOKEN};
use crate::error_code::ErrorCode;
use crate::problem::Problem;

const GREETING_PERIOD: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(1);

/// Where followers greet the leader. Between replicas only, so it is not in the documentation.
pub(crate) const GREETING_PATH: &str = "/internal/greeting";

/// Where the leader calls on a follower to be the next one.
pub(crate) const ELECTION_PATH: &str = "/internal/election";

const X_MEMBER_ADDRESS: HeaderName = HeaderName::from_static("x-leasehold-member");
const X_MEMBER_TOKEN: HeaderName = HeaderName::from_static("x-leasehold-member-link");

impl Cluster {
    /// Greets the leader for as long as this replica follows one, again and again, and a new one at once:
    /// in a rolling restart it is asked to stop as soon as this replica is ready.
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
                self.post(&leader.address, GREETING_PATH, &leader.link_token).await;
            }
            if let Ok(Err(_)) = timeout(GREETING_PERIOD, state.changed()).await {
                return;
            }
        }
    }

    /// Calls on one of those who were in touch lately to lead next, this one having resigned. Several at
    /// once would be in each other's way; if nothing comes of it, the others try soon anyway.
    pub async fn call_election(&self) {
        for member in self.members() {
            if self.post(&member.address, ELECTION_PATH, &member.link_token).await {
                return;
            }
        }
    }

    /// Takes a greeting down.
    pub(crate) fn greeted(&self, headers: &HeaderMap) -> Result<(), Problem> {
        self.let_in(headers)?;
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if let (Some(address), Some(token)) = (text(X_MEMBER_ADDRESS), text(X_MEMBER_TOKEN)) {
            self.members.note(address.to_owned(), token.to_owned());
        }
        Ok(())
    }

    /// Tries to lead at once, if whoever calls may ask for that.
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

    /// Whether the other replica took it.
    async fn post(&self, address: &str, path: &str, link_token: &str) -> bool {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}://{address}{path}", self.scheme))
            .header(X_LINK_TOKEN, link_token)
            .header(X_MEMBER_ADDRESS, &self.link.address)
            .header(X_MEMBER_TOKEN, &self.link.token)
            .body(Either::Right(Empty::new()));
        let Ok(request) = request else { return false };
        match timeout(PATIENCE, self.client.request(request)).await {
            Ok(Ok(answer)) => return answer.status().is_success(),
            Ok(Err(error)) => tracing::debug!(%error, address, path, "a replica is not reached"),
            Err(_) => tracing::debug!(address, path, "a replica does not answer"),
        }
        false
    }
}
