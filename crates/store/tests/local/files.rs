//! The local store and its directory: two processes, foreign folders, other formats, killed processes
//! and missing files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{
    BATCHES, Image, ROWS_A_BATCH, Rows, Writer, block_on, directory_without_log, small_directory,
    start, start_on,
};
use leasehold_store::{LocalStore, OpenError, Store};

#[test]
fn a_new_directory_is_for_its_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/b");
    LocalStore::open(&dir).map(drop).unwrap();
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(start(&dir), Ok(Rows::new()));
}

#[test]
fn a_directory_in_use_is_refused_until_it_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let first = LocalStore::open(dir.path()).unwrap();
    let error = LocalStore::open(dir.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    let text = format!(
        "data directory {} is in use by another process; stop that one, or choose another directory",
        dir.path().display()
    );
    assert_eq!(error.to_string(), text);
    drop(first);
    LocalStore::open(dir.path()).map(drop).unwrap();
}

/// A missing lock file does not say that the process is gone: it may have been deleted.
#[test]
fn i4_a_directory_in_use_is_refused_though_its_lock_file_was_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = LocalStore::open(dir.path()).unwrap();
    block_on(first.claim()).unwrap();
    fs::remove_file(dir.path().join("acknowledged")).unwrap();
    let error = LocalStore::open(dir.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error:?}");
}

#[test]
fn a_foreign_directory_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.tex"), "important").unwrap();
    let error = LocalStore::open(dir.path()).map(drop).unwrap_err().to_string();
    assert!(
        error.contains("is not a Leasehold data directory: it holds \"thesis.tex\""),
        "{error}"
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_path_that_is_a_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = LocalStore::open(&file).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
}

#[test]
fn another_format_is_refused_with_both_versions() {
    let dir = tempfile::tempdir().unwrap();
    LocalStore::open(dir.path()).map(drop).unwrap();
    write_format(dir.path(), 4);
    let error = LocalStore::open(dir.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::UnknownFormat { found: 4, .. }), "{error}");
    let text = "has format 4, and this version of Leasehold knows formats up to 3";
    assert!(error.to_string().contains(text), "{error}");
}

#[test]
fn i2_a_directory_of_format_1_is_read_and_becomes_one_of_format_3() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path());
    writer.commit(3);
    let acknowledged = writer.acknowledged.clone();
    drop(writer);
    // A claim leaves nothing in the log, so what it leaves is what the first version would have left.
    assert_eq!(start(dir.path()), Ok(acknowledged.clone()));
    fs::remove_file(dir.path().join("log")).unwrap();
    write_format(dir.path(), 1);
    assert_eq!(start(dir.path()), Ok(acknowledged));
    assert_eq!(read_format(dir.path()), 3);
}

/// Format 2 kept each entry of the log as a row of the database.
#[test]
fn i2_a_directory_of_format_2_is_read_and_becomes_one_of_format_3() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path());
    (0..3).for_each(|_| writer.commit(3));
    let acknowledged = writer.acknowledged.clone();
    drop(writer);
    let log = fs::read(dir.path().join("log")).unwrap();
    let mut rest = &log[..];
    let mut found = 0;
    with_rows(dir.path(), |rows| {
        loop {
            let length = u32::from_le_bytes(*rest.first_chunk().unwrap());
            if length == 0 {
                break;
            }
            let (entry, after) = rest.split_at(usize::try_from(length).unwrap());
            let (fence, writes) = entry[4..entry.len() - 4].split_at(36);
            let batch = u64::from_le_bytes(*fence[8..].first_chunk().unwrap());
            let key = format!("log/{batch:020}");
            rows.insert(&key, sealed(&key, writes)).unwrap();
            rows.insert("meta/fence", fence).unwrap();
            rest = after;
            found += 1;
        }
    });
    assert_eq!(found, 3);
    fs::remove_file(dir.path().join("log")).unwrap();
    write_format(dir.path(), 2);
    assert_eq!(start(dir.path()), Ok(acknowledged.clone()));
    assert_eq!(read_format(dir.path()), 3);
    assert_eq!(start(dir.path()), Ok(acknowledged));
}

/// Does something with the rows of the database, and syncs it.
fn with_rows<T>(dir: &Path, work: impl FnOnce(&fjall::Keyspace) -> T) -> T {
    let database = fjall::Database::builder(dir.join("fjall")).open().unwrap();
    let rows = database.keyspace("rows", || panic!("the table is there")).unwrap();
    let result = work(&rows);
    database.persist(fjall::PersistMode::SyncAll).unwrap();
    result
}

