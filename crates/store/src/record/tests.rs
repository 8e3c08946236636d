use leasehold_core::{
    ApiKey, EndCause, FencingToken, HoldKey, IdempotencyKey, KeyHash, KeyId, KeyLimits, LockId,
    LockKind, LockUid, MAX_RATE, Mode, Namespace, Note, PastHold, ProcessId, Quotas, Rate, Role,
    Row, RowKey, TimeoutSecs, Wall,
};
use proptest::prelude::*;

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn namespace() -> Namespace {
    Namespace::parse("default").unwrap()
}

fn golden_hold_key() -> HoldKey {
    HoldKey {
        namespace: namespace(),
        lock_id: LockId::parse("deploy/prod").unwrap(),
        mode: Mode::Write,
        process_id: ProcessId::parse("100%").unwrap(),
    }
}

fn golden_hold_with(
    renewed_at: Wall,
    note: Option<Note>,
    idempotency_key: Option<IdempotencyKey>,
    acquired_by: Option<KeyId>,
) -> Row {
    Row::Hold {
        hold: golden_hold_key(),
        token: FencingToken::new(300).unwrap(),
        timeout: TimeoutSecs::new(60).unwrap(),
        acquired_at: Wall(1_700_000_000_000),
        renewed_at,
        note,
        idempotency_key,
        acquired_by,
    }
}

/// A hold as versions 2 to 4 knew it.
fn golden_hold(renewed_at: Wall) -> Row {
    golden_hold_with(
        renewed_at,
        Some(Note::parse("deploy 4711").unwrap()),
        Some(IdempotencyKey::parse("once").unwrap()),
        None,
    )
}

fn golden_hold_of_key(renewed_at: Wall) -> Row {
    golden_hold_with(
        renewed_at,
        Some(Note::parse("deploy 4711").unwrap()),
        Some(IdempotencyKey::parse("once").unwrap()),
        Some(KeyId::parse("k2").unwrap()),
    )
}

fn golden_lock(kind: LockKind) -> Row {
    Row::Lock {
        namespace: namespace(),
        lock_id: LockId::parse("deploy").unwrap(),
        uid: LockUid([7; 16]),
        kind,
        created_at: Wall(1_700_000_000_000),
        updated_at: Wall(1_700_000_000_001),
    }
}

fn golden_key(limits: KeyLimits) -> Row {
    Row::Key(ApiKey {
        key_id: KeyId::parse("k1").unwrap(),
        namespace: namespace(),
        role: Role::Admin,
        label: "ci".to_owned(),
        hash: KeyHash([9; 32]),
        created_at: Wall(0),
        limits,
    })
}

fn golden_past(idempotency_key: Option<IdempotencyKey>) -> Row {
    Row::Past {
        slot: 300,
        namespace: namespace(),
        lock_id: LockId::parse("deploy/prod").unwrap(),
        past: PastHold {
            number: 301,
            process_id: ProcessId::parse("100%").unwrap(),
            mode: Mode::Write,
            token: FencingToken::new(300).unwrap(),
            acquired_at: Wall(1_700_000_000_000),
            ended_at: Wall(1_700_000_000_001),
            cause: EndCause::Forced,
            by: Some(KeyId::parse("k1").unwrap()),
            note: Some(Note::parse("deploy 4711").unwrap()),
            idempotency_key,
        },
    }
}

fn golden_limits() -> KeyLimits {
    KeyLimits {
        rate: Some(Rate::new(50, Some(300)).unwrap()),
        quotas: Quotas { max_locks: None, max_holds: Some(500), max_waiters: Some(0) },
    }
}

