//! One command line out of an argument list, in the quoting that `CommandLineToArgvW` and the C runtime undo.
//!
//! Source: <https://learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments>.

use std::ffi::OsStr;
use std::os::windows::ffi::OsStrExt;

const QUOTE: u16 = b'"' as u16;
const BACKSLASH: u16 = b'\\' as u16;
const SPACE: u16 = b' ' as u16;

/// The command line of `program` with `arguments`, without a closing zero; `None` where one of them cannot be written:
/// it contains a zero, or the program's path a quote.
pub(crate) fn join(program: &OsStr, arguments: &[impl AsRef<OsStr>]) -> Option<Vec<u16>> {
    let program: Vec<u16> = program.encode_wide().collect();
    if program.contains(&0) || program.contains(&QUOTE) {
        return None;
    }
    // Always quoted: an unquoted path with spaces lets `C:\Program.exe` run in its place.
    let mut line = vec![QUOTE];
    line.extend(program);
    line.push(QUOTE);
    for argument in arguments {
        let argument: Vec<u16> = argument.as_ref().encode_wide().collect();
        if argument.contains(&0) {
            return None;
        }
        line.push(SPACE);
        append(&mut line, &argument);
    }
    Some(line)
}

fn append(line: &mut Vec<u16>, argument: &[u16]) {
    let plain = |unit: &u16| {
        !matches!(
            char::from_u32(u32::from(*unit)),
            Some('"' | ' ' | '\t' | '\n' | '\u{b}')
        )
    };
    if !argument.is_empty() && argument.iter().all(plain) {
        line.extend(argument);
        return;
    }
    line.push(QUOTE);
    let mut backslashes = 0;
    for &unit in argument {
        match unit {
            BACKSLASH => backslashes += 1,
            // Backslashes count as escapes only in front of a quote: each of them is doubled there.
            QUOTE => {
                line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        line.push(unit);
    }
    line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
    line.push(QUOTE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::os::windows::ffi::OsStringExt;

    #[test]
    fn arguments_are_quoted_where_they_must_be() {
        for (argument, written) in [
            ("plain", "plain"),
            ("", r#""""#),
            ("two words", r#""two words""#),
            (r"C:\path\", r"C:\path\"),
            (r"C:\my path\", r#""C:\my path\\""#),
            (r#"say "hi""#, r#""say \"hi\"""#),
            (r#"\""#, r#""\\\"""#),
            ("é中", "é中"),
        ] {
            let line = join(OsStr::new(r"C:\a b\p.exe"), &[argument]).unwrap();
            let expected = format!(r#""C:\a b\p.exe" {written}"#);
            assert_eq!(OsString::from_wide(&line), OsString::from(expected));
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        assert_eq!(join(OsStr::new("a\"b"), &[""; 0]), None);
        assert_eq!(join(OsStr::new("a"), &["b\0c"]), None);
    }
}
