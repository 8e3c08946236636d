//! The ceiling: the paths and the HTTP stack of the real server, a fixed reply, no state.

use axum::Router;
use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::routing::{post, put};

/// A lock held by one writer, as long as the real reply is with the names that `load` uses.
const HELD: &str = concat!(
    r#"{"id":"0190f5c2-7d3e-7c1a-9b2f-3a4b5c6d7e8f","lock_id":"bench-00000042","#,
    r#""is_write_exclusive":true,"max_readers":null,"max_writers":1,"is_ephemeral":false,"#,
    r#""current_state":"WRITE","read_process_list":[],"#,
    r#""write_process_list":[{"process_id":"worker-42","#,
    r#""lock_acquired_at":"2026-01-02T03:04:05.678Z","timeout":60,"#,
    r#""expires_at":"2026-01-02T03:05:05.678Z","remaining_ms":60000,"fencing_token":123456,"#,
    r#""note":null}],"read_process_count":0,"write_process_count":1,"waiter_count":0,"#,
    r#""created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:05.678Z","#,
    r#""fencing_token":123456,"safe_for_ms":59999,"waited_ms":0}"#
);

/// A free lock.
const FREE: &str = concat!(
    r#"{"id":"0190f5c2-7d3e-7c1a-9b2f-3a4b5c6d7e8f","lock_id":"bench-00000042","#,
    r#""is_write_exclusive":true,"max_readers":null,"max_writers":1,"is_ephemeral":false,"#,
    r#""current_state":"FREE","read_process_list":[],"#,
    r#""write_process_list":[],"read_process_count":0,"write_process_count":0,"waiter_count":0,"#,
    r#""created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:05.678Z"}"#
);

type FixedReply = (StatusCode, [(HeaderName, HeaderValue); 1], &'static str);

const fn reply(status: StatusCode, body: &'static str) -> FixedReply {
    (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body)
}

async fn held(Path((_lock_id, _process_id)): Path<(String, String)>) -> FixedReply {
    reply(StatusCode::OK, HELD)
}

async fn released(Path((_lock_id, _process_id)): Path<(String, String)>) -> FixedReply {
    reply(StatusCode::OK, FREE)
}

async fn created(Path(_lock_id): Path<String>) -> FixedReply {
    reply(StatusCode::CREATED, FREE)
}

async fn looked_at(Path(_lock_id): Path<String>) -> FixedReply {
    reply(StatusCode::OK, FREE)
}

/// The lock endpoints, answered without doing anything.
pub fn router() -> Router {
    let hold = || put(held).delete(released);
    Router::new()
        .route("/v1/distributed_lock/{lock_id}", post(created).get(looked_at))
        .route("/v1/distributed_lock/{lock_id}/read-process/{process_id}", hold())
        .route("/v1/distributed_lock/{lock_id}/write-process/{process_id}", hold())
}
