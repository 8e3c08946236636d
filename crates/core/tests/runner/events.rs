//! Events in the words of an `events:` line.

use leasehold_core::{EndCause, Event, EventKind, Leaving, Party};

use super::facts::{mode_word, place};

/// An event as an `events:` line has it.
pub(super) fn of_event(event: &Event) -> String {
    let lock = place(&event.namespace, &event.lock_id);
    let who = |party: &Party| {
        let note = party.note.as_ref().map(|note| format!(" note {note}")).unwrap_or_default();
        (format!("{lock} {} {}", mode_word(party.mode), party.process_id), note)
    };
    match &event.kind {
        EventKind::Created => format!("created({lock})"),
        EventKind::Deleted => format!("deleted({lock})"),
        EventKind::Granted { holder, token, timeout } => {
            let (who, note) = who(holder);
            format!("granted({who}#{token} for {}s{note})", timeout.get())
        }
        EventKind::Refreshed { holder, token, timeout } => {
            let (who, note) = who(holder);
            format!("refreshed({who}#{token} for {}s{note})", timeout.get())
        }
        EventKind::Queued { waiter, position } => {
            let (who, note) = who(waiter);
            format!("queued({who} place {position}{note})")
        }
        EventKind::LeftLine { waiter, why } => {
            let why = match why {
                Leaving::HungUp => "hung_up",
                Leaving::TimedOut => "timed_out",
                Leaving::LostHold => "lost_hold",
                Leaving::LockDeleted => "lock_deleted",
                Leaving::KeyRevoked => "key_revoked",
            };
            let (who, note) = who(waiter);
            format!("left({who} {why}{note})")
        }
        EventKind::Ended { holder, token, cause, by } => {
            let cause = match cause {
                EndCause::Released => "released",
                EndCause::Expired => "expired",
                EndCause::Forced => "forced",
                EndCause::Converted => "converted",
            };
            let (who, note) = who(holder);
            let by = by.as_ref().map(|by| format!(" by={}", by.as_str())).unwrap_or_default();
            format!("{cause}({who}#{token}{by}{note})")
        }
    }
}

/// Reads an `events:` line.
pub(super) fn parse(text: &str) -> Result<Vec<String>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    text.split_inclusive(')')
        .map(str::trim)
        .map(|event| match event.contains('(') && event.ends_with(')') {
            true => Ok(event.to_owned()),
            false => Err(format!("`{event}` is not an event such as created(job)")),
        })
        .collect()
}
