//! The local store and damaged files: whatever is hit, a start finds exactly what was acknowledged, or
//! refuses. It never goes on with less, and never panics.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::support::{
    Image, Rows, Writer, directory_without_log, listing, long_hold, position, scattered,
    small_directory, start_on,
};

/// More than a table in memory holds before the database writes it to a file.
const LONG_ROWS: u64 = 12_000;
const LONG_ROWS_A_BATCH: u64 = 1_000;
const MAX_LOOKS: u32 = 100;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// How one spot of a file is damaged.
#[derive(Clone, Copy, Debug)]
enum Damage {
    FlipBit,
    Zeros(usize),
    Ones(usize),
    Truncate,
}

const DAMAGES: [Damage; 6] = [
    Damage::FlipBit,
    Damage::FlipBit,
    Damage::Zeros(4),
    Damage::Zeros(512),
    Damage::Ones(4),
    Damage::Truncate,
];

fn damaged(image: &Image, path: &Path, damage: Damage, number: u64) -> Image {
    let mut image = image.clone();
    let file = image.file(path);
    let at = position(number, file.bytes.len());
    let until = |len: usize| (at + len).min(file.bytes.len());
    match damage {
        Damage::FlipBit => file.bytes[at] ^= 1 << (number >> 40 & 7),
        Damage::Zeros(len) => {
            let end = until(len);
            file.bytes[at..end].fill(0);
        }
        Damage::Ones(len) => {
            let end = until(len);
            file.bytes[at..end].fill(0xFF);
        }
        Damage::Truncate => {
            file.bytes.truncate(at);
            file.len = at as u64;
        }
    }
    image
}

/// Damages a file at scattered spots. Returns how many starts named it; the others have lost nothing.
fn damage_file(image: &Image, acknowledged: &Rows, path: &PathBuf, spots: usize) -> usize {
    if image.0[path].bytes.is_empty() {
        return 0;
    }
    let mut named = 0;
    for (nth, number) in scattered(11).take(spots).enumerate() {
        let damage = DAMAGES[nth % DAMAGES.len()];
        let what = format!("{damage:?} in {} (spot {nth})", path.display());
        let image = damaged(image, path, damage, number);
        named += usize::from(start_on(&image, acknowledged, &what).is_err());
    }
    named
}

/// Damages a file whose every byte matters, up to its tail of zeros.
fn damage_vital_file((image, acknowledged): &(Image, Rows), path: &str) {
    let spots = 180;
    let named = damage_file(image, acknowledged, &path.into(), spots);
    assert!(named > spots * 8 / 10, "only {named} of {spots} were noticed");
}

#[test]
fn i2_damage_in_the_log_is_never_silent() {
    damage_vital_file(&small_directory(), "log");
}

#[test]
fn i2_damage_in_the_journal_is_never_silent() {
    damage_vital_file(&directory_without_log(), "fjall/0.jnl");
}

#[test]
fn i2_damage_in_any_other_file_is_never_silent() {
    let (image, acknowledged) = directory_without_log();
    let others: Vec<_> = image.0.keys().filter(|path| !path.ends_with("0.jnl")).collect();
    let named: usize = others.iter().map(|path| damage_file(&image, &acknowledged, path, 24)).sum();
    assert!(named > 0, "the damage hit nothing that matters: {others:?}");
}

fn directory_with_table_files() -> (Image, Rows) {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path());
    for first in (0..LONG_ROWS).step_by(usize::try_from(LONG_ROWS_A_BATCH).unwrap()) {
        writer.write((first..first + LONG_ROWS_A_BATCH).map(long_hold).collect(), None);
    }
    wait_for_quiet(dir.path());
    (Image::of(dir.path()), writer.acknowledged)
}

/// Waits until the workers of the database leave the files alone: only then is a copy made file by
/// file what a killed process leaves.
fn wait_for_quiet(dir: &Path) {
    let mut before = listing(dir);
    for _ in 0..MAX_LOOKS {
        sleep(BETWEEN_LOOKS);
        let now = listing(dir);
        if now == before {
            return;
        }
        before = now;
    }
    panic!("the database never comes to rest: {before:?}");
}

#[test]
fn i2_damage_in_a_table_file_is_never_silent() {
    let (image, acknowledged) = directory_with_table_files();
    let is_of_rows = |path: &&PathBuf| path.starts_with("fjall/keyspaces/1");
    let is_table = |path: &PathBuf| path.starts_with("fjall/keyspaces/1/tables");
    for path in image.0.keys().filter(is_of_rows) {
        let spots = if is_table(path) { 6 } else { 1 };
        let named = damage_file(&image, &acknowledged, path, spots);
        assert!(named > 0 || !is_table(path), "no damage in {} was noticed", path.display());
    }
    let mut without = image.clone();
    without.0.retain(|path, _| !is_table(path));
    assert!(without.0.len() < image.0.len(), "no table file was written");
    start_on(&without, &acknowledged, "without table files").unwrap_err();
}
