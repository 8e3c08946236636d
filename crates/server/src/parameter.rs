//! Query parameters: their names, what they take, and how the documentation words them.

/// One query parameter.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// Its second spelling, as clients of the old service know it.
    pub(crate) alias: Option<&'static str>,
    pub(crate) kind: Kind,
    /// As it would be written in a query; `None` if leaving it out means something that no value says.
    pub(crate) default: Option<&'static str>,
    /// Completes "it must be …".
    pub(crate) expects: &'static str,
    pub(crate) description: &'static str,
}

/// What a parameter's value is in JSON's terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Both bounds are included.
    WholeNumber {
        min: u64,
        /// `None` if the bound is a setting, which the table knows.
        max: Option<u64>,
    },
    Boolean,
    Text {
        max_bytes: Option<usize>,
    },
    OneOf(&'static [&'static str]),
}

impl Kind {
    /// Whether a number is within the bounds.
    pub(crate) fn allows(self, number: u64) -> bool {
        match self {
            Self::WholeNumber { min, max } => number >= min && max.is_none_or(|max| number <= max),
            Self::Boolean | Self::Text { .. } | Self::OneOf(_) => true,
        }
    }
}

impl Parameter {
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        [Some(self.name), self.alias].into_iter().flatten()
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }
}

const WORDS_FOR_BOOLEANS: &str = "true, false, 1, 0, yes, no, on or off";

const SECONDS_FROM_ONE: &str = "a whole number of seconds, 1 or more, in digits";

const PERMITS: Kind = Kind::WholeNumber { min: 1, max: Some(u32::MAX as u64) };

const PERMITS_IN_WORDS: &str = "a whole number, 1 to 4294967295, in digits";

/// Longest wait in line that one request may ask for, in seconds (I7).
pub(crate) const MAX_WAIT_SECS: u32 = 300;

/// How long a hold lasts without a refresh.
pub(crate) static TIMEOUT_SECONDS: Parameter = Parameter {
    name: "timeout_seconds",
    alias: Some("timeout"),
    kind: Kind::WholeNumber { min: 1, max: None },
    default: Some("60"),
    expects: SECONDS_FROM_ONE,
    description: "How long the hold lasts without a refresh, in whole seconds from 1.",
};

/// How long all holds of a process last from now.
pub(crate) static TIMEOUT_SECONDS_OF_ALL: Parameter = Parameter {
    default: None,
    description: "How long each hold lasts from now without another refresh, in whole seconds from 1. \
                  Without it, each starts the length anew that it has.",
    ..TIMEOUT_SECONDS
};

/// Losses that the client has heard of.
pub(crate) static ACKNOWLEDGE_LOST: Parameter = Parameter {
    name: "acknowledge_lost",
    alias: None,
    kind: Kind::Text { max_bytes: None },
    default: None,
    expects: "1 to 100 fencing tokens from `lost`, with commas between, such as `17,42`",
    description: "The `fencing_token`s of lost holds that the client has heard of, with commas between: \
                  they are not named again.",
};

/// Whether the holds of a key end with it.
pub(crate) static END_HOLDS: Parameter = Parameter {
    name: "end_holds",
    alias: None,
    kind: Kind::Boolean,
    default: Some("false"),
    expects: WORDS_FOR_BOOLEANS,
    description: "Whether the holds that were acquired with the key end, too, as `forced`. Their holders \
                  are not asked.",
};

/// How long to stand in line.
pub(crate) static WAIT_SECONDS: Parameter = Parameter {
    name: "wait_seconds",
    alias: None,
    kind: Kind::WholeNumber { min: 0, max: Some(MAX_WAIT_SECS as u64) },
    default: Some("0"),
    expects: "a whole number of seconds, 0 to 300, in digits",
    description: "How long to stand in line if the lock cannot be had at once, in whole seconds, 0 to \
                  300. The request stays open meanwhile; a client that hangs up leaves the line.",
};

/// What the holder says about its hold.
pub(crate) static NOTE: Parameter = Parameter {
    name: "note",
    alias: None,
    kind: Kind::Text { max_bytes: Some(256) },
    default: None,
    expects: "at most 256 bytes of UTF-8 without control characters",
    description: "Kept with the hold and shown to whoever looks: `deploy 4711 by CI`. At most 256 bytes.",
};

/// The token that the hold must still have.
pub(crate) static FENCING_TOKEN: Parameter = Parameter {
    name: "fencing_token",
    alias: None,
    kind: Kind::WholeNumber { min: 0, max: Some((1 << 53) - 1) },
    default: None,
    expects: "a fencing token from a grant, in digits",
    description: "Only if the hold still has this token. Otherwise the hold that the caller means is \
                  over, though the process may have another by now: 409 `stale_token`.",
};

/// Whether an acquire makes the lock.
pub(crate) static CREATE_IF_MISSING: Parameter = Parameter {
    name: "create_if_missing",
    alias: None,
    kind: Kind::Boolean,
    default: Some("false"),
    expects: WORDS_FOR_BOOLEANS,
    description: "Whether to make the lock if there is none of that name. `is_exclusive`, `max_writers`, \
                  `max_readers` and `ephemeral` say how, and need `create_if_missing=true`. A lock that \
                  exists is taken as it is if none of them is given; otherwise its kind must be the one \
                  that they describe, or the reply is 409 `lock_differs`.",
};

