//! Writing under the fence, and learning what became of a write that was not answered clearly.

use std::iter::once;
use std::time::Instant;

use tokio::time::sleep;
use tracing::warn;

use super::fence::Fence;
use super::service::{CONTENDED_TRIES, FIRST_PAUSE, LOST_TRIES, Trouble};
use super::wire::{Entity, Found, Key, Mutation};
use super::{DatastoreStore, Term};
use crate::store::{Epoch, StoreError};

const FENCE_KIND: &str = "LeaseholdFence";
const FENCE_NAME: &str = "fence";
/// The fence as it was seen.
pub(super) struct Seen {
    pub(super) fence: Fence,
    pub(super) version: String,
}

/// Since when the fence has not changed, as this handle knows it.
pub(super) struct Watch {
    version: String,
    since: Instant,
}

/// Why a write does not count.
pub(super) enum Unwritten {
    /// Somebody else has written the fence since. Nothing of this write was done or will be.
    Moved,
    /// Nothing was done or will be.
    Unavailable(String),
    /// It may have been done, or may yet be, as long as nobody writes the fence.
    Unknown(String),
}

/// What to do about a write after a look at the fence.
enum Settled {
    Written(String),
    /// The fence is as it was before.
    AsBefore,
    /// An earlier renewal of this term arrived late; this is the version that it made.
    Overtaken(String),
    Not(Unwritten),
}

impl DatastoreStore {
    fn fence_key(&self) -> Key {
        self.service.key(FENCE_KIND, FENCE_NAME.to_owned())
    }

    /// Looks at the fence, and goes on watching it.
    pub(super) async fn look(&mut self) -> Result<Option<Seen>, StoreError> {
        let found = self.service.lookup(self.fence_key()).await;
        let found = found.map_err(|trouble| StoreError::Unavailable(trouble.into_reason()))?;
        let Some(Found { entity, version }) = found else { return Ok(None) };
        let fence = Fence::from_properties(&entity.properties)
            .map_err(|what| StoreError::Corrupt(format!("the entity {FENCE_KIND}: {what}")))?;
        if self.watch.as_ref().is_none_or(|watch| watch.version != version) {
            self.watch = Some(Watch { version: version.clone(), since: Instant::now() });
        }
        Ok(Some(Seen { fence, version }))
    }