fn sealed(key: &str, body: &[u8]) -> Vec<u8> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key.as_bytes());
    hasher.update(body);
    [body, &hasher.finalize().to_le_bytes()].concat()
}

/// Does what another version would do: writes another number into `meta/format`.
fn write_format(dir: &Path, format: u32) {
    let value = sealed("meta/format", &format.to_le_bytes());
    with_rows(dir, |rows| rows.insert("meta/format", value).unwrap());
}

fn read_format(dir: &Path) -> u32 {
    let value = with_rows(dir, |rows| rows.get("meta/format").unwrap().unwrap());
    u32::from_le_bytes(*value.first_chunk().unwrap())
}

/// A first start that was interrupted leaves a database without a version mark, which the database
/// itself can neither open nor make anew. Nothing was acknowledged yet, so the next start begins again.
#[test]
fn an_interrupted_first_start_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("fjall-unfinished/keyspaces")).unwrap();
    fs::write(dir.path().join("fjall-unfinished/0.jnl"), "").unwrap();
    fs::write(dir.path().join("acknowledged"), "").unwrap();
    assert_eq!(start(dir.path()), Ok(Rows::new()));
}

/// What a killed process leaves is what is in its files at that moment.
#[test]
fn i2_a_killed_process_leaves_exactly_what_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path());
    for batch in 0..BATCHES {
        if batch % 5 == 0 {
            let killed = Image::of(dir.path());
            start_on(&killed, &writer.acknowledged, &format!("killed after batch {batch}"))
                .unwrap();
        }
        writer.commit(ROWS_A_BATCH);
    }
}

/// A batch is in the log until some batches are written row by row together, by their number or by that
/// of their rows: a kill finds any number of them in the log.
#[test]
fn i2_a_process_killed_with_a_log_of_any_length_leaves_exactly_what_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path());
    for batch in 1..=130 {
        writer.commit(if batch > 70 { 40 } else { 2 });
        if batch % 8 < 2 {
            let killed = Image::of(dir.path());
            start_on(&killed, &writer.acknowledged, &format!("killed after batch {batch}"))
                .unwrap();
        }
    }
}

#[test]
fn i2_a_missing_file_is_named() {
    let (image, acknowledged) = small_directory();
    let mut lost = Vec::new();
    for path in image.0.keys() {
        let mut image = image.clone();
        image.0.remove(path);
        if let Err(error) = start_on(&image, &acknowledged, &format!("without {path:?}")) {
            assert!(error.contains("is damaged"), "without {path:?}: {error}");
            lost.push(path);
        }
    }
    assert!(lost.iter().any(|path| path.ends_with("version")), "{lost:?}");
    assert!(lost.iter().any(|path| path.ends_with("log")), "{lost:?}");
    let (mut image, acknowledged) = directory_without_log();
    image.0.remove(Path::new("fjall/0.jnl"));
    let error = start_on(&image, &acknowledged, "without the journal").unwrap_err();
    assert!(error.contains("is damaged"), "{error}");
}

#[test]
fn i2_a_missing_database_folder_is_named() {
    let (mut image, acknowledged) = small_directory();
    image.0.retain(|path, _| !path.starts_with("fjall"));
    let error = start_on(&image, &acknowledged, "without the folder").unwrap_err();
    assert!(error.contains("the folder \"fjall\" is missing, but batch 31 had been"), "{error}");
    image.file(Path::new("acknowledged")).bytes[9] ^= 1;
    let error = start_on(&image, &acknowledged, "without the folder").unwrap_err();
    assert!(error.contains("\"acknowledged\" is unreadable"), "{error}");
}

/// Without its witness the database is taken at its word: the rows still add up.
#[test]
fn i2_a_lost_witness_stops_no_start() {
    let (image, acknowledged) = small_directory();
    for len in [0, 10, 24, 100] {
        let mut image = image.clone();
        let file = image.file(Path::new("acknowledged"));
        file.bytes = Vec::new();
        file.len = len;
        start_on(&image, &acknowledged, &format!("{len} zero bytes")).unwrap();
    }
    let mut image = image;
    image.file(Path::new("acknowledged")).bytes[9] ^= 1;
    start_on(&image, &acknowledged, "a flipped bit").unwrap();
}
