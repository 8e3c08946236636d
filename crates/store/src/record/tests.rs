use leasehold_core::{
    ApiKey, FencingToken, HoldKey, KeyHash, KeyId, LockId, LockUid, Mode, Namespace, ProcessId,
    Role, Row, RowKey, TimeoutSecs, Wall,
};
use proptest::prelude::*;

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn namespace() -> Namespace {
    Namespace::parse("default").unwrap()
}

fn golden_hold() -> Row {
    Row::Hold {
        hold: HoldKey {
            namespace: namespace(),
            lock_id: LockId::parse("deploy/prod").unwrap(),
            mode: Mode::Write,
            process_id: ProcessId::parse("100%").unwrap(),
        },
        token: FencingToken::new(300).unwrap(),
        timeout: TimeoutSecs::new(60).unwrap(),
        acquired_at: Wall(1_700_000_000_000),
    }
}

fn golden_rows() -> [(Row, &'static str, &'static str); 4] {
    [
        (
            Row::Lock {
                namespace: namespace(),
                lock_id: LockId::parse("deploy").unwrap(),
                uid: LockUid([7; 16]),
                is_write_exclusive: true,
                created_at: Wall(1_700_000_000_000),
                updated_at: Wall(1_700_000_000_001),
            },
            "lock/default/deploy",
            "01070707070707070707070707070707070180a0abfef96282a0abfef962f1a4da1e",
        ),
        (golden_hold(), "hold/default/deploy%2Fprod/w/100%25", "01ac023c80a0abfef96259c96f6f"),
        (
            Row::Key(ApiKey {
                key_id: KeyId::parse("k1").unwrap(),
                namespace: namespace(),
                role: Role::Admin,
                label: "ci".to_owned(),
                hash: KeyHash([9; 32]),
                created_at: Wall(0),
            }),
            "key/k1",
            "010764656661756c74020263690909090909090909090909090909090909090909090909090909090909090909005ddf5108",
        ),
        (Row::Sequence(FencingToken::MAX), "meta/sequence", "01ffffffffffffff0f039efa07"),
    ]
}

/// What is on disk today must be readable tomorrow: these bytes never change for version 1.
#[test]
fn golden_bytes_of_version_1() {
    for (row, key, value) in golden_rows() {
        let (stored_key, stored_value) = encode(&row).unwrap();
        assert_eq!(String::from_utf8(stored_key.clone()).unwrap(), key);
        assert_eq!(hex(&stored_value), value, "{key}");
        assert_eq!(decode(&stored_key, &stored_value), Ok(row));
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
    let (_, value) = encode(&golden_hold()).unwrap();
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
    let (_, value) = encode(&golden_hold()).unwrap();
    let error = decode(b"hold/default/other/w/p", &value).unwrap_err();
    assert!(matches!(&error, RecordError::Checksum { key, .. } if key == "hold/default/other/w/p"));
}

#[test]
fn i2_every_flipped_bit_is_noticed() {
    let (key, value) = encode(&golden_hold()).unwrap();
    for bit in 0..value.len() * 8 {
        let mut damaged = value.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = decode(&key, &damaged).unwrap_err();
        assert!(matches!(error, RecordError::Checksum { .. }), "bit {bit}: {error}");
    }
}

#[test]
fn a_later_version_is_named_with_the_known_one() {
    let key = b"meta/sequence";
    let mut value = vec![2, 1];
    seal(key, &mut value);
    let error = decode(key, &value).unwrap_err();
    let text = "row \"meta/sequence\" is in version 2; this version of Leasehold reads version 1";
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

fn rows() -> impl Strategy<Value = Row> {
    let lock = (id(), any::<[u8; 16]>(), any::<bool>(), any::<i64>(), any::<i64>()).prop_map(
        |(lock_id, uid, is_write_exclusive, created_at, updated_at)| Row::Lock {
            namespace: namespace(),
            lock_id: LockId::parse(&lock_id).unwrap(),
            uid: LockUid(uid),
            is_write_exclusive,
            created_at: Wall(created_at),
            updated_at: Wall(updated_at),
        },
    );
    let hold = (id(), id(), any::<bool>(), 0..1_u64 << 53, 1..u32::MAX, any::<i64>()).prop_map(
        |(lock_id, process_id, writes, token, timeout, acquired_at)| Row::Hold {
            hold: HoldKey {
                namespace: namespace(),
                lock_id: LockId::parse(&lock_id).unwrap(),
                mode: if writes { Mode::Write } else { Mode::Read },
                process_id: ProcessId::parse(&process_id).unwrap(),
            },
            token: FencingToken::new(token).unwrap(),
            timeout: TimeoutSecs::new(timeout).unwrap(),
            acquired_at: Wall(acquired_at),
        },
    );
    let key = ("[a-z0-9][a-z0-9._-]{0,20}", ".{0,60}", any::<[u8; 32]>(), 0..3_u8).prop_map(
        |(key_id, label, hash, role)| {
            Row::Key(ApiKey {
                key_id: KeyId::parse(&key_id).unwrap(),
                namespace: namespace(),
                role: [Role::Read, Role::Write, Role::Admin][usize::from(role)],
                label,
                hash: KeyHash(hash),
                created_at: Wall(0),
            })
        },
    );
    prop_oneof![lock, hold, key]
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
    fn arbitrary_sealed_bytes_never_panic(which in 0..4_usize, mut body in any::<Vec<u8>>()) {
        let (row, _, _) = &golden_rows()[which];
        let key = encode_key(&row.key());
        body.insert(0, VERSION);
        seal(&key, &mut body);
        if let Ok(row) = decode(&key, &body) {
            prop_assert_eq!(encode_key(&row.key()), key);
        }
    }
}
