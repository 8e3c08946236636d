//! Text of others on a terminal: what would move the cursor, hide text or reorder it is shown as its code.

use std::borrow::Cow;

use leasehold_core::is_hidden;

/// The text as it can be printed. Ends of lines stay.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_harmful = |c: char| (c.is_control() && c != '\n') || is_hidden(c);
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_move_the_cursor_or_hide_text_is_shown_as_its_code() {
        assert_eq!(printable("Schloß, 鍵\n"), "Schloß, 鍵\n");
        assert_eq!(printable("a\u{1b}[2J\u{202e}b\r"), "a\\u{1b}[2J\\u{202e}b\\u{d}");
    }
}