/// Rows, their keys, and their values in version 5.
fn golden_rows() -> [(Row, &'static str, &'static str); 8] {
    let semaphore = LockKind { max_readers: Some(300), max_writers: Some(4), is_ephemeral: true };
    [
        (
            golden_lock(semaphore),
            "lock/default/deploy",
            "050707070707070707070707070707070701ac0201040180a0abfef96282a0abfef962b3eb78f8",
        ),
        (
            golden_hold_of_key(Wall(1_700_000_000_500)),
            "hold/default/deploy%2Fprod/w/100%25",
            "05ac023c80a0abfef962e8a7abfef962010b6465706c6f79203437313101046f6e636501026b3225093b65",
        ),
        (
            Row::Release {
                hold: golden_hold_key(),
                idempotency_key: IdempotencyKey::parse("once").unwrap(),
                number: 300,
            },
            "release/default/deploy%2Fprod/w/100%25",
            "05046f6e6365ac02395b93e9",
        ),
        (
            golden_past(Some(IdempotencyKey::parse("once").unwrap())),
            "history/300",
            "05ad020764656661756c740b6465706c6f792f70726f64043130302501ac0280a0abfef96282a0abfef9620201026b31010b6465706c6f79203437313101046f6e63654c8e19c6",
        ),
        (
            golden_key(golden_limits()),
            "key/k1",
            "050764656661756c7402026369090909090909090909090909090909090909090909090909090909090909090900013201ac020001f40301002faf675d",
        ),
        (Row::Sequence(FencingToken::MAX), "meta/sequence", "05ffffffffffffff0f0fcf165a"),
        (
            Row::Import { begun_at: Wall(1_700_000_000_000) },
            "meta/import",
            "0580a0abfef9621f2415f7",
        ),
        (
            Row::StoredDeadlines { since: Wall(1_700_000_000_000) },
            "meta/stored-deadlines",
            "0580a0abfef962aff1c711",
        ),
    ]
}

/// What is on disk today must be readable tomorrow: these bytes never change for version 5.
#[test]
fn golden_bytes_of_version_5() {
    for (row, key, value) in golden_rows() {
        let (stored_key, stored_value) = encode(&row).unwrap();
        assert_eq!(String::from_utf8(stored_key.clone()).unwrap(), key);
        assert_eq!(hex(&stored_value), value, "{key}");
        assert_eq!(decode(&stored_key, &stored_value), Ok(row));
    }
}

/// Version 4 did not know which key took a hold, nor which request took a past one.
#[test]
fn golden_bytes_of_version_4_are_still_read() {
    let semaphore = LockKind { max_readers: Some(300), max_writers: Some(4), is_ephemeral: true };
    let golden = [
        (
            golden_lock(semaphore),
            "040707070707070707070707070707070701ac0201040180a0abfef96282a0abfef9627bfce637",
        ),
        (
            golden_hold(Wall(1_700_000_000_500)),
            "04ac023c80a0abfef962e8a7abfef962010b6465706c6f79203437313101046f6e6365bb616e91",
        ),
        (
            golden_past(None),
            "04ad020764656661756c740b6465706c6f792f70726f64043130302501ac0280a0abfef96282a0abfef9620201026b31010b6465706c6f7920343731319ae67e05",
        ),
        (
            golden_key(golden_limits()),
            "040764656661756c7402026369090909090909090909090909090909090909090909090909090909090909090900013201ac020001f40301004b7dcd45",
        ),
        (Row::Sequence(FencingToken::MAX), "04ffffffffffffff0f4cdb6d4d"),
        (Row::Import { begun_at: Wall(1_700_000_000_000) }, "0480a0abfef962ab2f6251"),
    ];
    for (row, value) in golden {
        assert_eq!(decode(&encode_key(&row.key()), &unhex(value)), Ok(row));
    }
}

/// Version 3 did not know when a timeout began: at the grant at the earliest.
#[test]
fn golden_bytes_of_version_3_are_still_read() {
    let semaphore = LockKind { max_readers: Some(300), max_writers: Some(4), is_ephemeral: true };
    let golden = [
        (
            golden_lock(semaphore),
            "030707070707070707070707070707070701ac0201040180a0abfef96282a0abfef962c091af34",
        ),
        (
            golden_hold(Wall(1_700_000_000_000)),
            "03ac023c80a0abfef962010b6465706c6f79203437313101046f6e636550b68cad",
        ),
        (
            golden_past(None),
            "03ad020764656661756c740b6465706c6f792f70726f64043130302501ac0280a0abfef96282a0abfef9620201026b31010b6465706c6f79203437313166036daf",
        ),
        (
            golden_key(golden_limits()),
            "030764656661756c7402026369090909090909090909090909090909090909090909090909090909090909090900013201ac020001f40301007742990e",
        ),
        (Row::Sequence(FencingToken::MAX), "03ffffffffffffff0f85b60c29"),
        (Row::Import { begun_at: Wall(1_700_000_000_000) }, "0380a0abfef9622511c594"),
    ];
    for (row, value) in golden {
        assert_eq!(decode(&encode_key(&row.key()), &unhex(value)), Ok(row));
    }
}

