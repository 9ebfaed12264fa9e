//! How the settings of a program are written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use winddown_sys::process::{Capability, Limit, Resource};

/// A whole number from `LOW` to `HIGH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ranged<const LOW: i32, const HIGH: i32>(pub(super) i32);

impl<'de, const LOW: i32, const HIGH: i32> Deserialize<'de> for Ranged<LOW, HIGH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        match i32::try_from(number) {
            Ok(number) if (LOW..=HIGH).contains(&number) => Ok(Self(number)),
            _ => {
                let expected = format!("a number from {LOW} to {HIGH}");
                Err(D::Error::invalid_value(
                    Unexpected::Signed(number),
                    &expected.as_str(),
                ))
            }
        }
    }
}

impl<const LOW: i32, const HIGH: i32> JsonSchema for Ranged<LOW, HIGH> {
    fn schema_name() -> Cow<'static, str> {
        format!("Number{LOW}to{HIGH}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": LOW, "maximum": HIGH })
    }
}

/// The permissions that new files do not get, as octal text: `"027"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Umask(pub(super) u32);

impl<'de> Deserialize<'de> for Umask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match u32::from_str_radix(&text, 8) {
            Ok(mask) if mask <= 0o777 && !text.starts_with('+') => Ok(Self(mask)),
            _ => Err(D::Error::custom(format!(
                "`{text}` is no umask: write octal digits, such as \"027\""
            ))),
        }
    }
}

impl Serialize for Umask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:03o}", self.0))
    }
}

impl JsonSchema for Umask {
    fn schema_name() -> Cow<'static, str> {
        "Umask".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "octal digits", "pattern": "^0*[0-7]{1,3}$" })
    }
}

/// Numbers of processors, as `cpuset(7)` lists them: `"0-3,8"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processors(pub(super) Vec<usize>);

impl Processors {
    /// One more than the highest number that a list may have.
    const END: usize = 1024;

    fn parse(text: &str) -> Option<Vec<usize>> {
        let mut numbers = Vec::new();
        for range in text.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (usize, usize) =
                (first.trim().parse().ok()?, last.trim().parse().ok()?);
            if first > last || last >= Self::END {
                return None;
            }
            numbers.extend(first..=last);
        }
        Some(numbers)
    }
}

impl<'de> Deserialize<'de> for Processors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "`{text}` is no list of processors: write numbers from 0 to 1023 and ranges of them, such as \"0-3,8\""
            ))
        })
    }
}

impl Serialize for Processors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let numbers: Vec<String> = self.0.iter().map(usize::to_string).collect();
        serializer.serialize_str(&numbers.join(","))
    }
}

impl JsonSchema for Processors {
    fn schema_name() -> Cow<'static, str> {
        "Processors".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "numbers of processors and ranges of them: 0-3,8",
            "pattern": r"^\s*[0-9]+\s*(-\s*[0-9]+\s*)?(,\s*[0-9]+\s*(-\s*[0-9]+\s*)?)*$"
        })
    }
}

/// Limits of resources by the names of `setrlimit(2)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits(pub(super) BTreeMap<Resource, Limit>);

/// A limit as it is written.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a limit is a number or a text such as \"1024:4096\" or \"infinity\""
)]
enum RawLimit {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Limits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = BTreeMap::<String, RawLimit>::deserialize(deserializer)?;
        let mut limits = BTreeMap::new();
        for (name, limit) in raw {
            let resource = name.parse().map_err(D::Error::custom)?;
            let text = match limit {
                RawLimit::Number(number) => number.to_string(),
                RawLimit::Text(text) => text,
            };
            limits.insert(resource, text.parse().map_err(D::Error::custom)?);
        }
        Ok(Self(limits))
    }
}

impl Serialize for Limits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = self.0.iter();
        serializer
            .collect_map(written.map(|(resource, limit)| (resource.name(), limit.to_string())))
    }
}

impl JsonSchema for Limits {
    fn schema_name() -> Cow<'static, str> {
        "Limits".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "a number, `infinity`, or both bounds as soft:hard",
            "propertyNames": { "enum": Resource::ALL.map(Resource::name) },
            "additionalProperties": {
                "anyOf": [
                    { "type": "integer", "minimum": 0 },
                    { "type": "string", "pattern": "^([0-9]+|infinity)(:([0-9]+|infinity))?$" }
                ]
            }
        })
    }
}

/// The name of a capability, such as `net_bind_service`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapabilityName(pub(super) Capability);

impl<'de> Deserialize<'de> for CapabilityName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

impl Serialize for CapabilityName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for CapabilityName {
    fn schema_name() -> Cow<'static, str> {
        "Capability".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "a name of capabilities(7)" })
    }
}
