//! Members of JSON objects. `null` is a member that is left out, and what is wrong is said in terms of JSON.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::json_object::Object;
use crate::query::{shortened, shown};

/// A whole number that may be left out.
pub(super) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    whole_number(from, 0)
}

/// The same from 1.
pub(super) fn positive<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    whole_number(from, 1)
}

fn whole_number<'de, D: Deserializer<'de>>(from: D, min: u32) -> Result<Option<u32>, D::Error> {
    let Some(value) = given(from)? else { return Ok(None) };
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    match number {
        Some(number) if number >= min => Ok(Some(number)),
        Some(_) | None => Err(mismatch(&value, &format!("a whole number, {min} to {}", u32::MAX))),
    }
}

/// A boolean that may be left out.
pub(super) fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    let Some(value) = given(from)? else { return Ok(None) };
    value.as_bool().map(Some).ok_or_else(|| mismatch(&value, "true or false"))
}

/// A text that may be left out.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match given(from)? {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(mismatch(&other, "a string")),
    }
}

/// A text that must be there.
pub(super) fn needed_text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    text(from)?.ok_or_else(missing)
}

/// One of a few words, which must be there.
pub(super) fn word<'de, T: Copy, D: Deserializer<'de>>(
    from: D,
    words: &[(&str, T)],
) -> Result<T, D::Error> {
    let value = given(from)?.ok_or_else(missing)?;
    let found = words.iter().find(|(word, _)| value.as_str() == Some(word));
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        mismatch(&value, &words.join(" or "))
    })
}

/// An array of objects, which must be there.
pub(super) fn objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    from.deserialize_seq(ObjectsVisitor(PhantomData))
}

fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok((!value.is_null()).then_some(value))
}

fn mismatch<E: Error>(value: &Value, wanted: &str) -> E {
    E::custom(format!("{} is not {wanted}", shown(value)))
}

fn missing<E: Error>() -> E {
    E::custom("`null` stands for a member that is left out, and this one is needed")
}

struct ObjectsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectsVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of JSON objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut objects = Vec::new();
        while let Some(Object(object)) = items.next_element()? {
            objects.push(object);
        }
        Ok(objects)
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Vec<T>, A::Error> {
        Err(A::Error::custom("an object stands where an array must be"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        Err(E::custom(format!("the string {:?} is not an array", shortened(text))))
    }
}