/// Whether a new lock takes one writer at most.
pub(crate) static IS_EXCLUSIVE: Parameter = Parameter {
    name: "is_exclusive",
    alias: Some("is_write_exclusive"),
    kind: Kind::Boolean,
    default: None,
    expects: WORDS_FOR_BOOLEANS,
    description: "Whether a new lock takes at most one writer at a time, which is the same as \
                  `max_writers=1`. Without either, any number of writers share it.",
};

/// Writers that a new lock takes at a time.
pub(crate) static MAX_WRITERS: Parameter = Parameter {
    name: "max_writers",
    alias: None,
    kind: PERMITS,
    default: None,
    expects: PERMITS_IN_WORDS,
    description: "Writers that a new lock takes at a time: a semaphore with so many permits. Without \
                  it there is no limit of the lock's own.",
};

/// Readers that a new lock takes at a time.
pub(crate) static MAX_READERS: Parameter = Parameter {
    name: "max_readers",
    alias: None,
    kind: PERMITS,
    default: None,
    expects: PERMITS_IN_WORDS,
    description: "Readers that a new lock takes at a time. Without it there is no limit of the lock's \
                  own.",
};

/// Whether a new lock disappears when nobody uses it any more.
pub(crate) static EPHEMERAL: Parameter = Parameter {
    name: "ephemeral",
    alias: None,
    kind: Kind::Boolean,
    default: None,
    expects: WORDS_FOR_BOOLEANS,
    description: "Whether a new lock disappears when its last hold and waiter are gone. Without it, it \
                  stays.",
};

/// Whether to break a lock that is in use.
pub(crate) static FORCE: Parameter = Parameter {
    name: "force",
    alias: None,
    kind: Kind::Boolean,
    default: Some("false"),
    expects: WORDS_FOR_BOOLEANS,
    description: "Whether to end the lock's holds and turn its waiters away first. Needs a key with the \
                  role `admin`.",
};

/// How the names in a list begin.
pub(crate) static PREFIX: Parameter = Parameter {
    name: "prefix",
    alias: None,
    kind: Kind::Text { max_bytes: None },
    default: None,
    expects: "the beginning of a lock's name",
    description: "Only locks whose names begin like this.",
};

/// What the locks in a list are doing.
pub(crate) static STATE: Parameter = Parameter {
    name: "state",
    alias: None,
    kind: Kind::OneOf(&["FREE", "READ", "WRITE"]),
    default: None,
    expects: "FREE, READ or WRITE",
    description: "Only locks in this state.",
};

/// Who holds the locks in a list.
pub(crate) static PROCESS_ID: Parameter = Parameter {
    name: "process_id",
    alias: None,
    kind: Kind::Text { max_bytes: Some(255) },
    default: None,
    expects: "1 to 255 bytes of UTF-8 without control characters, not `.` or `..`",
    description: "Only locks that this process holds.",
};

/// How many locks a list shows.
pub(crate) static LIMIT: Parameter = Parameter {
    name: "limit",
    alias: None,
    kind: Kind::WholeNumber { min: 1, max: Some(1_000) },
    default: Some("100"),
    expects: "a whole number, 1 to 1000, in digits",
    description: "Locks on a page at most, 1 to 1000.",
};

/// How many past holds a history shows.
pub(crate) static LIMIT_OF_HISTORY: Parameter =
    Parameter { description: "Past holds on a page at most, 1 to 1000.", ..LIMIT };

/// Where a page of a history begins.
pub(crate) static CURSOR_OF_HISTORY: Parameter = Parameter {
    description: "The `next_cursor` of the page before. Without it the history begins at the newest.",
    ..CURSOR
};

/// Where a page of a list begins.
pub(crate) static CURSOR: Parameter = Parameter {
    name: "cursor",
    alias: None,
    kind: Kind::Text { max_bytes: None },
    default: None,
    expects: "the `next_cursor` of the page before, as it is",
    description: "The `next_cursor` of the page before. Without it the list begins at the first name.",
};

/// Whether a stream tells of refreshes.
pub(crate) static REFRESHED: Parameter = Parameter {
    name: "refreshed",
    alias: None,
    kind: Kind::Boolean,
    default: Some("false"),
    expects: WORDS_FOR_BOOLEANS,
    description: "Whether to tell of refreshes as well: there are many, and they change nothing about \
                  who holds what.",
};

/// Where a stream resumes, for clients that cannot set the header.
pub(crate) static LAST_EVENT_ID: Parameter = Parameter {
    name: "last_event_id",
    alias: None,
    kind: Kind::Text { max_bytes: None },
    default: None,
    expects: "the `id` of an event",
    description: "The same as the header `Last-Event-ID`, for clients that cannot set headers. If both \
                  are given, the header counts.",
};
