//! The leader asks this replica to prove its address.

use hyper::StatusCode;

use crate::exchange::{Answering, Request};
use crate::handlers::fallback;
use crate::reply;
use crate::state::ApiState;

pub(crate) fn answer(api: ApiState, request: Request) -> Answering {
    Box::pin(async move {
        let cluster = api.cluster.as_ref().ok_or_else(fallback::no_such_route)?;
        let (name, proof) = cluster.prove(&api.engine, request.headers())?;
        let mut response = reply::empty(StatusCode::NO_CONTENT);
        response.headers_mut().insert(name, proof);
        Ok(response)
    })
}
