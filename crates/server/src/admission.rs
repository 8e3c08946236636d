//! A request is let in or refused, and then answered. What its key had left is known from then on and told
//! with the answer, whatever that is.

use std::future::{Future, ready};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use leasehold_core::Role;
use leasehold_engine::Tally;

use crate::auth;
use crate::exchange::{Answering, KeyedAnswer, Request, Response};
use crate::problem::Problem;
use crate::state::ApiState;

/// How far a request has come.
pub(crate) enum Admission {
    /// Its key is known only once it is clear that the keys here are the latest.
    Pending(Pin<Box<dyn Future<Output = Admitted> + Send>>),
    Done(Admitted),
}

/// A request that was let in or refused, and its answer under way.
pub(crate) struct Admitted {
    answering: Answering,
    tally: Option<Tally>,
}

impl Admission {
    /// The answer, once there is one.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Response, Problem>> {
        loop {
            match self {
                Self::Pending(admitting) => {
                    *self = Self::Done(ready!(admitting.as_mut().poll(context)));
                }
                Self::Done(admitted) => return admitted.answering.as_mut().poll(context),
            }
        }
    }

    /// What the key had left, if it is known and has a rate.
    pub(crate) fn tally(&self) -> Option<Tally> {
        match self {
            Self::Pending(_) => None,
            Self::Done(admitted) => admitted.tally,
        }
    }
}

impl From<Answering> for Admission {
    fn from(answering: Answering) -> Self {
        Self::Done(answering.into())
    }
}

impl Admitted {
    /// Has a call answered that needs a key with this role. `source` is the other end of its connection.
    pub(crate) fn by_key(
        api: ApiState,
        needed: Role,
        answer: KeyedAnswer,
        request: Request,
        source: Option<IpAddr>,
    ) -> Self {
        let (caller, tally) = auth::admit(&api, needed, &request, source);
        let answering = match caller {
            Ok(caller) => answer(api, caller, request),
            Err(problem) => Box::pin(ready(Err(problem))),
        };
        Self { answering, tally }
    }
}

impl From<Answering> for Admitted {
    /// A request that no rate bounds.
    fn from(answering: Answering) -> Self {
        Self { answering, tally: None }
    }
}

impl From<Problem> for Admitted {
    fn from(problem: Problem) -> Self {
        Self { answering: Box::pin(ready(Err(problem))), tally: None }
    }
}
