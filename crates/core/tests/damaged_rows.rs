//! Rows that cannot be true: recovery names what is wrong and makes no table of them.

#![expect(clippy::unwrap_used, reason = "test helpers are tests too")]

use leasehold_core::{
    Deadlines, EndCause, FencingToken, HoldKey, Limits, LockId, LockKind, LockUid, Mode, Namespace,
    Now, PastHold, ProcessId, Recovery, Row, Table, TimeoutSecs, Violation, Wall,
};

fn lock(name: &str, is_write_exclusive: bool) -> Row {
    Row::Lock {
        namespace: Namespace::parse("default").unwrap(),
        lock_id: LockId::parse(name).unwrap(),
        uid: LockUid([0; 16]),
        kind: LockKind { max_writers: is_write_exclusive.then_some(1), ..LockKind::default() },
        created_at: Wall(0),
        updated_at: Wall(0),
    }
}

fn pool(name: &str, permits: u32) -> Row {
    let Row::Lock { namespace, lock_id, uid, kind, created_at, updated_at } = lock(name, false)
    else {
        unreachable!("`lock` makes a lock")
    };
    let kind = LockKind { max_readers: Some(permits), max_writers: Some(permits), ..kind };
    Row::Lock { namespace, lock_id, uid, kind, created_at, updated_at }
}

fn hold_key(lock: &str, mode: Mode, process: &str) -> HoldKey {
    HoldKey {
        namespace: Namespace::parse("default").unwrap(),
        lock_id: LockId::parse(lock).unwrap(),
        mode,
        process_id: ProcessId::parse(process).unwrap(),
    }
}

fn hold(lock: &str, mode: Mode, process: &str, number: u64) -> Row {
    Row::Hold {
        hold: hold_key(lock, mode, process),
        token: token(number),
        timeout: TimeoutSecs::new(60).unwrap(),
        acquired_at: Wall(0),
        renewed_at: Wall(0),
        note: None,
        idempotency_key: None,
        acquired_by: None,
    }
}

fn past(lock: &str, slot: u64, number: u64, token: FencingToken) -> Row {
    let HoldKey { namespace, lock_id, mode, process_id } = hold_key(lock, Mode::Read, "alice");
    let past = PastHold {
        number,
        process_id,
        mode,
        token,
        acquired_at: Wall(0),
        ended_at: Wall(1),
        cause: EndCause::Released,
        by: None,
        idempotency_key: None,
        note: None,
    };
    Row::Past { slot, namespace, lock_id, past }
}

fn token(number: u64) -> FencingToken {
    FencingToken::new(number).unwrap()
}

fn sequence(number: u64) -> Row {
    Row::Sequence(token(number))
}

fn recover(rows: &[Row]) -> Result<Table, Violation> {
    let mut recovery = Recovery::new(Limits::default(), Deadlines::Anew);
    rows.iter().for_each(|row| recovery.row(row.clone()));
    recovery.finish(Now::default()).map(|(table, _)| table)
}

#[test]
fn sound_rows_are_a_table_in_whatever_order_they_come() {
    let mut rows = [
        lock("job", true),
        lock("log", false),
        hold("job", Mode::Write, "alice", 2),
        hold("log", Mode::Write, "alice", 5),
        hold("log", Mode::Write, "bob", 1),
        past("log", 4, 4, token(6)),
        past("log", 1, 5, token(7)),
        past("gone", 2, 2, token(4)),
        sequence(7),
    ];
    let table = recover(&rows).unwrap();
    assert_eq!(table.last_token(), token(7));
    let occupancy: Vec<_> = table.occupancy().map(|space| (space.locks, space.holds)).collect();
    assert_eq!(occupancy, [(2, 3)]);
    rows.reverse();
    assert_eq!(format!("{table:?}"), format!("{:?}", recover(&rows).unwrap()));
    assert!(recover(&[]).is_ok(), "a new store has no rows");
}

/// Half a store would be served as if it were whole, and give out tokens a second time.
#[test]
fn i3_rows_of_an_import_that_is_not_complete_are_no_table() {
    let import = Row::Import { begun_at: Wall(1) };
    for rows in [&[import.clone()][..], &[lock("job", true), import, sequence(1)]] {
        assert_eq!(recover(rows).unwrap_err(), Violation::UnfinishedImport);
    }
}

