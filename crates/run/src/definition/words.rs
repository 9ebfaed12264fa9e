//! What holds for every text of a definition, whatever it is for (WD-160).

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::DefinitionError;

/// Where an empty text says something: as an argument, as a variable's value, as words for people.
const MAY_BE_EMPTY: [&str; 4] = ["command", "exec", "environment", "description"];

/// Refuses texts that no system takes, and empty ones where something must be named.
pub(super) fn check(text: &str) -> Result<(), DefinitionError> {
    let refuse = |(offset, what)| Err(DefinitionError::at_offset(text, offset, what));
    // One that is no TOML is refused with better words.
    DeTable::parse(text).map_or(Ok(()), |root| table(root.get_ref(), false).or_else(refuse))
}

/// Where something is wrong, and what.
type Wrong = (usize, String);

fn table(table: &DeTable<'_>, may_be_empty: bool) -> Result<(), Wrong> {
    for (key, inner) in table {
        whole(key.span().start, key.get_ref())?;
        let may_be_empty = may_be_empty || MAY_BE_EMPTY.contains(&&**key.get_ref());
        value(inner, may_be_empty)?;
    }
    Ok(())
}

fn value(inner: &Spanned<DeValue<'_>>, may_be_empty: bool) -> Result<(), Wrong> {
    match inner.get_ref() {
        DeValue::String(text) => {
            let at = inner.span().start;
            whole(at, text)?;
            match text.trim().is_empty() && !may_be_empty {
                true => Err((
                    at,
                    "it is empty: say what it is, or leave it out".to_owned(),
                )),
                false => Ok(()),
            }
        }
        DeValue::Array(items) => items.iter().try_for_each(|item| value(item, may_be_empty)),
        DeValue::Table(inner) => table(inner, may_be_empty),
        _ => Ok(()),
    }
}

/// Systems take a text to end at its first NUL.
fn whole(at: usize, text: &str) -> Result<(), Wrong> {
    match text.contains('\0') {
        true => Err((
            at,
            format!("{text:?} holds a NUL, which no system takes: leave it out"),
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::definition::tests::parse;

    #[test]
    fn wd_160_no_text_holds_a_nul_or_is_empty_where_it_must_name_something() {
        for (keys, line, column, what) in [
            (
                r#"description = "a\u0000b""#,
                2,
                15,
                r#""a\0b" holds a NUL"#,
            ),
            (r#"environment = { A = "\u0000" }"#, 2, 21, "holds a NUL"),
            (r#"environment = { "A\u0000" = "" }"#, 2, 15, "cannot be"),
            (r#"directory = "a\u0000""#, 2, 13, "holds a NUL"),
            (
                r#"ready = { exec = ["a", "\u0000"] }"#,
                2,
                24,
                "holds a NUL",
            ),
            (
                "[stop]\nladder = [{ command = [\"a\\u0000\"] }]",
                3,
                24,
                "holds a NUL",
            ),
            ("directory = \"\"", 2, 13, "it is empty"),
            ("user = \" \"", 2, 8, "it is empty"),
            ("groups = [\"a\", \"\"]", 2, 16, "it is empty"),
            ("environment-files = [\"\"]", 2, 22, "is empty"),
            ("stdin = \"\"", 2, 9, "it is empty"),
            ("control = \"\"", 2, 11, "it is empty"),
            ("[logs]\nfile = \"\"", 3, 8, "it is empty"),
            ("[ready]\nfile = \"\"", 3, 8, "it is empty"),
        ] {
            let error = parse(&format!("command = [\"a\"]\n{keys}")).unwrap_err();
            assert!(error.what.contains(what), "{keys}: {error:?}");
            assert_eq!((error.line, error.column), (line, column), "{keys}");
        }
        let text = "command = ['a', '']\nenvironment = { A = '' }\ndescription = ''";
        assert!(parse(text).is_ok());
    }
}
