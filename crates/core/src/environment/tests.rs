use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use proptest::prelude::*;

use super::*;

fn pairs(text: &str) -> Vec<(String, String)> {
    parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn value(text: &str) -> String {
    let [(name, value)] = pairs(text).try_into().unwrap();
    assert_eq!(name, "A", "{text:?}");
    value
}

#[test]
fn values_are_read_as_the_rules_say() {
    for (text, expected) in [
        ("A=", ""),
        ("A=b", "b"),
        ("\u{feff}A=b\r\n", "b"),
        ("  export\tA = b c \t", "b c"),
        ("A=b # comment", "b"),
        ("A=b#c", "b#c"),
        ("A=#fff", "#fff"),
        ("A= #c", ""),
        ("A=it's \"so\"", "it's \"so\""),
        (r"A=C:\new\dir\", r"C:\new\dir\"),
        ("A=$B ${C} `d` $(e)", "$B ${C} `d` $(e)"),
        ("A=b=c==", "b=c=="),
        ("A='b # $c \\n \"' # comment", "b # $c \\n \""),
        ("A='b\r\nc\nd'\n", "b\nc\nd"),
        (
            r#"A="\n\r\t\\\"\'\$\
x""#,
            "\n\r\t\\\"'$x",
        ),
        ("A=\"b\\\r\nc\r\n\"\r\n", "bc\n"),
        ("A=é中", "é中"),
    ] {
        assert_eq!(value(text), expected, "{text:?}");
    }
}

#[test]
fn lines_are_told_apart() {
    let text = "# one\n\n\tA=1\nexport=2\r\nexport B=3#\n_c.d-E=4\nA=5";
    let expected = [
        ("A", "1"),
        ("export", "2"),
        ("B", "3#"),
        ("_c.d-E", "4"),
        ("A", "5"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(pairs(text), expected);
}

#[test]
fn an_error_names_its_line_and_column() {
    for (text, place, what) in [
        ("A=1\n  B", "2:4", "no `=`"),
        ("export A\nB=1", "1:9", "no `=`"),
        ("=1", "1:1", "name"),
        ("1A=1", "1:3", "name"),
        ("é=1", "1:1", "name"),
        ("; A=1", "1:1", "name"),
        ("A B=1", "1:3", "`=` belongs"),
        ("A='1' 2", "1:7", "comment"),
        ("A='1'2", "1:6", "comment"),
        ("\nA=\"1\n2\n", "2:3", "not closed"),
        ("A='é", "1:3", "not closed"),
        (r#"A="C:\Users""#, "1:7", "single quotes"),
        ("A=1\r2", "1:4", "carriage return"),
        ("A=1\0", "1:4", "NUL"),
        ("A='\0'", "1:4", "NUL"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(
            format!("{}:{}", error.line, error.column),
            place,
            "{text:?}: {error}"
        );
        assert!(error.what.contains(what), "{text:?}: {error}");
    }
}

fn template(text: &str) -> Template {
    text.parse().unwrap()
}

#[test]
fn references_are_replaced_once() {
    let variables = BTreeMap::from([("A", "1"), ("B", "${A} $$"), ("ProgramFiles(x86)", "x")]);
    for (text, expected) in [
        ("", ""),
        ("${A}${B}", "1${A} $$"),
        ("$A $ $1 $", "$A $ $1 $"),
        ("$${A} $$$${A}", "${A} $${A}"),
        ("$$${A}", "$1"),
        ("a}b{c", "a}b{c"),
        ("${ProgramFiles(x86)}", "x"),
    ] {
        let parsed = template(text);
        assert_eq!(
            parsed
                .expand(|name| variables.get(name).map(OsStr::new))
                .unwrap(),
            expected,
            "{text}"
        );
        assert_eq!(
            template(&parsed.to_string()).to_string(),
            parsed.to_string(),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_reference_is_refused() {
    for text in ["${", "${A", "a${A $$"] {
        assert!(
            matches!(text.parse::<Template>(), Err(TemplateError::NotClosed(_))),
            "{text}"
        );
    }
    for text in ["${}", "${A:-b}", "${A B}", "${${A}}"] {
        assert!(
            matches!(text.parse::<Template>(), Err(TemplateError::NoName(_))),
            "{text}"
        );
    }
    let error = "${A:-b}".parse::<Template>().unwrap_err().to_string();
    assert_eq!(
        error,
        "`${A:-b}` names no variable: write ${NAME} without more, or $$ for a dollar sign"
    );
}

/// Any value, in double quotes.
fn quoted(value: &str) -> String {
    let mut text = "\"".to_owned();
    for c in value.chars() {
        match c {
            '\r' => text += "\\r",
            '"' | '\\' | '$' => text.extend(['\\', c]),
            _ => text.push(c),
        }
    }
    text + "\""
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        if let Err(error) = parse(&text) {
            prop_assert!(error.line <= text.matches('\n').count() + 1);
        }
        let _ = text.parse::<Template>();
    }

    #[test]
    fn every_value_can_be_written(
        variables in prop::collection::vec(("[A-Za-z_][A-Za-z0-9_.-]{0,8}", "[^\0]*"), 0..4)
    ) {
        let line = |(name, value): &(String, String)| format!("{name}={} # x\n", quoted(value));
        let text: String = variables.iter().map(line).collect();
        prop_assert_eq!(parse(&text), Ok(variables));
    }

    #[test]
    fn every_text_can_be_a_template(text in any::<String>()) {
        let literal = Template::literal(text.clone());
        let read: Template = literal.to_string().parse().unwrap();
        prop_assert_eq!(read.expand(|_| None), Ok(OsString::from(text)));
    }
}
