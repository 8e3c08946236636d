//! Events: what happened to a lock, and where something is missing.

use leasehold_core::{EndCause, Event, EventKind, KeyId, Leaving, Note, Party};
use leasehold_engine::{EventId, Gap, GapReason};
use serde::Serialize;
use utoipa::ToSchema;

use super::{HoldMode, Rfc3339};

/// Something that happened to a lock. What an event has nothing to say about is left out.
#[derive(Serialize, ToSchema)]
pub(crate) struct LockEvent<'a> {
    event: EventWord,
    /// The lock.
    #[schema(min_length = 1, max_length = 255)]
    lock_id: &'a str,
    /// When it happened, UTC.
    #[schema(value_type = String, format = DateTime)]
    at: Rfc3339,
    /// The process that holds the lock, or wants to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    process_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<HoldMode>,
    /// What the process says about itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    note: Option<&'a str>,
    /// The token of the hold that was granted, refreshed, or is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    fencing_token: Option<u64>,
    /// How long the hold lasts without a refresh, in seconds: with `granted` and `refreshed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    timeout: Option<u32>,
    /// The waiter's place in line, 1 is next: with `queued`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    position: Option<usize>,
    /// The API key that ended the hold, if one did and is known: with `released` and `forced`.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<&'a str>,
    /// With `left_line`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<LeaveReason>,
}

/// What happened.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EventName)]
pub(crate) enum EventWord {
    /// The lock came into being.
    Created,
    /// A process got a hold.
    Granted,
    /// A process stands in line.
    Queued,
    /// A waiter is out of the line without a grant.
    LeftLine,
    /// A hold's timeout started anew; told only where it was asked for.
    Refreshed,
    /// A holder gave its hold back.
    Released,
    /// A hold's timeout passed.
    Expired,
    /// An admin broke the lock, which ended the hold.
    Forced,
    /// A holder turned its hold into one of the other mode: this one is over, the grant follows.
    Converted,
    /// The lock is gone.
    Deleted,
}

/// Why a waiter is out of the line without a grant.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LeaveReason {
    /// Its client hung up.
    HungUp,
    /// Its wait timed out.
    TimedOut,
    /// It lost the hold that it was to upgrade.
    LostHold,
    /// The lock was broken.
    LockDeleted,
    /// The API key that it waited with was revoked.
    KeyRevoked,
}

impl EventWord {
    /// The name of the event on the wire.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Granted => "granted",
            Self::Queued => "queued",
            Self::LeftLine => "left_line",
            Self::Refreshed => "refreshed",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Forced => "forced",
            Self::Converted => "converted",
            Self::Deleted => "deleted",
        }
    }
}

impl<'a> LockEvent<'a> {
    /// Its name.
    pub(crate) fn word(&self) -> &'static str {
        self.event.word()
    }

    fn plain(event: EventWord, of: &'a Event) -> Self {
        Self {
            event,
            lock_id: of.lock_id.as_str(),
            at: Rfc3339(of.at),
            process_id: None,
            mode: None,
            note: None,
            fencing_token: None,
            timeout: None,
            position: None,
            ended_by: None,
            reason: None,
        }
    }

    fn about(event: EventWord, of: &'a Event, party: &'a Party) -> Self {
        Self {
            process_id: Some(party.process_id.as_str()),
            mode: Some(party.mode.into()),
            note: party.note.as_ref().map(Note::as_str),
            ..Self::plain(event, of)
        }
    }
}

impl<'a> From<&'a Event> for LockEvent<'a> {
    fn from(event: &'a Event) -> Self {
        match &event.kind {
            EventKind::Created => Self::plain(EventWord::Created, event),
            EventKind::Deleted => Self::plain(EventWord::Deleted, event),
            EventKind::Granted { holder, token, timeout } => Self {
                fencing_token: Some(token.get()),
                timeout: Some(timeout.get()),
                ..Self::about(EventWord::Granted, event, holder)
            },
            EventKind::Refreshed { holder, token, timeout } => Self {
                fencing_token: Some(token.get()),
                timeout: Some(timeout.get()),
                ..Self::about(EventWord::Refreshed, event, holder)
            },
            EventKind::Queued { waiter, position } => {
                Self { position: Some(*position), ..Self::about(EventWord::Queued, event, waiter) }
            }
            EventKind::LeftLine { waiter, why } => Self {
                reason: Some((*why).into()),
                ..Self::about(EventWord::LeftLine, event, waiter)
            },
            EventKind::Ended { holder, token, cause, by } => {
                let word = match cause {
                    EndCause::Released => EventWord::Released,
                    EndCause::Expired => EventWord::Expired,
                    EndCause::Forced => EventWord::Forced,
                    EndCause::Converted => EventWord::Converted,
                };
                Self {
                    fencing_token: Some(token.get()),
                    ended_by: by.as_ref().map(KeyId::as_str),
                    ..Self::about(word, event, holder)
                }
            }
        }
    }
}

impl From<Leaving> for LeaveReason {
    fn from(why: Leaving) -> Self {
        match why {
            Leaving::HungUp => Self::HungUp,
            Leaving::TimedOut => Self::TimedOut,
            Leaving::LostHold => Self::LostHold,
            Leaving::LockDeleted => Self::LockDeleted,
            Leaving::KeyRevoked => Self::KeyRevoked,
        }
    }
}

/// Events are missing here, of any lock. Look at the locks anew.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventGap {
    event: GapWord,
    /// The id of the last event before the gap.
    after: String,
    /// What follows is complete from after this id, which is that of the gap too.
    until: String,
    reason: WireGapReason,
}

/// The name of the event.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GapWord {
    /// Events are missing.
    Gap,
}

/// How a gap came about.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = GapReason)]
pub(crate) enum WireGapReason {
    /// The service started anew since, or another replica leads it.
    NewTerm,
    /// Too much has happened since; it is not kept any more.
    Forgotten,
    /// The client read too slowly. The stream ends here; reconnect to go on.
    TooSlow,
}

impl From<&Gap> for EventGap {
    fn from(gap: &Gap) -> Self {
        let id = |id: EventId| id.to_string();
        let reason = match gap.reason {
            GapReason::NewTerm => WireGapReason::NewTerm,
            GapReason::Forgotten => WireGapReason::Forgotten,
            GapReason::TooSlow => WireGapReason::TooSlow,
        };
        Self { event: GapWord::Gap, after: id(gap.after), until: id(gap.until), reason }
    }
}