/// Version 2 knew no limits of keys, nor when a timeout began: at the grant at the earliest.
#[test]
fn golden_bytes_of_version_2_are_still_read() {
    let semaphore = LockKind { max_readers: Some(300), max_writers: Some(4), is_ephemeral: true };
    let golden = [
        (
            golden_lock(semaphore),
            "020707070707070707070707070707070701ac0201040180a0abfef96282a0abfef962088631fb",
        ),
        (
            golden_hold(Wall(1_700_000_000_000)),
            "02ac023c80a0abfef962010b6465706c6f79203437313101046f6e6365746f8bce",
        ),
        (
            golden_past(None),
            "02ad020764656661756c740b6465706c6f792f70726f64043130302501ac0280a0abfef96282a0abfef9620201026b31010b6465706c6f792034373131594ea0d2",
        ),
        (
            golden_key(KeyLimits::default()),
            "020764656661756c7402026369090909090909090909090909090909090909090909090909090909090909090900e8730b88",
        ),
        (Row::Sequence(FencingToken::MAX), "02ffffffffffffff0fc6a2773e"),
        (Row::Import { begun_at: Wall(1_700_000_000_000) }, "0280a0abfef962911ab232"),
    ];
    for (row, value) in golden {
        assert_eq!(decode(&encode_key(&row.key()), &unhex(value)), Ok(row));
    }
}

/// A key that lets nobody in, or everybody, was never made.
#[test]
fn a_rate_that_was_never_accepted_is_no_row() {
    let (key, value) = encode(&golden_key(golden_limits())).unwrap();
    let mut body = value[..value.len() - 4].to_vec();
    let at = body.iter().rposition(|byte| *byte == 50).unwrap();
    body[at] = 0;
    seal(&key, &mut body);
    let what = "its rate or burst was never accepted";
    assert_eq!(decode(&key, &body), Err(RecordError::Malformed { key: "key/k1".into(), what }));
}

/// Version 1 knew neither semaphores nor notes. A directory of that time opens as it was.
#[test]
fn golden_bytes_of_version_1_are_still_read() {
    let exclusive = LockKind { max_writers: Some(1), ..LockKind::default() };
    let golden = [
        (
            golden_lock(exclusive),
            "01070707070707070707070707070707070180a0abfef96282a0abfef962f1a4da1e",
        ),
        (
            golden_hold_with(Wall(1_700_000_000_000), None, None, None),
            "01ac023c80a0abfef96259c96f6f",
        ),
        (
            golden_key(KeyLimits::default()),
            "010764656661756c74020263690909090909090909090909090909090909090909090909090909090909090909005ddf5108",
        ),
        (Row::Sequence(FencingToken::MAX), "01ffffffffffffff0f039efa07"),
    ];
    for (row, value) in golden {
        assert_eq!(decode(&encode_key(&row.key()), &unhex(value)), Ok(row));
    }
}

/// Ids are free text, so `a/w/b` as a lock must not look like writer `b` of lock `a`.
#[test]
fn i1_ids_with_separators_name_different_rows() {
    let key = |lock: &str, process: &str| {
        encode_key(&RowKey::Hold(HoldKey {
            namespace: namespace(),
            lock_id: LockId::parse(lock).unwrap(),
            mode: Mode::Write,
            process_id: ProcessId::parse(process).unwrap(),
        }))
    };
    assert_ne!(key("a/w/b", "c"), key("a", "b/w/c"));
    assert_ne!(key("a%2Fb", "c"), key("a/b", "c"));
}