    /// Whether the leader that the last look showed has let its lease run out.
    pub(super) fn ran_out(&self, fence: &Fence) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.since.elapsed() >= fence.lease)
    }

    pub(super) fn next_write(&mut self) -> i64 {
        self.last_write += 1;
        self.last_write
    }

    /// One write of this term: the fence with a change, and rows.
    pub(super) async fn advance(
        &mut self,
        epoch: Epoch,
        mutations: &[Mutation],
        change: impl FnOnce(&mut Fence) + Send,
    ) -> Result<(), Unwritten> {
        let write = self.next_write();
        let Some(term) = self.term.as_ref().filter(|term| term.fence.epoch == epoch) else {
            return Err(Unwritten::Moved);
        };
        let (mut fence, base) = (term.fence.clone(), term.version.clone());
        let prolonged = Instant::now();
        fence.write = write;
        change(&mut fence);
        let version = self.write(Some(base), &fence, mutations).await?;
        self.term = Some(Term { fence, version, prolonged });
        Ok(())
    }

    /// Writes the fence over the version `base` (none: where there is no fence), and rows with it, all
    /// or nothing. The same write may be sent more than once: it is applied over `base` or not at all,
    /// and once it is, the fence has another version.
    pub(super) async fn write(
        &mut self,
        mut base: Option<String>,
        fence: &Fence,
        mutations: &[Mutation],
    ) -> Result<String, Unwritten> {
        let (mut lost, mut contended) = (0, 0);
        let mut pause = FIRST_PAUSE;
        loop {
            let entity = Entity { key: self.fence_key(), properties: fence.to_properties() };
            let guard = match &base {
                None => Mutation::insert(entity),
                // Claims and renewals, which have no rows, keep theirs.
                Some(_) if cfg!(leasehold_unfenced) && !mutations.is_empty() => {
                    Mutation::upsert(entity)
                }
                Some(version) => Mutation::update_of(version, entity),
            };
            let sent = Instant::now();
            let trouble = match self.service.commit(once(&guard).chain(mutations).collect()).await {
                Ok(version) => {
                    self.watch = Some(Watch { version: version.clone(), since: sent });
                    return Ok(version);
                }
                Err(trouble) => trouble,
            };
            match &trouble {
                Trouble::Lost(_) => lost += 1,
                Trouble::Contention(_) => contended += 1,
                Trouble::Unmet(_) => {}
                Trouble::Refused(why) => return Err(doubtful(lost, why.clone())),
            }
            match self.settle(base.as_deref(), fence, lost, &trouble).await {
                Settled::Written(version) => return Ok(version),
                Settled::Not(unwritten) => return Err(unwritten),
                Settled::Overtaken(version) => {
                    base = Some(version);
                    // What was sent over the version before can no longer be applied.
                    lost = 0;
                }
                Settled::AsBefore => {
                    let again = match &trouble {
                        Trouble::Lost(_) => lost < LOST_TRIES,
                        Trouble::Contention(_) => contended < CONTENDED_TRIES,
                        Trouble::Unmet(_) | Trouble::Refused(_) => false,
                    };
                    if !again {
                        return Err(doubtful(lost, trouble.into_reason()));
                    }
                    warn!(?trouble, "a write was not answered clearly and is sent again");
                }
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    /// After a write that counts.
    pub(super) fn given_up(&mut self, epoch: Epoch, unwritten: Unwritten) -> StoreError {
        match unwritten {
            Unwritten::Unavailable(why) => StoreError::Unavailable(why),
            Unwritten::Moved => {
                self.end(epoch);
                StoreError::Fenced(epoch)
            }
            // It may yet be done for as long as the fence is where it was; a claim moves it.
            Unwritten::Unknown(why) => {
                self.end(epoch);
                StoreError::OutcomeUnknown(why)
            }
        }
    }

    /// After a write that changes no row and is to be followed by others: whether it was done is no matter.
    pub(super) fn harmless(&mut self, epoch: Epoch, unwritten: Unwritten) -> StoreError {
        match unwritten {
            Unwritten::Unavailable(why) | Unwritten::Unknown(why) => StoreError::Unavailable(why),
            Unwritten::Moved => self.given_up(epoch, Unwritten::Moved),
        }
    }

    /// Ends this handle's term, if it is that one.
    pub(super) fn end(&mut self, epoch: Epoch) {
        self.term.take_if(|term| term.fence.epoch == epoch);
    }

    async fn settle(
        &mut self,
        base: Option<&str>,
        fence: &Fence,
        lost: u32,
        trouble: &Trouble,
    ) -> Settled {
        match self.look().await {
            Ok(Some(seen)) if seen.fence == *fence => Settled::Written(seen.version),
            Ok(seen) if seen.as_ref().map(|seen| seen.version.as_str()) == base => {
                Settled::AsBefore
            }
            Ok(Some(seen)) if seen.fence.leads && seen.fence.is_of_term(fence) => {
                Settled::Overtaken(seen.version)
            }
            // Whoever wrote the fence may have found it as this write left it.
            Ok(_) if lost > 0 => {
                Settled::Not(Unwritten::Unknown("another replica leads by now".to_owned()))
            }
            Ok(_) => Settled::Not(Unwritten::Moved),
            Err(error) => {
                let why = format!("{}; then: {error}", trouble.clone().into_reason());
                Settled::Not(doubtful(lost, why))
            }
        }
    }
}

fn doubtful(lost: u32, why: String) -> Unwritten {
    if lost > 0 { Unwritten::Unknown(why) } else { Unwritten::Unavailable(why) }
}
