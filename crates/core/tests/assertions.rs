//! A change that breaks a promise stops the table before anything of it can be committed.

#![expect(clippy::unwrap_used, reason = "test helpers are tests too")]

use leasehold_core::{
    Change, EndCause, FencingToken, Hold, HoldKey, Limits, LockId, LockKind, LockUid, Mode, Mono,
    Namespace, ProcessId, Table, TimeoutSecs, Wall,
};

fn hold(lock: &str, mode: Mode, process: &str) -> HoldKey {
    HoldKey {
        namespace: Namespace::parse("default").unwrap(),
        lock_id: LockId::parse(lock).unwrap(),
        mode,
        process_id: ProcessId::parse(process).unwrap(),
    }
}

fn created(lock: &str, is_write_exclusive: bool) -> Change {
    Change::LockCreated {
        namespace: Namespace::parse("default").unwrap(),
        lock_id: LockId::parse(lock).unwrap(),
        uid: LockUid([0; 16]),
        kind: LockKind { max_writers: is_write_exclusive.then_some(1), ..LockKind::default() },
        created_at: Wall(0),
        updated_at: Wall(0),
        is_provisional: false,
    }
}

fn granted(hold: HoldKey, token: u64) -> Change {
    let held = Box::new(Hold {
        token: FencingToken::new(token).unwrap(),
        timeout: TimeoutSecs::new(60).unwrap(),
        acquired_at: Wall(0),
        renewed_at: Wall(0),
        deadline: Mono(60_000_000_000),
        promised: Mono(60_000_000_000),
        note: None,
        idempotency_key: None,
        acquired_by: None,
        is_confirmed: false,
    });
    Change::Granted { hold, held }
}

fn refreshed(hold: HoldKey) -> Change {
    let timeout = TimeoutSecs::new(60).unwrap();
    let (renewed_at, deadline) = (Wall(0), Mono(1));
    Change::Refreshed { hold, timeout, renewed_at, deadline, timeout_changed: false }
}

fn ended(hold: HoldKey) -> Change {
    Change::Ended { hold, cause: EndCause::Released, at: Wall(0), by: None }
}

/// A write-exclusive lock `job`, which alice writes, and a free one, `log`.
fn table() -> Table {
    let mut table = Table::new(Limits::default());
    table.apply(created("job", true));
    table.apply(created("log", false));
    table.apply(granted(hold("job", Mode::Write, "alice"), 1));
    table
}

#[test]
#[should_panic(expected = "I1")]
fn i1_a_second_exclusive_writer_is_stopped() {
    table().apply(granted(hold("job", Mode::Write, "bob"), 2));
}

#[test]
#[should_panic(expected = "I1")]
fn i1_a_reader_beside_a_writer_is_stopped() {
    table().apply(granted(hold("job", Mode::Read, "bob"), 2));
}

#[test]
#[should_panic(expected = "I3")]
fn i3_a_token_given_out_twice_is_stopped() {
    table().apply(granted(hold("log", Mode::Read, "bob"), 1));
}

#[test]
#[should_panic(expected = "granted once")]
fn a_hold_granted_twice_is_stopped() {
    table().apply(granted(hold("job", Mode::Write, "alice"), 2));
}

#[test]
#[should_panic(expected = "I5")]
fn i5_a_refresh_of_what_is_over_is_stopped() {
    let mut table = table();
    table.apply(ended(hold("job", Mode::Write, "alice")));
    table.apply(refreshed(hold("job", Mode::Write, "alice")));
}

#[test]
#[should_panic(expected = "not held")]
fn an_end_of_what_is_over_is_stopped() {
    table().apply(ended(hold("job", Mode::Read, "alice")));
}

#[test]
#[should_panic(expected = "created once")]
fn a_lock_created_twice_is_stopped() {
    table().apply(created("job", true));
}
