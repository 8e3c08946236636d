//! This process as one of several replicas.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use leasehold_engine::Engine;
use leasehold_server::tls::Tls;
use leasehold_server::{Cluster, Link};
use leasehold_store::Candidate;
use tokio::sync::watch;

use super::ServeError;
use crate::config::{Leadership, Settings};

const TOKEN_BYTES: usize = 16;

/// What a replica shows itself by to the store and to the others.
pub(super) fn candidate(settings: &Settings, bound: SocketAddr) -> Result<Candidate, ServeError> {
    let advertised = settings.advertise.value.as_ref().map(|address| address.as_str().to_owned());
    let mut token = [0; TOKEN_BYTES];
    getrandom::fill(&mut token).map_err(|error| ServeError::NoRandomness(error.to_string()))?;
    Ok(Candidate {
        address: advertised.unwrap_or_else(|| bound.to_string()),
        lease: match settings.leadership.value {
            Leadership::Continuous => {
                Duration::from_secs(settings.lease_seconds.value.get().into())
            }
            Leadership::OnDemand => Duration::ZERO,
        },
        link_token: token.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
    })
}

/// Joins the others: hands on, greets, and is greeted.
pub(super) fn join(
    candidate: &Candidate,
    engine: &Engine,
    tls: Option<watch::Receiver<Tls>>,
) -> Arc<Cluster> {
    let link = Link { address: candidate.address.clone(), token: candidate.link_token.clone() };
    let cluster = Arc::new(Cluster::new(link, tls));
    let (cluster_in_touch, engine) = (Arc::clone(&cluster), engine.clone());
    tokio::spawn(async move { cluster_in_touch.keep_in_touch(&engine).await });
    cluster
}
