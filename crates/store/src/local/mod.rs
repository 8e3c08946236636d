//! The default store: an embedded database in a data directory of this machine.
//!
//! ```text
//! DIR/acknowledged   which batch was acknowledged last, and the lock of the directory (witness.rs)
//! DIR/log            the latest batches (log.rs)
//! DIR/fjall/         the database, with all rows but theirs: a journal, and sorted files (database.rs)
//! ```
//! Opening is in `open.rs`, what an open directory does in `opened.rs`, what it says about itself in
//! `fence.rs`, how a lost row is noticed in `contents.rs`, how batches are gathered in `pending.rs`,
//! which failures can be got over in `trouble.rs`, and why a commit does not wait for memory to be
//! freed in `retired.rs`.

mod contents;
mod database;
mod fence;
mod log;
mod open;
mod opened;
mod pending;
mod retired;
mod trouble;
mod witness;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use leasehold_core::{Batch, Row};

pub use self::open::OpenError;
use self::open::{open_database, take_directory};
use self::opened::Opened;
use self::trouble::{Trouble, guarded};
use self::witness::Witness;
use crate::store::{Epoch, Store, StoreError};

/// Rows in a data directory, each commit synced to the disk before it returns.
///
/// The directory belongs to this process for as long as the store lives. The methods are async
/// because the trait's are, but they block while they read and sync: the commit loop, which runs on
/// a thread of its own, is meant to wait for them.
///
/// After a write for which there was no room the database is closed, and the next claim opens it
/// again: making room is enough. After any other failure of the disk the store refuses to go on, for
/// the reason given in `trouble.rs`; a restart, after a look at the disk, opens it again.
pub struct LocalStore {
    dir: PathBuf,
    witness: Witness,
    state: State,
    leading: Option<Epoch>,
}

enum State {
    Open(Box<Opened>),
    /// A write failed; a claim opens it again.
    Closed,
    /// The disk failed; nothing opens it again in this process.
    Refused(String),
}

impl LocalStore {
    /// Opens a data directory, or makes one (readable by its owner alone), and takes it for this
    /// process.
    ///
    /// # Errors
    /// [`OpenError`] names the directory and says what to do: it is in use, belongs to something
    /// else, is of another format, or is damaged.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let witness = take_directory(dir)?;
        let opened = open_database(dir, &witness)?;
        let state = State::Open(Box::new(opened));
        Ok(Self { dir: dir.to_owned(), witness, state, leading: None })
    }

    fn check(&self, epoch: Epoch) -> Result<(), StoreError> {
        if self.leading == Some(epoch) { Ok(()) } else { Err(StoreError::Fenced(epoch)) }
    }

    fn reopen_if_closed(&mut self) -> Result<(), StoreError> {
        if let State::Closed = self.state {
            let opened = open_database(&self.dir, &self.witness).map_err(|error| match error {
                OpenError::Full { .. } | OpenError::Locked { .. } => {
                    StoreError::Unavailable(error.to_string())
                }
                OpenError::Io { .. }
                | OpenError::NotOurs { .. }
                | OpenError::UnknownFormat { .. }
                | OpenError::Damaged { .. } => StoreError::Corrupt(error.to_string()),
            })?;
            self.state = State::Open(Box::new(opened));
        }
        Ok(())
    }

    /// After a failed write: what is in memory may differ from the disk, so all of it goes.
    fn give_up(&mut self, trouble: Trouble) -> StoreError {
        self.leading = None;
        let (state, error) = match trouble {
            Trouble::Unwritten(why) => (State::Closed, StoreError::Unavailable(why)),
            Trouble::Full(why) | Trouble::Damaged(why) => {
                (State::Closed, StoreError::OutcomeUnknown(why))
            }
            Trouble::Disk(why) => (self.refusal(&why), StoreError::OutcomeUnknown(why)),
            Trouble::Locked => {
                (State::Closed, StoreError::Unavailable("the directory is in use".to_owned()))
            }
        };
        let before = std::mem::replace(&mut self.state, state);
        let closed = guarded(|| {
            drop(before);
            Ok(())
        });
        if let Err(trouble) = closed {
            tracing::warn!(?trouble, "the database did not close cleanly");
        }
        error
    }

    fn refusal(&self, why: &str) -> State {
        let dir = self.dir.display();
        State::Refused(format!("the disk of {dir} failed: {why}; check it, then restart"))
    }
}

impl State {
    fn opened(&mut self) -> Result<&mut Opened, StoreError> {
        match self {
            Self::Open(opened) => Ok(opened),
            Self::Closed => Err(StoreError::Unavailable("the database is closed".to_owned())),
            Self::Refused(why) => Err(StoreError::Corrupt(why.clone())),
        }
    }
}

#[async_trait]
impl Store for LocalStore {
    async fn claim(&mut self) -> Result<Epoch, StoreError> {
        self.leading = None;
        self.reopen_if_closed()?;
        let claimed = self.state.opened()?.claim(&self.witness);
        let epoch = claimed.map_err(|trouble| self.give_up(trouble))?;
        self.leading = Some(epoch);
        Ok(epoch)
    }

    async fn load(
        &mut self,
        epoch: Epoch,
        visit: &mut (dyn FnMut(Row) + Send),
    ) -> Result<(), StoreError> {
        self.check(epoch)?;
        let opened = self.state.opened()?;
        guarded(|| opened.load(visit)).map_err(|trouble| match trouble {
            Trouble::Damaged(what) | Trouble::Disk(what) => StoreError::Corrupt(what),
            Trouble::Unwritten(why) | Trouble::Full(why) => StoreError::Unavailable(why),
            Trouble::Locked => StoreError::Unavailable("the directory is in use".to_owned()),
        })
    }

    async fn commit(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), StoreError> {
        self.check(epoch)?;
        if batch.is_empty() {
            return Ok(());
        }
        if self.state.opened()?.contents.is_none() {
            self.load(epoch, &mut |_| {}).await?;
        }
        let committed = self.state.opened()?.commit(batch, &self.witness);
        committed.map_err(|trouble| self.give_up(trouble))
    }

    async fn renew(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.check(epoch)
    }

    async fn resign(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.check(epoch)?;
        self.leading = None;
        Ok(())
    }
}
