//! The replicas of the service.

use leasehold_engine::Term;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Rfc3339, whole_ms};
use crate::cluster::Member;

/// Who leads, and who follows.
#[derive(Serialize, ToSchema)]
pub(crate) struct Cluster<'a> {
    leader: LeadingReplica<'a>,
    /// The other replicas that were in touch with the leader in the last 10 seconds, by address.
    members: Vec<FollowingReplica<'a>>,
}

/// The replica that leads.
#[derive(Serialize, ToSchema)]
pub(crate) struct LeadingReplica<'a> {
    /// Where the others reach it; null for a service that runs alone, and for callers that are not admins
    /// of the namespace `default`.
    address: Option<&'a str>,
    /// Its term; grows with every change of leadership.
    #[schema(minimum = 1)]
    epoch: u64,
    /// When its term began, UTC.
    #[schema(value_type = String, format = DateTime)]
    since: Rfc3339,
}

/// A replica that follows.
#[derive(Serialize, ToSchema)]
pub(crate) struct FollowingReplica<'a> {
    /// Where the others reach it; null for callers that are not admins of the namespace `default`.
    address: Option<&'a str>,
    /// How long ago it was in touch, in milliseconds.
    silent_for_ms: u64,
}

impl<'a> Cluster<'a> {
    /// What one caller sees: an operator with addresses, any other without.
    pub(crate) fn new(
        address: Option<&'a str>,
        term: Term,
        members: &'a [Member],
        shows_addresses: bool,
    ) -> Self {
        let address = address.filter(|_| shows_addresses);
        let member = |member: &'a Member| FollowingReplica {
            address: shows_addresses.then_some(&*member.address),
            silent_for_ms: whole_ms(member.silent_for),
        };
        Self {
            leader: LeadingReplica { address, epoch: term.epoch.0, since: Rfc3339(term.since) },
            members: members.iter().map(member).collect(),
        }
    }
}
