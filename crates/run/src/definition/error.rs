//! What is wrong with a definition file, and where.

use toml::de::DeTable;

/// What is wrong with a definition file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

impl DefinitionError {
    pub(super) fn new(text: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        let message = error.message().trim();
        Self {
            hint: did_you_mean(message),
            ..Self::at_offset(text, offset, message.lines().collect::<Vec<_>>().join(" "))
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

    fn at_offset(text: &str, offset: usize, what: String) -> Self {
        let before = text.get(..offset).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            what,
            hint: None,
        }
    }
}

/// The known key that is nearest to the unknown one that `message` is about.
fn did_you_mean(message: &str) -> Option<String> {
    let mut quoted = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let unknown = quoted.next()?;
    let nearest = quoted.map(|known| (strsim::jaro_winkler(unknown, known), known));
    let (likeness, known) = nearest.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness > 0.75).then(|| format!("did you mean `{known}`?"))
}
