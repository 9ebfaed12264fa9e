//! Values that a definition writes as text.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use winddown_core::{format_duration, parse_duration};

/// The most bytes of a service's name: every one may become three in the name of a file.
const LONGEST_NAME: usize = 80;

/// A name for a service: of 1 to 80 bytes, without control characters.
///
/// # Errors
/// What is wrong with it, and the way out.
pub fn service_name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("the name is empty: give it one, or leave it out".to_owned());
    }
    if text.contains(char::is_control) {
        return Err(format!(
            "{text:?} holds control characters, which no name can: leave them out"
        ));
    }
    if text.len() > LONGEST_NAME {
        let length = text.len();
        return Err(format!(
            "a name of {length} bytes is too long: use at most {LONGEST_NAME}"
        ));
    }
    Ok(text.to_owned())
}

/// As [`service_name`], in a definition.
pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    service_name(&text).map(Some).map_err(D::Error::custom)
}

/// Reads a quantity, which is a text with a unit. `example` is a bare number with the unit that was probably meant.
pub(super) fn quantity<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    unit: &'static str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct Quantity<F>(&'static str, F);

    impl<F> Quantity<F> {
        fn bare<E: Error>(&self, number: impl fmt::Display) -> E {
            let unit = self.0;
            E::custom(format!(
                "`{number}` has no unit: write \"{number}{unit}\", or another unit"
            ))
        }
    }

    impl<T, F: Fn(&str) -> Result<T, String>> Visitor<'_> for Quantity<F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a text such as \"30{}\"", self.0)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).map_err(E::custom)
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
            // A negative one is refused for what it is.
            (self.1)(&number.to_string()).map_err(|why| match number {
                0.. => self.bare(number),
                _ => E::custom(why),
            })
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
            Err(self.bare(number))
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
            Err(self.bare(number))
        }
    }

    deserializer.deserialize_any(Quantity(unit, parse))
}

/// A duration as text: `500ms`, `30s`, `2m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationText(pub(crate) Duration);

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parse = |text: &str| parse_duration(text).map_err(|error| error.to_string());
        quantity(deserializer, "s", parse).map(Self)
    }
}

impl Serialize for DurationText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_duration(self.0))
    }
}

impl JsonSchema for DurationText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a number and ms, s, m, h or d",
            "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)\s*$|^\s*0\s*$"
        })
    }
}
