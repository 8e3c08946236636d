//! The tables: what a person sees in them, and what becomes of tables that were tampered with.

use std::time::Instant;

use leasehold_core::{ApiKey, KeyLimits, LimitsPatch, Row};
use leasehold_store::{Store, StoreError};
use tokio::time::sleep;

use crate::server::{Server, fresh_schema};
use crate::support::{
    LEASE, batch_of, block_on, by_key, hold, hold_key, leading, open, person, rows,
};

fn assert_corrupt<T: std::fmt::Debug>(outcome: Result<T, StoreError>, what: &str) {
    match outcome {
        Err(StoreError::Corrupt(reason)) => assert!(reason.contains(what), "{reason}"),
        other => panic!("{other:?} instead of {what:?}"),
    }
}

#[test]
fn a_person_can_ask_who_holds_what() {
    block_on(async {
        let mut leading = leading().await;
        leading.commit(&[hold("ci-7", 4)]).await.unwrap();
        let sql = "SELECT lock_id, mode, process_id, token, timeout_secs, acquired_at::text, leader_address \
                   FROM holds, meta WHERE lease_until > now()";
        leading.person_says("SET timezone = 'UTC'").await;
        let row = leading.person.query_one(sql, &[]).await.unwrap();
        let text = |at: usize| row.get::<_, String>(at);
        assert_eq!([text(0), text(1), text(2)], ["a", "read", "ci-7"]);
        assert_eq!([row.get::<_, i64>(3), row.get::<_, i64>(4)], [4, 60]);
        assert_eq!([text(5), text(6)], ["2023-11-14 22:13:20+00", "127.0.0.1:8000"]);
    });
}

#[test]
fn tables_of_a_later_format_are_left_alone() {
    block_on(async {
        let mut leading = leading().await;
        leading.store.resign(leading.epoch).await.unwrap();
        leading.person_says("UPDATE meta SET format = 1000").await;
        assert_corrupt(leading.store.claim().await, "format 1000");
        assert_corrupt(open(&leading.url()).await.claim().await, "start the version");
        let row = leading.person.query_one("SELECT epoch FROM meta", &[]).await.unwrap();
        assert_eq!(u64::try_from(row.get::<_, i64>(0)), Ok(leading.epoch.0));
    });
}

/// Tables as the first version made them: keys had no limits then, and holds neither the time of their
/// last refresh nor the key that took them.
#[test]
fn tables_of_an_earlier_format_are_brought_up_to_date() {
    block_on(async {
        let (server, schema) = (Server::shared(), fresh_schema());
        let person = person(&server, &schema).await;
        person.batch_execute(&format!("CREATE SCHEMA {schema}")).await.unwrap();
        person.batch_execute(include_str!("../../src/postgres/migrations/1.sql")).await.unwrap();
        let sql = "INSERT INTO api_keys VALUES ('k1', 'default', 'write', 'old', $1, now())";
        person.execute(sql, &[&[7_u8; 32].as_slice()]).await.unwrap();
        let sql = "INSERT INTO holds VALUES ('default', 'a', 'read', 'p', 1, 60, '2026-01-01Z')";
        person.batch_execute(sql).await.unwrap();
        let mut store = open(&server.url(&schema)).await;
        let epoch = store.claim().await.unwrap();
        let mut found = rows(&mut store, epoch).await.into_values();
        let Some(Row::Hold { acquired_at, renewed_at, acquired_by, .. }) = found.next() else {
            panic!()
        };
        assert_eq!((renewed_at, acquired_by), (acquired_at, None));
        let Some(Row::Key(key)) = found.next() else { panic!() };
        person.batch_execute("DELETE FROM holds").await.unwrap();
        assert_eq!((key.label.as_str(), key.limits), ("old", KeyLimits::default()));
        let limits = KeyLimits::default().patched(&LimitsPatch {
            requests_per_second: Some(Some(50)),
            max_holds: Some(Some(0)),
            ..LimitsPatch::default()
        });
        let limited = Row::Key(ApiKey { limits: limits.unwrap(), ..key });
        store.commit(epoch, &batch_of(std::slice::from_ref(&limited))).await.unwrap();
        assert_eq!(rows(&mut store, epoch).await, by_key(&[limited]));
        let sql = "SELECT format, requests_per_second, burst, max_holds FROM meta, api_keys";
        let row = person.query_one(sql, &[]).await.unwrap();
        assert_eq!(row.get::<_, i32>(0), 5);
        let shown = [1, 2, 3].map(|at| row.get::<_, Option<i64>>(at));
        assert_eq!(shown, [Some(50), None, Some(0)]);
        person.batch_execute("UPDATE api_keys SET requests_per_second = 0").await.unwrap();
        assert_corrupt(store.load(epoch, &mut |_| {}).await, "`requests_per_second` must be");
    });
}

/// A database that was restored from a backup, or dropped, would give out tokens a second time.
#[test]
fn i3_a_database_that_has_forgotten_what_was_acknowledged_is_refused() {
    block_on(async {
        let mut leading = leading().await;
        leading.commit(&[hold("first", 1)]).await.unwrap();
        leading.person_says("UPDATE meta SET batch = 0").await;
        let lost = leading.commit(&[hold("second", 2)]).await;
        assert_eq!(lost, Err(StoreError::Fenced(leading.epoch)));
        assert_corrupt(leading.store.claim().await, "had been acknowledged");
        leading.person_says(&format!("DROP SCHEMA {} CASCADE", leading.schema)).await;
        assert_corrupt(leading.store.claim().await, "meta");
        let refilled =
            leading.person.query_one("SELECT to_regclass('meta') IS NULL", &[]).await.unwrap();
        assert!(refilled.get::<_, bool>(0), "nothing was made in its place");
    });
}

#[test]
fn rows_that_were_never_committed_are_named() {
    block_on(async {
        let mut leading = leading().await;
        leading.commit(&[hold("first", 1)]).await.unwrap();
        leading.person_says("UPDATE holds SET timeout_secs = 0").await;
        let key = hold_key("first");
        let named = format!("process_id={:?}", key.process_id.as_str());
        assert_corrupt(leading.load().await, &named);
        leading.person_says("DROP TABLE holds").await;
        assert_corrupt(leading.load().await, "holds");
        leading.person_says("DELETE FROM meta").await;
        assert_corrupt(leading.store.claim().await, "meta");
        assert_corrupt(leading.store.leader().await, "meta");
    });
}

/// A database whose clock somebody set forward shows every lease as over. Its leader still answers from
/// memory, so nobody else may lead before it has been silent for the lease's whole length.
#[test]
fn the_clock_of_the_database_ends_no_lease() {
    block_on(async {
        let mut leading = leading().await;
        let mut rival = open(&leading.url()).await;
        let began = Instant::now();
        while began.elapsed() < LEASE * 3 / 2 {
            leading.store.renew(leading.epoch).await.unwrap();
            leading.person_says("UPDATE meta SET lease_until = '-infinity'").await;
            assert!(matches!(rival.claim().await, Err(StoreError::Led(_))));
            sleep(LEASE / 10).await;
        }
        sleep(LEASE).await;
        assert!(rival.claim().await.unwrap() > leading.epoch);
    });
}
