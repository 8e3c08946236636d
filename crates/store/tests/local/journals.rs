//! The local store and a log or journal that is torn or cut: a start finds exactly what was
//! acknowledged, or says what is missing.

use std::path::Path;

use crate::support::{
    Content, Image, ROUND, Rows, Writer, directory_without_log, position, scattered,
    small_directory, start_on,
};

/// A write that was cut off was never acknowledged: it goes, and nothing else does.
fn check_torn_end((image, acknowledged): (Image, Rows), file: &Path) {
    let whole = image.0[file].bytes.clone();
    for torn in [1, 5, 13, 14, 100, 300, 600] {
        let mut image = image.clone();
        image.file(file).bytes.extend_from_slice(&whole[..torn]);
        start_on(&image, &acknowledged, &format!("{torn} bytes of a batch follow")).unwrap();
    }
    for (seed, len) in [(1, 1), (2, 40), (3, 700), (4, 5000)] {
        let mut image = image.clone();
        let garbage = scattered(seed).take(len).map(|number| number.to_le_bytes()[0]);
        image.file(file).bytes.extend(garbage);
        start_on(&image, &acknowledged, &format!("{len} bytes of garbage follow")).unwrap();
    }
}

#[test]
fn i2_a_torn_last_entry_of_the_log_is_dropped_and_the_rest_is_kept() {
    check_torn_end(small_directory(), Path::new("log"));
}

#[test]
fn i2_a_torn_last_batch_of_the_journal_is_dropped_and_the_rest_is_kept() {
    check_torn_end(directory_without_log(), Path::new("fjall/0.jnl"));
}

/// The log is read up to where it becomes unreadable, and the start refuses to go on from there.
#[test]
fn i2_a_log_that_ends_early_is_named() {
    let (image, acknowledged) = small_directory();
    let log = Path::new("log");
    let used = image.0[log].bytes.len();
    for at in scattered(7).take(40).map(|number| position(number, used)) {
        let mut image = image.clone();
        image.file(log).bytes.truncate(at);
        let error = start_on(&image, &acknowledged, &format!("zeros from {at} on")).unwrap_err();
        assert!(error.contains("had been acknowledged"), "{error}");
        image.file(log).len = at as u64;
        let error = start_on(&image, &acknowledged, &format!("log cut at {at}")).unwrap_err();
        assert!(error.contains("is damaged"), "{error}");
    }
}

/// The database ends its journal where it becomes unreadable and would start with what came before.
#[test]
fn i2_a_journal_that_ends_early_is_named() {
    let (image, acknowledged) = directory_without_log();
    let journal = image.ending(".jnl").remove(0);
    let used = image.0[&journal].bytes.len();
    for at in scattered(7).take(40).map(|number| position(number, used)) {
        let mut image = image.clone();
        let file = image.file(&journal);
        file.bytes.truncate(at);
        file.len = at as u64;
        let error = start_on(&image, &acknowledged, &format!("journal cut at {at}")).unwrap_err();
        assert!(error.contains("is damaged"), "{error}");
    }
    let mut zeroed = image;
    zeroed.file(&journal).bytes[used / 2..used / 2 + 64].fill(0);
    let error = start_on(&zeroed, &acknowledged, "zeros in the middle").unwrap_err();
    assert!(error.contains("is damaged"), "{error}");
}

/// The database replays its journals one by one. If an older one is gone or ends early, it goes on
/// with the next as if nothing had been there, and the last batch is in place all the same. Only the
/// sum over all rows tells.
#[test]
fn i2_a_journal_lost_in_the_middle_is_named() {
    let (older, newer) = (Path::new("fjall/0.jnl"), Path::new("fjall/1.jnl"));
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path());
    (0..ROUND).for_each(|_| writer.commit(4));
    let half = Image::of(dir.path()).file(older).bytes.len();
    (0..ROUND).for_each(|_| writer.commit(4));

    let mut image = Image::of(dir.path());
    let bytes = image.file(older).bytes.split_off(half);
    let len = bytes.len() as u64;
    image.0.insert(newer.to_owned(), Content { bytes, len });
    start_on(&image, &writer.acknowledged, "two whole journals").unwrap();

    let mut cut = image.clone();
    cut.file(older).bytes.truncate(half - 300);
    let error = start_on(&cut, &writer.acknowledged, "the older one ends early").unwrap_err();
    assert!(error.contains("rows were committed up to batch"), "{error}");

    image.0.remove(older);
    let error = start_on(&image, &writer.acknowledged, "the older one is gone").unwrap_err();
    assert!(error.contains("is damaged"), "{error}");
}
