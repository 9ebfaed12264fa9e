//! What is wrong with a definition file, and where.

use std::fmt;

use toml::de::{DeTable, DeValue};
use winddown_core::nearest;

/// What is wrong with a definition file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The key that it is about, from the outermost table on, such as `stop.timeout`.
    pub key: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

impl DefinitionError {
    pub(super) fn new(text: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        let message = error.message().trim();
        let line = message.lines().collect::<Vec<_>>().join(" ");
        Self {
            hint: way_out(message),
            ..Self::at_offset(text, offset, plain(&line))
        }
    }

    /// What is wrong with the value of a key, whose path is given from the outermost table on; where the path ends earlier, with
    /// what is there.
    pub(super) fn at(text: &str, path: &[String], what: String) -> Self {
        let root = DeTable::parse(text).ok();
        let mut offset = 0;
        let mut table = root.as_ref().map(|root| root.get_ref());
        for key in path {
            let found = table.and_then(|table| table.get_key_value(key.as_str()));
            let Some((name, value)) = found else {
                break;
            };
            offset = name.span().start;
            table = value.get_ref().as_table();
        }
        Self::at_offset(text, offset, what)
    }

    pub(super) fn at_offset(text: &str, offset: usize, what: String) -> Self {
        let before = text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            key: DeTable::parse(text)
                .ok()
                .and_then(|root| key_at(root.get_ref(), offset)),
            what,
            hint: None,
        }
    }
}

impl fmt::Display for DefinitionError {
    /// Line, column, key and what is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        match &self.key {
            Some(key) if !self.what.contains(&format!("`{key}`")) => write!(f, "{key}: ")?,
            _ => {}
        }
        f.write_str(&self.what)
    }
}

/// The key that is at `offset`, or whose value is.
fn key_at(table: &DeTable<'_>, offset: usize) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let inner = match value.get_ref() {
            DeValue::Table(inner) => key_at(inner, offset),
            DeValue::Array(items) => items
                .iter()
                .find_map(|item| key_at(item.get_ref().as_table()?, offset)),
            _ => None,
        };
        let name = key.get_ref().replace(char::is_control, " ");
        match inner {
            Some(inner) => Some(format!("{name}.{inner}")),
            None => [key.span(), value.span()]
                .iter()
                .any(|span| span.contains(&offset))
                .then_some(name),
        }
    })
}

/// What the reader expected, in the words of those who write definitions.
fn plain(message: &str) -> String {
    let mismatch = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.split_once(", expected "));
    let Some((found, expected)) = mismatch else {
        return message.to_owned();
    };
    let expected = match expected {
        "a string" | "path string" => "a text in quotes",
        "a sequence" => "a list, such as [\"a\", \"b\"]",
        "a map" => "a table",
        "a boolean" => "true or false",
        "usize" | "u64" | "u32" | "u16" if found.contains('-') => "a whole number of 0 or more",
        "usize" | "u64" | "u32" | "u16" if found.starts_with("integer") => "a smaller number",
        "usize" | "u64" | "u32" | "u16" => "a whole number",
        "any valid TOML value" => "a smaller number",
        other => other,
    };
    format!("expected {expected}, not {}", found.replace(" as i128", ""))
}

/// What to write instead, where that is known.
fn way_out(message: &str) -> Option<String> {
    if message.starts_with("missing field `command`") {
        return Some("name the program: command = [\"PROGRAM\", \"ARGUMENT\"]".to_owned());
    }
    if message.starts_with("unknown field") && message.ends_with("`service`") {
        let own = "what is about one service belongs into its table [service.NAME]";
        return did_you_mean(message).or(Some(own.to_owned()));
    }
    did_you_mean(message)
}

/// The known key that is nearest to the unknown one that `message` is about.
fn did_you_mean(message: &str) -> Option<String> {
    let mut quoted = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let unknown = quoted.next()?;
    nearest(unknown, quoted).map(|known| format!("did you mean `{known}`?"))
}