#[test]
fn keys_that_no_row_has_are_refused() {
    let (_, value) = encode(&golden_hold(Wall(0))).unwrap();
    for key in [
        "",
        "lock",
        "lock/default",
        "lock/default/",
        "lock/default/a/b",
        "hold/default/a/x/p",
        "hold/default/a/w",
        "lock/default/100%",
        "lock/default/a%2f",
        "lock/default/a%41",
        "key/not a slug",
        "history/",
        "history/01",
        "history/-1",
        "history/1/2",
        "history/18446744073709551616",
        "meta/sequence/",
        "meta/fence",
        "unknown/default/a",
    ] {
        let refused = decode(key.as_bytes(), &value);
        assert_eq!(refused, Err(RecordError::UnknownKey { key: key.to_owned() }));
    }
}

/// A value is tied to its key: under another key it is damage, not another row.
#[test]
fn i2_a_row_in_another_rows_place_is_named() {
    let (_, value) = encode(&golden_hold(Wall(0))).unwrap();
    let error = decode(b"hold/default/other/w/p", &value).unwrap_err();
    assert!(matches!(&error, RecordError::Checksum { key, .. } if key == "hold/default/other/w/p"));
}

#[test]
fn i2_every_flipped_bit_is_noticed() {
    let (key, value) = encode(&golden_hold(Wall(0))).unwrap();
    for bit in 0..value.len() * 8 {
        let mut damaged = value.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = decode(&key, &damaged).unwrap_err();
        assert!(matches!(error, RecordError::Checksum { .. }), "bit {bit}: {error}");
    }
}

#[test]
fn a_later_version_is_named_with_the_known_ones() {
    let key = b"meta/sequence";
    let mut value = vec![VERSION + 1, 1];
    seal(key, &mut value);
    let error = decode(key, &value).unwrap_err();
    let text =
        "row \"meta/sequence\" is in version 6; this version of Leasehold reads versions 1 to 5";
    assert_eq!(error.to_string(), text);
}

#[test]
fn trailing_bytes_make_no_row() {
    let key = b"meta/sequence";
    let mut value = vec![VERSION, 1, 0];
    seal(key, &mut value);
    let what = "bytes follow its facts";
    assert_eq!(
        decode(key, &value),
        Err(RecordError::Malformed { key: "meta/sequence".into(), what })
    );
}

fn id() -> impl Strategy<Value = String> {
    "[a-z/%.ä鍵]{1,40}".prop_filter("dot segments are no ids", |id| id != "." && id != "..")
}

fn hold_key() -> impl Strategy<Value = HoldKey> {
    (id(), id(), any::<bool>()).prop_map(|(lock_id, process_id, writes)| HoldKey {
        namespace: namespace(),
        lock_id: LockId::parse(&lock_id).unwrap(),
        mode: if writes { Mode::Write } else { Mode::Read },
        process_id: ProcessId::parse(&process_id).unwrap(),
    })
}

fn past_rows() -> impl Strategy<Value = Row> {
    let cause = (0..4_usize).prop_map(|cause| {
        [EndCause::Released, EndCause::Expired, EndCause::Forced, EndCause::Converted][cause]
    });
    let by = proptest::option::of("[a-z0-9][a-z0-9._-]{0,20}");
    (hold_key(), any::<[u64; 2]>(), any::<[i64; 2]>(), 0..1_u64 << 53, cause, by).prop_map(
        |(hold, [slot, number], [acquired_at, ended_at], token, cause, by)| Row::Past {
            slot,
            namespace: hold.namespace,
            lock_id: hold.lock_id,
            past: PastHold {
                number,
                process_id: hold.process_id,
                mode: hold.mode,
                token: FencingToken::new(token).unwrap(),
                acquired_at: Wall(acquired_at),
                ended_at: Wall(ended_at),
                cause,
                note: by.as_deref().map(|text| Note::parse(text).unwrap()),
                idempotency_key: by.as_deref().map(|text| IdempotencyKey::parse(text).unwrap()),
                by: by.map(|text| KeyId::parse(&text).unwrap()),
            },
        },
    )
}

