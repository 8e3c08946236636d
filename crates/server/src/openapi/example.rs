//! Replies as they look. A test compares their fields with those of real replies.

use serde_json::{Value, json};

use crate::endpoint::{Endpoint, HttpMethod};
use crate::error_code::ErrorCode;

/// What a call answers about a lock: free when it was made, released or deleted, else held by a writer.
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
        "max_readers": null,
        "max_writers": 1,
        "is_ephemeral": false,
        "current_state": "FREE",
        "read_process_list": [],
        "write_process_list": [],
        "read_process_count": 0,
        "write_process_count": 0,
        "waiter_count": 0,
        "created_at": "2026-01-02T03:04:05.678Z",
        "updated_at": "2026-01-02T03:04:05.678Z",
    })
}

fn held_lock() -> Value {
    let mut lock = free_lock();
    lock["current_state"] = json!("WRITE");
    lock["write_process_count"] = json!(1);
    lock["updated_at"] = json!("2026-01-02T03:10:00.000Z");
    lock["write_process_list"] = json!([hold()]);
    lock
}

fn hold() -> Value {
    json!({
        "process_id": "worker-7",
        "lock_acquired_at": "2026-01-02T03:10:00.000Z",
        "timeout": 60,
        "expires_at": "2026-01-02T03:11:00.000Z",
        "remaining_ms": 60000,
        "fencing_token": 4711,
        "note": "deploy 4711 by CI",
    })
}

pub(super) fn granted_lock() -> Value {
    let mut lock = held_lock();
    lock["fencing_token"] = json!(4711);
    lock["safe_for_ms"] = json!(59999);
    lock["waited_ms"] = json!(1);
    lock
}

pub(super) fn acquire_request() -> Value {
    json!({
        "process_id": "worker-7",
        "timeout_seconds": 60,
        "wait_seconds": 30,
        "note": "deploy 4711 by CI",
        "locks": [
            { "lock_id": "nightly-report", "mode": "write" },
            { "lock_id": "catalogue", "mode": "read", "create_if_missing": true },
        ],
    })
}

pub(super) fn grants() -> Value {
    let granted = json!({
        "lock_id": "nightly-report",
        "mode": "write",
        "fencing_token": 4711,
        "lock": held_lock(),
    });
    let grants = [granted];
    json!({ "process_id": "worker-7", "safe_for_ms": 59999, "waited_ms": 1, "grants": grants })
}

pub(super) fn locks() -> Value {
    json!({ "locks": [held_lock()], "next_cursor": "16e696768746c792d7265706f7274" })
}

pub(super) fn history() -> Value {
    let past = json!({
        "process_id": "worker-6",
        "mode": "write",
        "fencing_token": 4710,
        "lock_acquired_at": "2026-01-02T03:04:05.678Z",
        "ended_at": "2026-01-02T03:09:00.000Z",
        "cause": "forced",
        "ended_by": "1f2e3d4c5b6a",
        "note": "deploy 4710 by CI",
    });
    let cursor = "10000000000001267";
    json!({ "lock_id": "nightly-report", "history": [past], "next_cursor": cursor })
}

pub(super) fn process() -> Value {
    let mut held = hold();
    held["lock_id"] = json!("nightly-report");
    held["mode"] = json!("write");
    let lost = json!({
        "lock_id": "catalogue",
        "mode": "read",
        "fencing_token": 4700,
        "cause": "expired",
        "ended_at": "2026-01-02T03:09:00.000Z",
    });
    json!({ "process_id": "worker-7", "holds": [held], "lost": [lost] })
}

pub(super) fn waits() -> Value {
    let wait = json!({
        "lock_id": "nightly-report",
        "process_id": "worker-8",
        "mode": "write",
        "position": 1,
        "remaining_ms": 29000,
        "note": null,
        "blockers": [blocker()],
    });
    json!({ "waits": [wait] })
}

fn blocker() -> Value {
    json!({ "process_id": "worker-7", "mode": "write", "holds": true })
}

fn cycle() -> Value {
    json!([
        { "process_id": "worker-8", "lock_id": "nightly-report", "mode": "write" },
        { "process_id": "worker-7", "lock_id": "catalogue", "mode": "write" },
    ])
}

/// The beginning of a stream.
pub(super) fn events() -> Value {
    let granted = json!({
        "event": "granted",
        "lock_id": "nightly-report",
        "at": "2026-01-02T03:10:00.000Z",
        "process_id": "worker-7",
        "mode": "write",
        "note": "deploy 4711 by CI",
        "fencing_token": 4711,
        "timeout": 60,
    });
    json!(format!(": open\nid: 7-41\n\nevent: granted\nid: 7-42\ndata: {granted}\n\n"))
}

/// A refusal, with what it shows beside its words.
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
    match code {
        ErrorCode::WaitTimedOut => {
            problem["lock"] = held_lock();
            problem["position"] = json!(1);
            problem["blockers"] = json!([blocker()]);
        }
        ErrorCode::QuotaExceeded => {
            problem["quota"] = json!({ "name": "max_holds", "max": 500, "count": 500 });
        }
        ErrorCode::Deadlock => problem["cycle"] = cycle(),
        ErrorCode::LockExists
        | ErrorCode::LockDiffers
        | ErrorCode::Held
        | ErrorCode::AlreadyHeld => {
            problem["lock"] = held_lock();
        }
        ErrorCode::StaleToken | ErrorCode::NotFree => problem["lock"] = held_lock(),
        ErrorCode::NotHeld | ErrorCode::NothingToRelease => problem["lock"] = free_lock(),
        _ => {}
    }
    problem
}

pub(super) fn key_request() -> Value {
    json!({
        "namespace": "billing",
        "role": "write",
        "label": "nightly jobs",
        "requests_per_second": 50,
        "burst": 100,
        "max_holds": 500,
    })
}

pub(super) fn key_change() -> Value {
    json!({ "max_holds": 1000, "max_waiters": null })
}

pub(super) fn key() -> Value {
    json!({
        "key_id": "1f2e3d4c5b6a",
        "namespace": "billing",
        "role": "write",
        "label": "nightly jobs",
        "created_at": "2026-01-02T03:04:05.678Z",
        "requests_per_second": 50,
        "burst": 100,
        "max_locks": null,
        "max_holds": 500,
        "max_waiters": null,
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

pub(super) fn cluster() -> Value {
    json!({
        "leader": { "address": "replica-1:8000", "epoch": 7, "since": "2026-01-02T03:04:05.678Z" },
        "members": [{ "address": "replica-2:8000", "silent_for_ms": 310 }],
    })
}

pub(super) fn readiness() -> Value {
    json!({ "ready": true })
}
