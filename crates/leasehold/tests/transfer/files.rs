//! Exports as files: who may read them, what is refused, and what is left after a refusal.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use leasehold_core::{Batch, LockId, LockKind, LockUid, Namespace, Row, Wall};
use leasehold_store::{LocalStore, Store as _};

use super::{Desk, Place, acquire, ask, assert_refused, done, filled};
use crate::support::run_with_input;

#[test]
fn an_export_is_readable_text_for_its_owner_alone_and_comes_back_as_it_was() {
    let desk = Desk::new();
    let last = filled(&desk.path("old"));
    let (old, new) = (Place::local(&desk.path("old")), Place::local(&desk.path("new")));
    let ended = old.export(&desk.name("file"));
    assert!(ended.stdout.is_empty(), "{ended:?}");
    assert!(ended.stderr.contains("22 locks, 21 holds, 1 past hold"), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("highest fencing token is {last}")), "{}", ended.stderr);
    let mode = fs::metadata(desk.path("file")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(desk.path("file")).unwrap();
    assert!(text.contains(r#""lock_id":"lock-7","#), "{text}");

    let ended = new.import(&desk.name("file"));
    assert!(ended.stderr.contains("22 locks, 21 holds"), "{}", ended.stderr);
    new.export(&desk.name("again"));
    let rows = |name: &str| {
        let text = fs::read_to_string(desk.path(name)).unwrap();
        let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
        // The header has the time, the footer a checksum of it.
        rows.remove(0);
        rows.pop();
        rows.sort();
        rows
    };
    assert_eq!(rows("file"), rows("again"));
}

#[test]
fn an_export_passes_through_pipes() {
    let desk = Desk::new();
    let last = filled(&desk.path("old"));
    let export = done(Place::local(&desk.path("old")).run(&["export"]));
    let dir = desk.name("new");
    done(run_with_input(&["import", "--data-dir", &dir], &export.stdout));
    let server = Place::local(&desk.path("new")).launch().start();
    assert!(acquire(&server, "new", "p") > last);
}

#[test]
fn a_file_that_exists_is_not_written_over() {
    let desk = Desk::new();
    filled(&desk.path("old"));
    fs::write(desk.path("thesis"), "do not touch").unwrap();
    let ended = Place::local(&desk.path("old")).run(&["export", "--output", &desk.name("thesis")]);
    assert_refused(&ended, &["thesis exists"]);
    assert_eq!(fs::read_to_string(desk.path("thesis")).unwrap(), "do not touch");
}

/// The disk is full: no file stays that looks like an export.
#[test]
fn an_export_that_cannot_be_written_fails() {
    let desk = Desk::new();
    filled(&desk.path("old"));
    let old = Place::local(&desk.path("old"));
    let ended = old.run(&["export", "--output", &desk.name("no-such-folder/file")]);
    assert_refused(&ended, &["cannot write", "no-such-folder"]);
    let full = format!(
        "LEASEHOLD_DATA_DIR={} {} export > /dev/full",
        desk.name("old"),
        env!("CARGO_BIN_EXE_leasehold")
    );
    let ended = std::process::Command::new("/bin/sh").args(["-c", &full]).output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("cannot write standard output"));
}

/// A slip in the name of the store would move nothing, and tokens would begin anew.
#[test]
fn i3_an_empty_store_is_not_exported() {
    let desk = Desk::new();
    let place = Place::local(&desk.path("new"));
    let ended = place.run(&["export", "--output", &desk.name("file")]);
    assert_refused(&ended, &["no data directory", "--data-dir"]);
    assert!(!desk.path("new").exists());
    fs::create_dir(desk.path("new")).unwrap();
    let ended = place.run(&["export", "--output", &desk.name("file")]);
    assert_refused(&ended, &["the store holds nothing"]);
    assert!(!desk.path("file").exists());
}

#[test]
fn a_running_server_is_not_disturbed() {
    let desk = Desk::new();
    let old = Place::local(&desk.path("old"));
    let server = old.launch().start();
    let first = acquire(&server, "a", "p");
    let ended = old.run(&["export", "--output", &desk.name("file")]);
    assert_refused(&ended, &["in use by another process"]);
    assert!(!desk.path("file").exists());
    assert_refused(&old.run(&["import", "--input", "/dev/null"]), &["it is empty"]);
    assert!(acquire(&server, "b", "p") > first);
}

#[test]
fn a_damaged_file_imports_nothing() {
    let desk = Desk::new();
    filled(&desk.path("old"));
    Place::local(&desk.path("old")).export(&desk.name("file"));
    let text = fs::read_to_string(desk.path("file")).unwrap();
    let third = text.lines().nth(2).unwrap();
    let new = Place::local(&desk.path("new"));
    for (damaged, words) in [
        (text[..text.len() / 2].to_owned(), &["nothing was"][..]),
        (
            text.lines().take(10).map(|line| format!("{line}\n")).collect(),
            &["after line 10", "cut off"],
        ),
        (text.replacen("lock-7", "lock-x", 1), &["nothing was"]),
        (text.replacen(third, "{\"type\":\"lock\"}", 1), &["line 3: missing field"]),
        (String::new(), &["it is empty"]),
        ("#!/bin/sh\n".to_owned(), &["not that of an export"]),
    ] {
        fs::write(desk.path("damaged"), damaged).unwrap();
        let ended = new.run(&["import", "--input", &desk.name("damaged")]);
        assert_refused(&ended, words);
    }
    assert!(!desk.path("new").exists(), "the store was not even opened");
    new.import(&desk.name("file"));
}

#[test]
fn a_store_that_is_not_empty_is_refused_and_left_alone() {
    let desk = Desk::new();
    filled(&desk.path("old"));
    let old = Place::local(&desk.path("old"));
    old.export(&desk.name("file"));
    let ended = old.run(&["import", "--input", &desk.name("file")]);
    assert_refused(&ended, &["not empty", "22 locks, 21 holds", "nothing was imported"]);
    let server = old.launch().start();
    assert_eq!(ask(&server, "GET", "/v1/distributed_lock/lock-3")["current_state"], "WRITE");
}

/// What an import leaves that was killed on its way.
fn half_an_import(dir: &std::path::Path) {
    let mut batch = Batch::default();
    batch.put(Row::Import { begun_at: Wall(1) });
    batch.put(Row::Lock {
        namespace: Namespace::parse("default").unwrap(),
        lock_id: LockId::parse("half").unwrap(),
        uid: LockUid([1; 16]),
        kind: LockKind::default(),
        created_at: Wall(0),
        updated_at: Wall(0),
    });
    let mut store = LocalStore::open(dir).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let epoch = store.claim().await.unwrap();
        store.commit(epoch, &batch).await.unwrap();
    });
}

#[test]
fn i3_half_an_import_is_not_served_and_another_one_completes_it() {
    let desk = Desk::new();
    let last = filled(&desk.path("old"));
    Place::local(&desk.path("old")).export(&desk.name("file"));
    half_an_import(&desk.path("new"));
    let new = Place::local(&desk.path("new"));
    assert_refused(&new.launch().start_in_vain(), &["import", "is not complete"]);
    assert_refused(&new.run(&["export"]), &["an import that is not complete"]);
    new.import(&desk.name("file"));
    let server = new.launch().start();
    assert!(acquire(&server, "new", "p") > last);
    let gone = server.connect().with_key(super::KEY).ask("GET", "/v1/distributed_lock/half");
    assert_eq!(gone.unwrap().status, 404);
}