fn limits() -> impl Strategy<Value = KeyLimits> {
    let rate = proptest::option::of((1..=MAX_RATE, proptest::option::of(1..=MAX_RATE)));
    (rate, any::<[Option<u32>; 3]>()).prop_map(|(rate, [max_locks, max_holds, max_waiters])| {
        let rate = rate.map(|(per_second, burst)| Rate::new(per_second, burst).unwrap());
        KeyLimits { rate, quotas: Quotas { max_locks, max_holds, max_waiters } }
    })
}

fn rows() -> impl Strategy<Value = Row> {
    let kind = (any::<Option<u32>>(), any::<Option<u32>>(), any::<bool>()).prop_map(
        |(max_readers, max_writers, is_ephemeral)| LockKind {
            max_readers,
            max_writers,
            is_ephemeral,
        },
    );
    let lock = (id(), any::<[u8; 16]>(), kind, any::<i64>(), any::<i64>()).prop_map(
        |(lock_id, uid, kind, created_at, updated_at)| Row::Lock {
            namespace: namespace(),
            lock_id: LockId::parse(&lock_id).unwrap(),
            uid: LockUid(uid),
            kind,
            created_at: Wall(created_at),
            updated_at: Wall(updated_at),
        },
    );
    let marks = (proptest::option::of("[a-z ]{0,40}"), proptest::option::of(id())).prop_map(
        |(note, key)| {
            (
                note.map(|text| Note::parse(&text).unwrap()),
                key.map(|text| IdempotencyKey::parse(&text).unwrap()),
            )
        },
    );
    let hold = (hold_key(), 0..1_u64 << 53, 1..u32::MAX, any::<[i64; 2]>(), marks).prop_map(
        |(hold, token, timeout, [acquired_at, renewed_at], (note, idempotency_key))| Row::Hold {
            hold,
            token: FencingToken::new(token).unwrap(),
            timeout: TimeoutSecs::new(timeout).unwrap(),
            acquired_at: Wall(acquired_at),
            renewed_at: Wall(renewed_at),
            note,
            acquired_by: idempotency_key.is_some().then(|| KeyId::parse("k").unwrap()),
            idempotency_key,
        },
    );
    let release = (hold_key(), id(), any::<u64>()).prop_map(|(hold, key, number)| Row::Release {
        hold,
        idempotency_key: IdempotencyKey::parse(&key).unwrap(),
        number,
    });
    let key = ("[a-z0-9][a-z0-9._-]{0,20}", ".{0,60}", any::<[u8; 32]>(), 0..3_u8, limits());
    let key = key.prop_map(|(key_id, label, hash, role, limits)| {
        Row::Key(ApiKey {
            key_id: KeyId::parse(&key_id).unwrap(),
            namespace: namespace(),
            role: [Role::Read, Role::Write, Role::Admin][usize::from(role)],
            label,
            hash: KeyHash(hash),
            created_at: Wall(0),
            limits,
        })
    });
    prop_oneof![lock, hold, release, past_rows(), key]
}

proptest! {
    #[test]
    fn what_is_written_is_read(row in rows()) {
        let (key, value) = encode(&row).unwrap();
        prop_assert_eq!(decode(&key, &value), Ok(row));
    }

    #[test]
    fn two_rows_have_two_keys(one in rows(), other in rows()) {
        prop_assert_eq!(
            one.key() == other.key(),
            encode_key(&one.key()) == encode_key(&other.key())
        );
    }

    #[test]
    fn arbitrary_bytes_never_panic(key in any::<Vec<u8>>(), value in any::<Vec<u8>>()) {
        prop_assert!(decode(&key, &value).is_err());
    }

    /// Past the checksum, too: bytes that were sealed but never encoded.
    #[test]
    fn arbitrary_sealed_bytes_never_panic(which in 0..7_usize, mut body in any::<Vec<u8>>()) {
        let (row, _, _) = &golden_rows()[which];
        let key = encode_key(&row.key());
        body.insert(0, VERSION);
        seal(&key, &mut body);
        if let Ok(row) = decode(&key, &body) {
            prop_assert_eq!(encode_key(&row.key()), key);
        }
    }
}
