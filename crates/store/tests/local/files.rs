//! The local store and its directory: two processes, foreign folders, other formats, killed processes
//! and missing files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{
    BATCHES, Image, ROWS_A_BATCH, Rows, Writer, small_directory, start, start_on,
};
use leasehold_store::{LocalStore, OpenError};

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
    write_format(dir.path(), 3);
    let error = LocalStore::open(dir.path()).map(drop).unwrap_err();
    assert!(matches!(error, OpenError::UnknownFormat { found: 3, .. }), "{error}");
    let text = "has format 3, and this version of Leasehold knows formats up to 2";
    assert!(error.to_string().contains(text), "{error}");
}

#[test]
fn i2_a_directory_of_format_1_is_read_and_becomes_one_of_format_2() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path());
    writer.commit(3);
    let acknowledged = writer.acknowledged.clone();
    drop(writer);
    // A claim leaves no log, so what it leaves is what the version before it would have left.
    assert_eq!(start(dir.path()), Ok(acknowledged.clone()));
    write_format(dir.path(), 1);
    assert_eq!(start(dir.path()), Ok(acknowledged));
    let database = fjall::Database::builder(dir.path().join("fjall")).open().unwrap();
    let rows = database.keyspace("rows", || panic!("the table is there")).unwrap();
    assert_eq!(rows.get("meta/format").unwrap().unwrap()[..4], 2_u32.to_le_bytes());
}

/// Does what a later version would do: writes another number into `meta/format`.
fn write_format(dir: &Path, format: u32) {
    let database = fjall::Database::builder(dir.join("fjall")).open().unwrap();
    let rows = database.keyspace("rows", || panic!("the table is there")).unwrap();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(b"meta/format");
    hasher.update(&format.to_le_bytes());
    let mut value = format.to_le_bytes().to_vec();
    value.extend_from_slice(&hasher.finalize().to_le_bytes());
    rows.insert("meta/format", value).unwrap();
    database.persist(fjall::PersistMode::SyncAll).unwrap();
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
    assert!(lost.iter().any(|path| path.ends_with("0.jnl")), "{lost:?}");
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
