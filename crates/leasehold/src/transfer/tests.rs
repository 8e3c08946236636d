//! Lines and rows, files that are no export, and imports that are broken off.

use std::collections::BTreeMap;
use std::fs;

use leasehold_core::{
    ApiKey, Batch, Deadlines, EndCause, FencingToken, HoldKey, IdempotencyKey, KeyHash, KeyId,
    KeyLimits, Limits, LockId, LockKind, LockUid, MAX_RATE, Mode, Namespace, Note, Now, PastHold,
    ProcessId, Quotas, Rate, Recovery, Role, Row, RowKey, TimeoutSecs, Violation, Wall,
};
use leasehold_store::{Epoch, Fault as StoreFault, FaultyStore, Store};
use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::TransferError;
use super::check::check;
use super::import::import_into;
use super::input::Input;
use super::line::Line;
use super::reader::{ExportReader, Fault, Next};
use super::writer::ExportWriter;

fn namespace() -> Namespace {
    Namespace::parse("default").unwrap()
}

fn hold_key(lock: &str, mode: Mode, process: &str) -> HoldKey {
    let (lock_id, process_id) = (LockId::parse(lock).unwrap(), ProcessId::parse(process).unwrap());
    HoldKey { namespace: namespace(), lock_id, mode, process_id }
}

fn lock(name: &str) -> Row {
    Row::Lock {
        namespace: namespace(),
        lock_id: LockId::parse(name).unwrap(),
        uid: LockUid([0x12; 16]),
        kind: LockKind { max_writers: Some(1), ..LockKind::default() },
        created_at: Wall(1_700_000_000_000),
        updated_at: Wall(1_700_000_000_001),
    }
}

fn hold(lock: &str, process: &str, token: u64) -> Row {
    Row::Hold {
        hold: hold_key(lock, Mode::Write, process),
        token: FencingToken::new(token).unwrap(),
        timeout: TimeoutSecs::new(60).unwrap(),
        acquired_at: Wall(1_700_000_000_000),
        renewed_at: Wall(1_700_000_000_000),
        note: Some(Note::parse("deploy 4711").unwrap()),
        idempotency_key: None,
        acquired_by: None,
    }
}

fn past(slot: u64, number: u64, token: u64) -> Row {
    Row::Past {
        slot,
        namespace: namespace(),
        lock_id: LockId::parse("gone").unwrap(),
        past: PastHold {
            number,
            process_id: ProcessId::parse("p").unwrap(),
            mode: Mode::Read,
            token: FencingToken::new(token).unwrap(),
            acquired_at: Wall(1_700_000_000_000),
            ended_at: Wall(1_700_000_000_001),
            cause: EndCause::Forced,
            by: Some(KeyId::parse("k1").unwrap()),
            note: None,
            idempotency_key: None,
        },
    }
}

fn sequence(token: u64) -> Row {
    Row::Sequence(FencingToken::new(token).unwrap())
}

fn rows_of_every_kind() -> Vec<Row> {
    vec![
        lock("deploy"),
        hold("deploy", "ci-7", 2),
        past(1, 1, 1),
        Row::Release {
            hold: hold_key("deploy", Mode::Read, "ci-8"),
            idempotency_key: IdempotencyKey::parse("once").unwrap(),
            number: 1,
        },
        Row::Key(ApiKey {
            key_id: KeyId::parse("k1").unwrap(),
            namespace: namespace(),
            role: Role::Admin,
            label: "ci".to_owned(),
            hash: KeyHash([9; 32]),
            created_at: Wall(0),
            limits: KeyLimits::default(),
        }),
        sequence(2),
    ]
}

fn exported(rows: &[Row]) -> String {
    let mut writer = ExportWriter::begin(Vec::new(), Wall(1_767_323_045_678)).unwrap();
    for row in rows {
        writer.row(row, &Line::of(row).unwrap()).unwrap();
    }
    String::from_utf8(writer.end().unwrap().0).unwrap()
}

fn read(text: &str) -> Result<Vec<Row>, Fault> {
    let mut reader = ExportReader::begin(text.as_bytes())?;
    let mut rows = Vec::new();
    loop {
        match reader.next()? {
            Next::Row(row) => rows.push(row),
            Next::End(_) => return Ok(rows),
        }
    }
}

fn input(text: &str) -> (Input, NamedTempFile) {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    (Input::open(file.path().to_str().unwrap()).unwrap(), file)
}

