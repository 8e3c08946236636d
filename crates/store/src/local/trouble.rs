//! What went wrong in the database, by what can be done about it.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::record::RecordError;

/// A failure of the database or of the disk below it.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The database refused before it wrote anything; opening it again may help.
    Unwritten(String),
    /// There is no room for the write. Opening again helps once somebody has made room.
    Full(String),
    /// The disk failed in another way. After a failed sync the kernel may hold pages for written that
    /// never were, so neither another sync nor reading back proves anything: this process must not
    /// use the directory any more.
    Disk(String),
    /// What is stored is not what was written.
    Damaged(String),
    /// Another process has the directory open.
    Locked,
}

impl From<fjall::Error> for Trouble {
    fn from(error: fjall::Error) -> Self {
        match error {
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
                error.into()
            }
            fjall::Error::Poisoned => Self::Unwritten(
                "the database closed itself after a failure in the background".to_owned(),
            ),
            fjall::Error::Locked => Self::Locked,
            other => Self::Damaged(format!("the database reports {other:?}")),
        }
    }
}

impl From<RecordError> for Trouble {
    fn from(error: RecordError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// The database does not say whether a write or a sync failed. Errors that mean "no room" come from
/// the write on the file systems that a data directory belongs on, because these reserve room before
/// they take a page; so they leave nothing behind that a sync has lost, and are worth another try.
impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => {
                Self::Full(error.to_string())
            }
            Kind::NotFound | Kind::UnexpectedEof | Kind::InvalidData | Kind::InvalidInput => {
                Self::Damaged(format!("a file of the database is missing or too short: {error}"))
            }
            _ => Self::Disk(error.to_string()),
        }
    }
}

/// Runs what may meet damaged files: the database panics on some of them, which is damage, too.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(Trouble::Damaged(format!("the database broke off: {}", message(panic.as_ref()))))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why")
}
