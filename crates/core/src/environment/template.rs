//! [`Template`]: a text that refers to variables.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A text that refers to variables, as definitions write it.
///
/// `${NAME}` is the value of a variable, whatever characters that holds: it is never split or read again. `$$` is a dollar sign. A
/// dollar sign before anything else means itself.
///
/// ```
/// use std::ffi::OsStr;
/// use winddown_core::environment::Template;
///
/// let template: Template = "${HOME}/bin costs $5, not $${HOME}".parse().unwrap();
/// let text = template.expand(|name| (name == "HOME").then_some(OsStr::new("/root")));
/// assert_eq!(text.unwrap(), "/root/bin costs $5, not ${HOME}");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(OsString),
    Variable(String),
}

/// A text is no template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// `${` without `}`.
    #[error("`{0}` is not closed: write ${{NAME}}, or $$ for a dollar sign")]
    NotClosed(String),
    /// `${...}` around what is no name: shells know more than one thing to do there.
    #[error("`{0}` names no variable: write ${{NAME}} without more, or $$ for a dollar sign")]
    NoName(String),
}

impl Template {
    /// A text in which nothing is a reference.
    pub fn literal(text: impl Into<OsString>) -> Self {
        Self(vec![Part::Text(text.into())])
    }

    /// The text with its references replaced.
    ///
    /// # Errors
    /// The name of the first variable that `value_of` does not know.
    pub fn expand<'v>(
        &self,
        value_of: impl Fn(&str) -> Option<&'v OsStr>,
    ) -> Result<OsString, &str> {
        let mut text = OsString::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push(part),
                Part::Variable(name) => text.push(value_of(name).ok_or(name.as_str())?),
            }
        }
        Ok(text)
    }

    /// Whether there is nothing in it at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0
            .iter()
            .all(|part| matches!(part, Part::Text(text) if text.is_empty()))
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            literal += &rest[..at];
            let dollar = &rest[at..];
            rest = &dollar[1..];
            if let Some(after) = rest.strip_prefix('$') {
                literal.push('$');
                rest = after;
            } else if let Some(inside) = rest.strip_prefix('{') {
                let Some((name, after)) = inside.split_once('}') else {
                    return Err(TemplateError::NotClosed(dollar.to_owned()));
                };
                if !is_name(name) {
                    return Err(TemplateError::NoName(format!("${{{name}}}")));
                }
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal).into()));
                }
                parts.push(Part::Variable(name.to_owned()));
                rest = after;
            } else {
                literal.push('$');
            }
        }
        literal += rest;
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into()));
        }
        // There are many of them, and none grows any more.
        parts.shrink_to_fit();
        Ok(Self(parts))
    }
}

/// Windows has names such as `ProgramFiles(x86)`.
fn is_name(text: &str) -> bool {
    let known = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '(' | ')');
    !text.is_empty() && text.chars().all(known)
}

impl fmt::Display for Template {
    /// As it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Text(text) => f.write_str(&text.to_string_lossy().replace('$', "$$"))?,
                Part::Variable(name) => write!(f, "${{{name}}}")?,
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "a text; ${NAME} in it is the value of a variable, $$ a dollar sign"
        })
    }
}