/// What is exported today must be read tomorrow: these lines never change for version 1.
#[test]
fn golden_lines_of_version_1() {
    let version = env!("CARGO_PKG_VERSION");
    let golden = [
        &*format!(
            r#"{{"type":"header","format":"leasehold-export","format_version":1,"service_version":"{version}","exported_at":"2026-01-02T03:04:05.678Z"}}"#
        ),
        r#"{"type":"lock","namespace":"default","lock_id":"deploy","id":"12121212-1212-1212-1212-121212121212","max_readers":null,"max_writers":1,"is_ephemeral":false,"created_at":"2023-11-14T22:13:20.000Z","updated_at":"2023-11-14T22:13:20.001Z"}"#,
        r#"{"type":"hold","namespace":"default","lock_id":"deploy","mode":"write","process_id":"ci-7","fencing_token":2,"timeout_seconds":60,"acquired_at":"2023-11-14T22:13:20.000Z","note":"deploy 4711","idempotency_key":null}"#,
        r#"{"type":"past_hold","slot":1,"number":1,"namespace":"default","lock_id":"gone","mode":"read","process_id":"p","fencing_token":1,"acquired_at":"2023-11-14T22:13:20.000Z","ended_at":"2023-11-14T22:13:20.001Z","cause":"forced","ended_by":"k1","note":null}"#,
        r#"{"type":"release","namespace":"default","lock_id":"deploy","mode":"read","process_id":"ci-8","idempotency_key":"once","number":1}"#,
        r#"{"type":"key","key_id":"k1","namespace":"default","role":"admin","label":"ci","sha256":"0909090909090909090909090909090909090909090909090909090909090909","created_at":"1970-01-01T00:00:00.000Z"}"#,
        r#"{"type":"sequence","fencing_token":2}"#,
    ];
    let text = exported(&rows_of_every_kind());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..golden.len()], golden);
    let counts =
        r#"{"locks":1,"holds":1,"past_holds":1,"releases":1,"keys":1,"sequences":1},"sha256":""#;
    assert!(lines[golden.len()].starts_with(&format!(r#"{{"type":"footer","counts":{counts}"#)));
    assert_eq!(lines.len(), golden.len() + 1);
    assert_eq!(read(&text).unwrap(), rows_of_every_kind());
}

#[test]
fn an_import_that_is_not_complete_has_no_line() {
    assert!(Line::of(&Row::Import { begun_at: Wall(0) }).is_none());
    assert!(Line::of(&Row::StoredDeadlines { since: Wall(0) }).is_none());
}

#[test]
fn a_file_cut_off_at_any_byte_is_refused() {
    let text = exported(&rows_of_every_kind());
    // Without its last line feed it says all the same.
    assert!(read(&text[..text.len() - 1]).is_ok());
    for end in 0..text.len() - 1 {
        assert!(read(&text[..end]).is_err(), "cut off at byte {end}");
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let without_footer = lines[..lines.len() - 1].concat();
    let fault = read(&without_footer).unwrap_err().to_string();
    assert!(fault.contains("ends after line 7") && fault.contains("cut off"), "{fault}");
    assert!(matches!(read(""), Err(Fault::Empty)));
}

#[test]
fn a_file_that_was_changed_is_refused() {
    let text = exported(&rows_of_every_kind());
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let missing = [&lines[..3], &lines[4..]].concat().concat();
    let fault = read(&missing).unwrap_err().to_string();
    assert!(fault.contains("lines are missing or added"), "{fault}");
    let changed = text.replace("ci-7", "ci-9");
    let fault = read(&changed).unwrap_err().to_string();
    assert!(fault.contains("it has changed"), "{fault}");
    let more = format!("{text}{}", lines[1]);
    assert!(matches!(read(&more), Err(Fault::Trailing(9))));
}

#[test]
fn a_bad_line_is_named_with_what_is_wrong() {
    let text = exported(&rows_of_every_kind());
    let long = "x".repeat(257);
    for (from, to, what) in [
        (r#""timeout_seconds":60"#, r#""timeout_seconds":0"#, "line 3: `timeout_seconds` is 0"),
        (r#""process_id":"ci-7","#, "", "line 3: missing field `process_id`"),
        (r#""mode":"write""#, r#""mode":"both""#, "line 3: unknown variant `both`"),
        (r#""is_ephemeral""#, r#""ephemeral""#, "line 2: unknown field `ephemeral`"),
        (r#""type":"release""#, r#""type":"relase""#, "line 5: unknown variant `relase`"),
        (r#""label":"ci""#, &format!(r#""label":"{long}""#), "line 6: `label` is longer"),
        (r#""label":"ci""#, r#""label":"ci","burst":5"#, "line 6: `burst` needs"),
        ("090909\"", "09090\"", "line 6: a hash is 64 hexadecimal digits"),
        ("2023-11-14T22:13:20.000Z", "yesterday", "line 2: \"yesterday\" is no RFC 3339 time"),
        ("12121212-1212", "1212-1212", "line 2: \"1212-1212"),
        (r#""namespace":"default""#, r#""namespace":"a b""#, "line 2: `namespace` must be"),
        ("{\"type\":\"sequence\"", "{\"type\":", "line 7: "),
    ] {
        let fault = read(&text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(fault.starts_with(what), "{fault:?} should begin with {what:?}");
        assert!(!fault.contains("at line 1"), "{fault:?} counts lines twice");
    }
    let endless = text.replacen("deploy 4711", &"x".repeat(70_000), 1);
    let fault = read(&endless).unwrap_err().to_string();
    assert!(fault.starts_with("line 3: is longer than"), "{fault}");
}

#[test]
fn what_is_no_export_of_this_version_is_refused() {
    for text in ["PK\x03\x04", "{}\n", "{\"type\":\"sequence\",\"fencing_token\":1}\n", "\n"] {
        assert!(matches!(read(text), Err(Fault::NotAnExport)), "{text:?}");
    }
    let later = exported(&[]).replacen("\"format_version\":1", "\"format_version\":2,\"new\":1", 1);
    let fault = read(&later).unwrap_err().to_string();
    assert!(fault.contains("format version 2") && fault.contains("reads version 1"), "{fault}");
}

#[test]
fn rows_that_contradict_each_other_are_named_with_their_line() {
    let contradiction = |rows: &[Row]| {
        let (input, _file) = input(&exported(rows));
        check(&input).unwrap_err().to_string()
    };
    for (rows, says) in [
        (vec![lock("a"), hold("b", "p", 1), sequence(1)], "in line 3: "),
        (vec![sequence(2), hold("a", "p", 1), hold("a", "q", 2), lock("a")], "in line 4: I1"),
        (vec![lock("a"), hold("a", "p", 5), sequence(4)], "in line 3: I3"),
        (vec![past(3, 3, 1), sequence(2)], "in line 2: row 3 of history"),
        (vec![lock("a"), sequence(1), lock("a")], "line 4: Lock("),
        (vec![sequence(7), sequence(1)], "line 3: Sequence is in an earlier line"),
    ] {
        let text = contradiction(&rows);
        assert!(text.contains(says), "{text:?} should contain {says:?}");
        assert!(text.contains("nothing was"), "{text}");
    }
}

/// More rows than one batch has.
fn many_rows() -> Vec<Row> {
    let mut rows = vec![sequence(600)];
    for number in 0..600 {
        let name = format!("lock-{number}");
        rows.push(lock(&name));
        rows.push(hold(&name, "p", number + 1));
    }
    rows
}

type Rows = BTreeMap<RowKey, Row>;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn loaded(store: &mut dyn Store, epoch: Epoch) -> Rows {
    let mut rows = Rows::new();
    store.load(epoch, &mut |row| drop(rows.insert(row.key(), row))).await.unwrap();
    rows
}

fn recovered(rows: &Rows) -> Result<FencingToken, Violation> {
    let mut recovery = Recovery::new(Limits::default(), Deadlines::Anew);
    rows.values().for_each(|row| recovery.row(row.clone()));
    recovery.finish(Now::default()).map(|(table, _)| table.last_token())
}

/// Wherever an import ends and whatever the disk kept of it: nobody serves half of it, and another import
/// completes it.
#[test]
fn i3_half_an_import_is_never_served_and_can_be_completed() {
    let rows = many_rows();
    let expected: Rows = rows.iter().map(|row| (row.key(), row.clone())).collect();
    let (input, _file) = input(&exported(&rows));
    let whole = check(&input).unwrap();
    let commits = block_on(async {
        let mut store = FaultyStore::new();
        let faults = store.faults();
        let epoch = store.claim().await.unwrap();
        import_into(&mut store, epoch, &input, &whole).await.unwrap();
        assert_eq!(loaded(&mut store, epoch).await, expected);
        faults.commits()
    });
    assert!(commits >= 4, "{commits} commits are too few to end between them");
    let faults_of_a_store = [
        StoreFault::Unavailable,
        StoreFault::UnknownLost,
        StoreFault::UnknownKept,
        StoreFault::RivalClaim,
    ];
    for nth in 1..=commits {
        for (fault, kept) in faults_of_a_store.into_iter().flat_map(|f| [(f, 0), (f, 100)]) {
            block_on(async {
                let mut store = FaultyStore::new();
                let faults = store.faults();
                faults.fail_commit(nth, fault);
                let epoch = store.claim().await.unwrap();
                let error = import_into(&mut store, epoch, &input, &whole).await.unwrap_err();
                assert!(error.to_string().contains("run the same import again"), "{error}");
                let mut found = faults.crash(kept);
                let epoch = found.claim().await.unwrap();
                let left = loaded(&mut found, epoch).await;
                let what = format!("after {fault:?} of commit {nth}, {kept} kept");
                match recovered(&left) {
                    Ok(_) if left == expected => return,
                    Ok(_) => {
                        assert!(left.is_empty(), "{what}: {} rows would be served", left.len());
                    }
                    Err(violation) => assert_eq!(violation, Violation::UnfinishedImport, "{what}"),
                }
                import_into(&mut found, epoch, &input, &whole).await.unwrap();
                assert_eq!(loaded(&mut found, epoch).await, expected, "{what}");
            });
        }
    }
}

/// An import into a store with these rows makes it what the file says, and no more.
fn assert_nothing_stays_of(left: impl IntoIterator<Item = Row>) {
    block_on(async {
        let mut store = FaultyStore::new();
        let epoch = store.claim().await.unwrap();
        let mut batch = Batch::default();
        left.into_iter().for_each(|row| batch.put(row));
        store.commit(epoch, &batch).await.unwrap();
        let rows = rows_of_every_kind();
        let (input, _file) = input(&exported(&rows));
        let whole = check(&input).unwrap();
        import_into(&mut store, epoch, &input, &whole).await.unwrap();
        let expected: Rows = rows.into_iter().map(|row| (row.key(), row)).collect();
        assert_eq!(loaded(&mut store, epoch).await, expected);
    });
}

/// What is left of another import goes: the store is then what the last one says, and no more.
#[test]
fn an_import_after_one_that_was_broken_off_leaves_nothing_of_that() {
    let others = (0..900).map(|number| lock(&format!("other-{number}")));
    let left = [Row::Import { begun_at: Wall(1) }, sequence(9_000)].into_iter().chain(others);
    assert_nothing_stays_of(left);
}

/// The times in holds that come from elsewhere are not those of their last refreshes (I4).
#[test]
fn i4_a_store_that_was_led_on_demand_trusts_no_imported_time() {
    assert_nothing_stays_of([Row::StoredDeadlines { since: Wall(1) }]);
}

#[test]
fn a_store_that_is_not_empty_is_left_alone() {
    block_on(async {
        let (input, _file) = input(&exported(&rows_of_every_kind()));
        let whole = check(&input).unwrap();
        for row in rows_of_every_kind() {
            let mut store = FaultyStore::new();
            let epoch = store.claim().await.unwrap();
            let mut batch = Batch::default();
            batch.put(row.clone());
            store.commit(epoch, &batch).await.unwrap();
            let refused = import_into(&mut store, epoch, &input, &whole).await;
            assert!(matches!(refused, Err(TransferError::NotEmpty(_))), "{row:?}: {refused:?}");
            assert_eq!(loaded(&mut store, epoch).await, Rows::from([(row.key(), row)]));
        }
    });
}

#[test]
fn a_file_that_changes_after_its_check_makes_no_store() {
    block_on(async {
        let (checked, _file) = input(&exported(&rows_of_every_kind()));
        let whole = check(&checked).unwrap();
        let (other, _file) = input(&exported(&[lock("other")]));
        let mut store = FaultyStore::new();
        let epoch = store.claim().await.unwrap();
        let error = import_into(&mut store, epoch, &other, &whole).await.unwrap_err();
        assert!(error.to_string().contains("has changed while it was read"), "{error}");
        assert_eq!(loaded(&mut store, epoch).await, Rows::new());
    });
}

fn id() -> impl Strategy<Value = String> {
    r#"[a-z/%."\\ä鍵]{1,40}"#.prop_filter("dot segments are no ids", |id| id != "." && id != "..")
}

fn hold_keys() -> impl Strategy<Value = HoldKey> {
    (id(), id(), any::<bool>()).prop_map(|(lock, process, writes)| {
        hold_key(&lock, if writes { Mode::Write } else { Mode::Read }, &process)
    })
}

/// What a calendar can say: the years -9999 to 9999.
fn times() -> impl Strategy<Value = Wall> {
    (-377_705_023_201_000..=253_402_207_200_999_i64).prop_map(Wall)
}

fn tokens() -> impl Strategy<Value = FencingToken> {
    (0..=FencingToken::MAX.get()).prop_map(|number| FencingToken::new(number).unwrap())
}

fn notes() -> impl Strategy<Value = Option<Note>> {
    proptest::option::of(r#"[a-z "\\{}鍵]{0,40}"#)
        .prop_map(|text| text.map(|t| Note::parse(&t).unwrap()))
}

fn limits() -> impl Strategy<Value = KeyLimits> {
    let rate = proptest::option::of((1..=MAX_RATE, proptest::option::of(1..=MAX_RATE)));
    (rate, any::<[Option<u32>; 3]>()).prop_map(|(rate, [max_locks, max_holds, max_waiters])| {
        let rate = rate.map(|(per_second, burst)| Rate::new(per_second, burst).unwrap());
        KeyLimits { rate, quotas: Quotas { max_locks, max_holds, max_waiters } }
    })
}

fn rows() -> impl Strategy<Value = Row> {
    let kind = (any::<Option<u32>>(), any::<Option<u32>>(), any::<bool>());
    let lock = (id(), any::<[u8; 16]>(), kind, times(), times()).prop_map(
        |(lock_id, uid, (max_readers, max_writers, is_ephemeral), created_at, updated_at)| {
            Row::Lock {
                namespace: namespace(),
                lock_id: LockId::parse(&lock_id).unwrap(),
                uid: LockUid(uid),
                kind: LockKind { max_readers, max_writers, is_ephemeral },
                created_at,
                updated_at,
            }
        },
    );
    let mark = || id().prop_map(|text| IdempotencyKey::parse(&text).unwrap());
    let hold =
        (hold_keys(), tokens(), 1..=u32::MAX, times(), notes(), proptest::option::of(mark()))
            .prop_map(|(hold, token, timeout, acquired_at, note, idempotency_key)| Row::Hold {
                hold,
                token,
                timeout: TimeoutSecs::new(timeout).unwrap(),
                acquired_at,
                renewed_at: acquired_at,
                note,
                acquired_by: idempotency_key.is_some().then(|| KeyId::parse("k").unwrap()),
                idempotency_key,
            });
    let release = (hold_keys(), mark(), any::<u64>())
        .prop_map(|(hold, idempotency_key, number)| Row::Release { hold, idempotency_key, number });
    let key_id = || "[a-z0-9][a-z0-9._-]{0,20}".prop_map(|text| KeyId::parse(&text).unwrap());
    let causes = [EndCause::Released, EndCause::Expired, EndCause::Forced, EndCause::Converted];
    let end = (times(), times(), proptest::sample::select(causes.to_vec()));
    let past =
        (hold_keys(), any::<[u64; 2]>(), tokens(), end, proptest::option::of(key_id()), notes())
            .prop_map(|(hold, [slot, number], token, (acquired_at, ended_at, cause), by, note)| {
                let HoldKey { namespace, lock_id, mode, process_id } = hold;
                let past = PastHold {
                    number,
                    process_id,
                    mode,
                    token,
                    acquired_at,
                    ended_at,
                    cause,
                    idempotency_key: by
                        .as_ref()
                        .map(|by| IdempotencyKey::parse(by.as_str()).unwrap()),
                    by,
                    note,
                };
                Row::Past { slot, namespace, lock_id, past }
            });
    let roles = proptest::sample::select(vec![Role::Read, Role::Write, Role::Admin]);
    let key = (key_id(), roles, ".{0,60}", any::<[u8; 32]>(), times(), limits()).prop_map(
        |(key_id, role, label, hash, created_at, limits)| {
            let (namespace, hash) = (namespace(), KeyHash(hash));
            Row::Key(ApiKey { key_id, namespace, role, label, hash, created_at, limits })
        },
    );
    prop_oneof![lock, hold, release, past, key, tokens().prop_map(Row::Sequence)]
}

proptest! {
    #[test]
    fn what_is_exported_is_read(rows in proptest::collection::vec(rows(), 0..8)) {
        prop_assert_eq!(read(&exported(&rows)).unwrap(), rows);
    }

    #[test]
    fn any_text_is_refused_or_read_without_a_panic(text in any::<String>(), at in 0..8_usize) {
        let whole = exported(&rows_of_every_kind());
        let mut lines: Vec<&str> = whole.split_inclusive('\n').collect();
        lines.insert(at, &text);
        let is_nothing = text.is_empty();
        prop_assert_eq!(read(&lines.concat()).is_ok(), is_nothing);
    }
}
