//! A follower is in touch.

use hyper::StatusCode;

use crate::exchange::{Answering, Request};
use crate::handlers::fallback;
use crate::reply;
use crate::state::ApiState;

pub(crate) fn answer(api: ApiState, request: Request) -> Answering {
    Box::pin(async move {
        let cluster = api.cluster.as_ref().ok_or_else(fallback::no_such_route)?;
        cluster.greeted(request.headers()).await?;
        Ok(reply::empty(StatusCode::NO_CONTENT))
    })
}
