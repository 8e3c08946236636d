//! What the tests of the local store share: rows to write, and data directories as values.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};

use leasehold_core::{
    Batch, FencingToken, HoldKey, LockId, Mode, Namespace, ProcessId, Row, RowKey, TimeoutSecs,
    Wall,
};
use leasehold_store::{Epoch, LocalStore, Store};

pub(crate) type Rows = BTreeMap<RowKey, Row>;

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

pub(crate) fn hold(process_id: &str, token: u64) -> Row {
    hold_of("a", process_id, token)
}

/// As long as a row gets: every `%` of an id takes three bytes in its key.
pub(crate) fn long_hold(number: u64) -> Row {
    hold_of(&"%".repeat(255), &format!("{number:06}{}", "%".repeat(249)), number)
}

fn hold_of(lock_id: &str, process_id: &str, token: u64) -> Row {
    Row::Hold {
        hold: HoldKey {
            namespace: Namespace::parse("default").unwrap(),
            lock_id: LockId::parse(lock_id).unwrap(),
            mode: Mode::Read,
            process_id: ProcessId::parse(process_id).unwrap(),
        },
        token: FencingToken::new(token).unwrap(),
        timeout: TimeoutSecs::new(60).unwrap(),
        acquired_at: Wall(1_700_000_000_000),
        renewed_at: Wall(1_700_000_000_000),
        note: None,
        idempotency_key: None,
        acquired_by: None,
    }
}

/// A store that is written to, and the rows it has acknowledged.
pub(crate) struct Writer {
    pub(crate) store: LocalStore,
    pub(crate) epoch: Epoch,
    pub(crate) acknowledged: Rows,
    commits: u64,
}

impl Writer {
    pub(crate) fn open(dir: &Path) -> Self {
        let mut store = LocalStore::open(dir).unwrap();
        let epoch = block_on(store.claim()).unwrap();
        Self { store, epoch, acknowledged: Rows::new(), commits: 0 }
    }

    /// Commits the next batch: so many new holds, one replaced, one given back, and the sequence.
    pub(crate) fn commit(&mut self, new_rows: u64) {
        let first = self.commits * new_rows;
        let mut rows: Vec<Row> = (first..first + new_rows)
            .map(|number| hold(&format!("process-{number}"), number))
            .collect();
        if self.commits > 0 {
            rows.push(hold(&format!("process-{}", first - 1), first + 1_000_000));
        }
        rows.push(Row::Sequence(FencingToken::new(first + 2_000_000).unwrap()));
        let gone =
            (self.commits > 1).then(|| hold(&format!("process-{}", first - 2 * new_rows), 0).key());
        self.write(rows, gone);
        self.commits += 1;
    }

    /// Commits these rows, and that one is gone.
    pub(crate) fn write(&mut self, rows: Vec<Row>, gone: Option<RowKey>) {
        let mut batch = Batch::default();
        for row in rows {
            self.acknowledged.insert(row.key(), row.clone());
            batch.put(row);
        }
        if let Some(gone) = gone {
            self.acknowledged.remove(&gone);
            batch.delete(gone);
        }
        block_on(self.store.commit(self.epoch, &batch)).unwrap();
    }
}

/// What a start on this directory finds: all rows, or the error that it names.
pub(crate) fn start(dir: &Path) -> Result<Rows, String> {
    let mut store = LocalStore::open(dir).map_err(|error| error.to_string())?;
    block_on(async {
        let epoch = store.claim().await?;
        let mut rows = Rows::new();
        store
            .load(epoch, &mut |row| {
                rows.insert(row.key(), row);
            })
            .await?;
        Ok(rows)
    })
    .map_err(|error: leasehold_store::StoreError| error.to_string())
}

/// The files of a directory. A long tail of zeros, as a journal has, is kept as a length only.
#[derive(Clone)]
pub(crate) struct Image(pub(crate) BTreeMap<PathBuf, Content>);

#[derive(Clone)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) len: u64,
}

impl Image {
    pub(crate) fn of(dir: &Path) -> Self {
        let content = |(path, len): (PathBuf, u64)| {
            let mut bytes = fs::read(&path).unwrap();
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            bytes.truncate(used);
            (path.strip_prefix(dir).unwrap().to_owned(), Content { bytes, len })
        };
        Self(listing(dir).into_iter().map(content).collect())
    }

    pub(crate) fn write(&self, dir: &Path) {
        for (path, content) in &self.0 {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = File::create(path).unwrap();
            file.write_all(&content.bytes).unwrap();
            file.set_len(content.len).unwrap();
        }
    }

    pub(crate) fn file(&mut self, path: &Path) -> &mut Content {
        self.0.get_mut(path).unwrap()
    }

    /// The files whose names end so, in their order.
    pub(crate) fn ending(&self, suffix: &str) -> Vec<PathBuf> {
        let ends = |path: &&PathBuf| path.to_string_lossy().ends_with(suffix);
        self.0.keys().filter(ends).cloned().collect()
    }
}

/// The files below a directory and their lengths.
pub(crate) fn listing(dir: &Path) -> BTreeMap<PathBuf, u64> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        match fs::metadata(&path) {
            Ok(about) if about.is_dir() => files.append(&mut listing(&path)),
            Ok(about) => drop(files.insert(path, about.len())),
            // The database has just removed it.
            Err(_) => {}
        }
    }
    files
}

pub(crate) const BATCHES: u64 = 30;
pub(crate) const ROWS_A_BATCH: u64 = 10;

/// As many batches as it takes until all of them are in the database.
pub(crate) const ROUND: u64 = 65;

/// A directory with few batches, which are in its log.
pub(crate) fn small_directory() -> (Image, Rows) {
    directory_with(BATCHES, ROWS_A_BATCH)
}

/// A directory whose database has all rows.
pub(crate) fn directory_without_log() -> (Image, Rows) {
    directory_with(ROUND, 4)
}

fn directory_with(batches: u64, rows_a_batch: u64) -> (Image, Rows) {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path());
    for _ in 0..batches {
        writer.commit(rows_a_batch);
    }
    let acknowledged = writer.acknowledged.clone();
    drop(writer);
    (Image::of(dir.path()), acknowledged)
}

/// Starts on an image; the rows have to be the acknowledged ones, or an error has to say why not.
pub(crate) fn start_on(image: &Image, acknowledged: &Rows, what: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    image.write(dir.path());
    let found = start(dir.path())?;
    let missing = acknowledged.iter().filter(|(key, row)| found.get(key) != Some(row)).count();
    let added = found.keys().filter(|key| !acknowledged.contains_key(key)).count();
    assert_eq!((missing, added), (0, 0), "{what}: a start silently lost or brought back rows");
    Ok(())
}

/// Numbers that look random and are the same in every run.
pub(crate) fn scattered(seed: u64) -> impl Iterator<Item = u64> {
    (1..).map(move |n: u64| {
        let mixed = (n + (seed << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 16
    })
}

pub(crate) fn position(number: u64, len: usize) -> usize {
    usize::try_from(number % len as u64).unwrap()
}
