//! The name of an event, by which followers resume.

use std::fmt;

/// Names one event, and everything before it: `{term}-{number}`, as in `7-4711`. Terms of leadership
/// only grow, over restarts too, and numbers grow within a term; so ids never repeat and never go back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct EventId {
    /// The epoch of the term that published it.
    pub term: u64,
    /// Counts the term's events from 1; 0 is before the first.
    pub number: u64,
}

impl EventId {
    /// Reads what [`fmt::Display`] wrote; `None` if the text is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (term, number) = text.split_once('-')?;
        let digits = |part: &str| {
            let is_plain = part.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| part.parse().ok()).flatten()
        };
        Some(Self { term: digits(term)?, number: digits(number)? })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.term, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_and_nothing_else_is_an_id() {
        let id = EventId { term: 7, number: 4_711 };
        assert_eq!(id.to_string(), "7-4711");
        assert_eq!(EventId::parse("7-4711"), Some(id));
        for bad in ["", "7", "7-", "-1", "7-+1", "7-1-1", "a-1", " 7-1", "7-99999999999999999999"] {
            assert_eq!(EventId::parse(bad), None, "{bad:?}");
        }
    }
}
