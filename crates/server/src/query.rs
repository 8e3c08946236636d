//! The parameters of a request, from its query and its body, taken strictly: a typo must not become a
//! default.

use std::borrow::Cow;

use leasehold_core::TimeoutSecs;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::error_code::ErrorCode;
use crate::json_object::Members;
use crate::parameter::{Kind, Parameter, TIMEOUT_SECONDS};
use crate::problem::Problem;

/// The parameter that carries a key where headers cannot be set; allowed in every call.
const KEY: &str = "key";

/// How much of a caller's own text is repeated in a refusal, in characters. Less than half of a key.
const ECHO_CHARS: usize = 40;

/// Longest unknown name that is compared with the known ones, in bytes: past twice the longest known one,
/// none is near.
const MAX_COMPARED_BYTES: usize = 40;

/// The parameters of one request, decoded.
pub(crate) struct Query<'r> {
    pairs: Vec<(Cow<'r, str>, Cow<'r, str>)>,
    /// How many of them stand in the query; the others come from the body.
    query_len: usize,
}

impl<'r> Query<'r> {
    /// Refuses what has more than one reading: escapes that are malformed or not UTF-8.
    pub(crate) fn parse(text: Option<&'r str>) -> Result<Self, Problem> {
        let refuse = |reason| Err(Problem::new(ErrorCode::InvalidParameter, reason));
        if let Some(encoded) = text.filter(|text| text.contains('%')) {
            if !has_whole_escapes(encoded) {
                return refuse("the query has a `%` that does not begin an escape; write it `%25`");
            }
            if percent_decode_str(encoded).decode_utf8().is_err() {
                return refuse("the query is not UTF-8 after percent-decoding");
            }
        }
        let pairs: Vec<_> = pairs(text).collect();
        Ok(Self { query_len: pairs.len(), pairs })
    }

    /// Adds parameters from a body. `null` stands for one that is left out.
    pub(crate) fn add_members(
        &mut self,
        members: Members,
        allowed: &[&Parameter],
    ) -> Result<(), Problem> {
        for (name, value) in members.0 {
            let known = allowed.iter().find(|parameter| parameter.is_named(&name));
            let parameter = known.ok_or_else(|| unknown(&name, allowed, None))?;
            let Some(text) = text_of(&name, value, parameter)? else { continue };
            let same = |other: &str| parameter.is_named(other);
            if let Some(at) = self.pairs.iter().position(|(other, _)| same(other)) {
                let (earlier, _) = &self.pairs[at];
                return Err(if at < self.query_len {
                    in_two_places(earlier, &name)
                } else {
                    twice(earlier, &name)
                });
            }
            self.pairs.push((Cow::Owned(name), Cow::Owned(text)));
        }
        Ok(())
    }

    /// Refuses what the call does not take, and what it is given twice under any of its names.
    pub(crate) fn check(&self, allowed: &[&Parameter]) -> Result<(), Problem> {
        for (at, (name, _)) in self.pairs.iter().enumerate() {
            let known = allowed.iter().find(|parameter| parameter.is_named(name));
            if known.is_none() && name != KEY {
                return Err(unknown(name, allowed, Some(KEY)));
            }
            let same = |other: &str| known.map_or(other == KEY, |known| known.is_named(other));
            if let Some((earlier, _)) = self.pairs[..at].iter().find(|(other, _)| same(other)) {
                return Err(twice(earlier, name));
            }
        }
        Ok(())
    }

    /// How long a hold is to last.
    pub(crate) fn timeout(&self) -> Result<TimeoutSecs, Problem> {
        present(&TIMEOUT_SECONDS, self.optional_timeout(&TIMEOUT_SECONDS)?)
    }

    /// Yes or no, of a parameter that has a default.
    pub(crate) fn flag(&self, parameter: &Parameter) -> Result<bool, Problem> {
        present(parameter, self.boolean(parameter)?)
    }

    /// How long holds are to last, if the caller says so.
    pub(crate) fn optional_timeout(
        &self,
        parameter: &Parameter,
    ) -> Result<Option<TimeoutSecs>, Problem> {
        let secs = self.number(parameter)?;
        // Too long a number is not malformed: the table refuses it and names its longest.
        Ok(secs.and_then(|secs| TimeoutSecs::new(u32::try_from(secs).unwrap_or(u32::MAX))))
    }

    /// A whole number within the parameter's bounds; its default, or `None`, if it is not given.
    pub(crate) fn number(&self, parameter: &Parameter) -> Result<Option<u64>, Problem> {
        self.parsed(parameter, |value| {
            let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            // A number past u64 is digits all the same, and past every bound.
            let number = digits.then(|| value.parse().unwrap_or(u64::MAX))?;
            parameter.kind.allows(number).then_some(number)
        })
    }

    /// Yes or no; the parameter's default, or `None`, if it is not given.
    pub(crate) fn boolean(&self, parameter: &Parameter) -> Result<Option<bool>, Problem> {
        self.parsed(parameter, |value| {
            let is_one_of =
                |words: [&str; 4]| words.iter().any(|word| word.eq_ignore_ascii_case(value));
            if is_one_of(["true", "1", "yes", "on"]) {
                Some(true)
            } else if is_one_of(["false", "0", "no", "off"]) {
                Some(false)
            } else {
                None
            }
        })
    }

