//! Replies as they look. A test compares their fields with those of real replies.

use serde_json::{Value, json};

use crate::endpoint::{Endpoint, HttpMethod};
use crate::error_code::ErrorCode;

/// What a call answers about a lock: free when it was made or released, else held by a writer.
pub(super) fn lock(endpoint: &Endpoint) -> Value {
    match endpoint.method {
        HttpMethod::Put | HttpMethod::Get => held_lock(),
        HttpMethod::Post
        | HttpMethod::Delete
        | HttpMethod::Options
        | HttpMethod::Head
        | HttpMethod::Patch
        | HttpMethod::Trace => free_lock(),
    }
}

fn free_lock() -> Value {
    json!({
        "id": "0d3f8c1e-5b0a-4c53-9a53-3a1f6f0b7a11",
        "lock_id": "nightly-report",
        "is_write_exclusive": true,
        "current_state": "FREE",
        "read_process_list": [],
        "write_process_list": [],
        "read_process_count": 0,
        "write_process_count": 0,
        "created_at": "2026-01-02T03:04:05.678Z",
        "updated_at": "2026-01-02T03:04:05.678Z",
    })
}

fn held_lock() -> Value {
    let mut lock = free_lock();
    lock["current_state"] = json!("WRITE");
    lock["write_process_count"] = json!(1);
    lock["updated_at"] = json!("2026-01-02T03:10:00.000Z");
    lock["write_process_list"] = json!([{
        "process_id": "worker-7",
        "lock_acquired_at": "2026-01-02T03:10:00.000Z",
        "timeout": 60,
        "expires_at": "2026-01-02T03:11:00.000Z",
        "remaining_ms": 60000,
        "fencing_token": 4711,
    }]);
    lock
}

/// A refusal; the lock comes with those that are about one.
pub(super) fn problem(code: ErrorCode) -> Value {
    let mut problem = json!({
        "type": code.type_uri(),
        "title": code.title(),
        "status": code.status().as_u16(),
        "detail": code.advice(),
        "code": code.word(),
        "retryable": code.retryable(),
        "outcome": code.outcome(),
        "request_id": "5f3a9c1e-000000000000002a",
    });
    if matches!(code, ErrorCode::LockExists | ErrorCode::Held | ErrorCode::AlreadyHeld) {
        problem["lock"] = held_lock();
    }
    if matches!(code, ErrorCode::NotHeld | ErrorCode::NothingToRelease) {
        problem["lock"] = free_lock();
    }
    problem
}

pub(super) fn key_request() -> Value {
    json!({ "namespace": "billing", "role": "write", "label": "nightly jobs" })
}

pub(super) fn key() -> Value {
    json!({
        "key_id": "1f2e3d4c5b6a",
        "namespace": "billing",
        "role": "write",
        "label": "nightly jobs",
        "created_at": "2026-01-02T03:04:05.678Z",
    })
}

pub(super) fn new_key() -> Value {
    let mut key = key();
    key["key"] = json!(format!("lh_1f2e3d4c5b6a_{}", "0123456789abcdef".repeat(4)));
    key
}

pub(super) fn keys() -> Value {
    json!({ "keys": [key()] })
}

pub(super) fn health() -> Value {
    json!({
        "message": "healthy",
        "service_version": "0.1.0",
        "commit_id": "4f2a91c",
        "time": "2026-01-02T03:04:05.678Z",
    })
}

pub(super) fn readiness() -> Value {
    json!({ "ready": true })
}