#[test]
fn a_hold_without_its_lock_is_named() {
    let violation =
        recover(&[lock("log", false), hold("job", Mode::Read, "alice", 1), sequence(1)]);
    let key = hold_key("job", Mode::Read, "alice");
    assert_eq!(violation.unwrap_err(), Violation::HoldWithoutLock(key));
}

#[test]
fn i1_holds_that_exclude_each_other_are_named() {
    for (is_write_exclusive, first, second) in [
        (false, Mode::Read, Mode::Write),
        (false, Mode::Write, Mode::Read),
        (true, Mode::Write, Mode::Write),
        (true, Mode::Read, Mode::Write),
    ] {
        let violation = recover(&[
            lock("job", is_write_exclusive),
            hold("job", first, "alice", 1),
            hold("job", second, "bob", 2),
            sequence(2),
        ]);
        let key = hold_key("job", second, "bob");
        assert_eq!(violation.unwrap_err(), Violation::Exclusion(key), "{first:?} {second:?}");
    }
}

#[test]
fn i1_more_holds_than_permits_are_named() {
    for mode in [Mode::Read, Mode::Write] {
        let holds = ["alice", "bob", "carol"].into_iter().zip(1..);
        let holds = holds.map(|(process, number)| hold("pool", mode, process, number));
        let rows: Vec<Row> = [sequence(3), pool("pool", 2)].into_iter().chain(holds).collect();
        let key = hold_key("pool", mode, "carol");
        assert_eq!(recover(&rows).unwrap_err(), Violation::Exclusion(key));
        assert!(recover(&rows[..4]).is_ok(), "two permits, two holds");
    }
}

#[test]
fn i3_a_token_given_out_twice_is_named_wherever_its_rows_stand() {
    let violation = recover(&[
        lock("job", false),
        lock("log", false),
        hold("job", Mode::Read, "alice", 3),
        hold("job", Mode::Read, "bob", 4),
        hold("log", Mode::Read, "alice", 3),
        sequence(4),
    ]);
    let Violation::Token { hold, token: twice, .. } = violation.unwrap_err() else {
        panic!("the token is what is wrong");
    };
    assert_eq!((hold.process_id.as_str(), twice), ("alice", token(3)));
}

#[test]
fn i3_a_token_ahead_of_the_sequence_is_named() {
    let key = hold_key("job", Mode::Read, "alice");
    let rows = [lock("job", false), hold("job", Mode::Read, "alice", 4), sequence(3)];
    assert_eq!(
        recover(&rows).unwrap_err(),
        Violation::Token { hold: key.clone(), token: token(4), sequence: token(3) }
    );
    assert_eq!(
        recover(&rows[..2]).unwrap_err(),
        Violation::Token { hold: key, token: token(4), sequence: token(0) },
        "a lost sequence is found out by any hold"
    );
}

#[test]
fn past_holds_that_contradict_each_other_or_the_sequence_are_named() {
    let violation = |slot, number, given| Violation::Past {
        slot,
        number,
        token: token(given),
        sequence: token(3),
    };
    for (second, named) in [
        // Two ends with one number: their order is lost.
        (past("log", 5, 2, token(2)), violation(5, 2, 2)),
        // The row kept a later end than the one that it keeps now.
        (past("log", 4, 3, token(2)), violation(4, 3, 2)),
        // More holds ended than tokens were given out.
        (past("log", 3, 4, token(2)), violation(3, 4, 2)),
        // I3: a token that was never given out.
        (past("log", 3, 3, token(4)), violation(3, 3, 4)),
    ] {
        let rows = [past("job", 2, 2, token(1)), second, sequence(3)];
        let found = recover(&rows).unwrap_err();
        assert_eq!(found, named);
        assert!(found.to_string().contains("history"), "{found}");
    }
}

#[test]
fn what_is_wrong_says_so_in_its_text() {
    let hold = hold_key("job", Mode::Read, "alice");
    let (token, sequence) = (token(4), token(3));
    for (violation, says) in [
        (Violation::HoldWithoutLock(hold.clone()), "no such lock"),
        (Violation::Exclusion(hold.clone()), "I1"),
        (Violation::Token { hold, token, sequence }, "I3"),
    ] {
        let text = violation.to_string();
        assert!(text.contains(says), "{text}");
        assert!(text.contains("job") && text.contains("alice"), "{text} must name the hold");
    }
}
