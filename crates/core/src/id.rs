//! Names that callers choose. Each is checked once, where a request is parsed, and trusted inside.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Longest lock or process id, in bytes of UTF-8 after percent-decoding (I7).
pub const MAX_ID_BYTES: usize = 255;

/// Longest namespace name, in bytes (I7).
pub const MAX_NAMESPACE_BYTES: usize = 64;

/// Why a name was refused; the text tells the caller what to change.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// The name has no bytes.
    #[error("is empty; give 1 to {MAX_ID_BYTES} bytes of UTF-8")]
    Empty,
    /// The name is too long.
    #[error("is {0} bytes long; at most {MAX_ID_BYTES} bytes of UTF-8 are allowed")]
    TooLong(usize),
    /// The name has a control character (Unicode category Cc).
    #[error("contains the control character U+{0:04X}; control characters are not allowed")]
    ControlCharacter(u32),
    /// The name has a character that hides, reorders or breaks the text around it ([`is_hidden`]).
    #[error(
        "contains the character U+{0:04X}; characters that hide, reorder or break text are not allowed"
    )]
    HiddenCharacter(u32),
    /// The name is `.` or `..`, which clients and proxies rewrite in a path.
    #[error("is `.` or `..`, which clients and proxies rewrite in a path; choose another name")]
    DotSegment,
    /// A note is too long.
    #[error("is {0} bytes long; at most {MAX_NOTE_BYTES} bytes of UTF-8 are allowed")]
    NoteTooLong(usize),
    /// A namespace is not a slug.
    #[error(
        "must be 1 to {MAX_NAMESPACE_BYTES} letters, digits, `-`, `_` or `.`, starting with a letter or digit"
    )]
    NotASlug,
}

/// Whether a character makes a text look like another one: it changes the direction of writing, has no
/// width, or begins a line. Two names that look the same are then not, and a log line can lie.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn refuse_hidden(text: &str) -> Result<(), IdError> {
    match text.chars().find(|c| is_hidden(*c)) {
        Some(hidden) => Err(IdError::HiddenCharacter(u32::from(hidden))),
        None => Ok(()),
    }
}

fn check_id(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong(text.len()));
    }
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        return Err(IdError::ControlCharacter(u32::from(control)));
    }
    if text == "." || text == ".." {
        return Err(IdError::DotSegment);
    }
    Ok(())
}

fn check_slug(text: &str) -> Result<(), IdError> {
    let starts_well = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if starts_well && text.len() <= MAX_NAMESPACE_BYTES && text.chars().all(allowed) {
        Ok(())
    } else {
        Err(IdError::NotASlug)
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks a name and takes it.
            ///
            /// # Errors
            /// [`IdError`] says what is wrong with it.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let name = Self::parse_stored(text)?;
                refuse_hidden(text)?;
                Ok(name)
            }

            /// The same for a name that was accepted once: earlier versions took hidden characters.
            ///
            /// # Errors
            /// [`IdError`] says why no version can have accepted it.
            pub fn parse_stored(text: &str) -> Result<Self, IdError> {
                $check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name! {
    /// A lock's name within its namespace: 1 to 255 bytes of UTF-8, no control characters, not `.` or `..`.
    LockId, check_id
}

name! {
    /// A process's name within its namespace: same rules as [`LockId`].
    ProcessId, check_id
}

name! {
    /// The room that a key opens: locks of two namespaces never meet.
    Namespace, check_slug
}

impl Default for Namespace {
    /// The namespace `default`, whose admins are the operators of the whole service.
    fn default() -> Self {
        Self(Arc::from("default"))
    }
}

name! {
    /// The public half of an API key: names the key in lists and revocations, opens nothing.
    KeyId, check_slug
}

impl KeyId {
    /// Stands for the key in the settings of the service, which no store knows.
    #[must_use]
    pub fn of_settings() -> Self {
        Self(Arc::from("LEASEHOLD_API_KEY"))
    }
}

/// Longest note on a hold, in bytes (I7).
pub const MAX_NOTE_BYTES: usize = 256;

fn check_note(text: &str) -> Result<(), IdError> {
    if text.len() > MAX_NOTE_BYTES {
        return Err(IdError::NoteTooLong(text.len()));
    }
    match text.chars().find(|c| c.is_control()) {
        Some(control) => Err(IdError::ControlCharacter(u32::from(control))),
        None => Ok(()),
    }
}

name! {
    /// What a holder says about its hold, for people: at most 256 bytes, no control characters.
    Note, check_note
}

name! {
    /// Marks a request that may be sent twice: same rules as [`LockId`].
    IdempotencyKey, check_id
}

/// The UUID that a lock gets when it is created; a name that is used again gets a new one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LockUid(pub [u8; 16]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i7_ids_are_bounded_and_printable() {
        assert_eq!(LockId::parse(""), Err(IdError::Empty));
        assert_eq!(LockId::parse(&"a".repeat(256)), Err(IdError::TooLong(256)));
        assert!(LockId::parse(&"a".repeat(255)).is_ok());
        assert_eq!(LockId::parse("a\nb"), Err(IdError::ControlCharacter(10)));
        assert_eq!(LockId::parse("a\u{85}b"), Err(IdError::ControlCharacter(0x85)));
        assert_eq!(LockId::parse("."), Err(IdError::DotSegment));
        assert_eq!(LockId::parse(".."), Err(IdError::DotSegment));
        // Names that look alike, and lines that lie: bidi overrides, zero width, line separators.
        for hidden in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{2028}', '\u{e0041}'] {
            let text = format!("a{hidden}b");
            let refused = Err(IdError::HiddenCharacter(u32::from(hidden)));
            assert_eq!(LockId::parse(&text), refused);
            assert_eq!(Note::parse(&text).map(drop), refused.map(drop));
            assert!(LockId::parse_stored(&text).is_ok(), "what is stored stays readable");
        }
        for fine in ["...", "a/b", "deploy prod", "Schloß", "鍵", "100%"] {
            assert_eq!(LockId::parse(fine).unwrap().as_str(), fine);
        }
    }

    #[test]
    fn i7_namespaces_are_slugs() {
        for fine in ["default", "team-1", "a.b_c", "7"] {
            assert!(Namespace::parse(fine).is_ok(), "{fine}");
        }
        for bad in ["", "-a", ".a", "a/b", "ä", &"a".repeat(65)] {
            assert_eq!(Namespace::parse(bad), Err(IdError::NotASlug), "{bad}");
        }
    }
}