    /// Whatever `parse` makes of the value; its default, or `None`, if it is not given.
    pub(crate) fn parsed<T>(
        &self,
        parameter: &Parameter,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let given = self.find(|name| parameter.is_named(name));
        let default = || Some((parameter.name, parameter.default?));
        let Some((name, value)) = given.or_else(default) else { return Ok(None) };
        parse(value).map(Some).ok_or_else(|| invalid(name, value, parameter))
    }

    fn find(&self, wanted: impl Fn(&str) -> bool) -> Option<(&str, &str)> {
        let found = self.pairs.iter().find(|(name, _)| wanted(name));
        found.map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

/// Whether each `%` begins an escape of two hexadecimal digits.
pub(crate) fn has_whole_escapes(encoded: &str) -> bool {
    encoded
        .split('%')
        .skip(1)
        .all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|digit| digit.is_ascii_hexdigit()))
}

/// The API key in a query string, if it came this way.
pub(crate) fn key(text: Option<&str>) -> Option<Cow<'_, str>> {
    pairs(text).find(|(name, _)| name == KEY).map(|(_, value)| value)
}

fn pairs(text: Option<&str>) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(text.unwrap_or_default().as_bytes())
}

/// The value of a parameter that has a default.
pub(crate) fn present<T>(parameter: &Parameter, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| {
        let reason = format!("`{}` is missing; it must be {}", parameter.name, parameter.expects);
        Problem::new(ErrorCode::InvalidParameter, &reason)
    })
}

fn invalid(name: &str, value: &str, parameter: &Parameter) -> Problem {
    let reason = format!("`{name}` is {:?}; it must be {}", shortened(value), parameter.expects);
    Problem::new(ErrorCode::InvalidParameter, &reason)
}

fn twice(earlier: &str, name: &str) -> Problem {
    let reason = if earlier == name {
        format!("`{name}` is given twice")
    } else {
        format!("`{earlier}` and `{name}` are two names of one parameter and both are given")
    };
    Problem::new(ErrorCode::DuplicateParameter, &reason)
}

fn in_two_places(in_query: &str, in_body: &str) -> Problem {
    let reason = if in_query == in_body {
        format!("`{in_query}` stands in the query and in the body")
    } else {
        format!(
            "`{in_query}` in the query and `{in_body}` in the body are two names of one parameter"
        )
    };
    Problem::new(ErrorCode::DuplicateParameter, &reason)
}

/// What a member of a body would be in a query; `None` for `null`.
fn text_of(name: &str, value: Value, parameter: &Parameter) -> Result<Option<String>, Problem> {
    match (parameter.kind, value) {
        (_, Value::Null) => Ok(None),
        (Kind::WholeNumber { .. }, Value::Number(number)) if number.is_u64() => {
            Ok(Some(number.to_string()))
        }
        (Kind::Boolean, Value::Bool(value)) => Ok(Some(value.to_string())),
        (Kind::Text { .. } | Kind::OneOf(_), Value::String(text)) => Ok(Some(text)),
        (_, value) => Err(wrong_type(name, &value, parameter)),
    }
}

fn wrong_type(name: &str, value: &Value, parameter: &Parameter) -> Problem {
    let given = shown(value);
    let wanted = match parameter.kind {
        Kind::WholeNumber { .. } => "a JSON number",
        Kind::Boolean => "a JSON boolean, true or false, without quotes",
        Kind::Text { .. } | Kind::OneOf(_) => "a JSON string",
    };
    let expects = match parameter.kind {
        Kind::Boolean => String::new(),
        Kind::WholeNumber { .. } | Kind::Text { .. } | Kind::OneOf(_) => {
            format!(": {}", parameter.expects)
        }
    };
    let reason = format!("`{name}` in the body is {given}; it must be {wanted}{expects}");
    Problem::new(ErrorCode::InvalidParameter, &reason)
}

/// `key` is the name under which a query may carry the API key.
fn unknown(name: &str, allowed: &[&Parameter], key: Option<&'static str>) -> Problem {
    let names: Vec<&str> = allowed.iter().flat_map(|p| p.names()).chain(key).collect();
    // The distance to a name costs as much as the two are long.
    let is_comparable = name.len() <= MAX_COMPARED_BYTES;
    let nearest = names
        .iter()
        .filter(|_| is_comparable)
        .map(|known| (strsim::normalized_damerau_levenshtein(known, name), known))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = nearest.map(|(_, known)| format!("did you mean `{known}`? ")).unwrap_or_default();
    let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let list = if list.is_empty() { "no parameters".to_owned() } else { list };
    let reason =
        format!("there is no parameter {:?} here: {hint}this call takes {list}", shortened(name));
    Problem::new(ErrorCode::UnknownParameter, &reason)
}

/// A value of a caller, as a refusal words it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("the string {:?}", shortened(text)),
    }
}

/// As much of a caller's text as a refusal repeats.
pub(crate) fn shortened(text: &str) -> Cow<'_, str> {
    shortened_to(ECHO_CHARS, text)
}

/// The first characters of a text, with a mark if there are more.
pub(crate) fn shortened_to(max_chars: usize, text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
