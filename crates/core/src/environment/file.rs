//! How environment files are written, and how they are read.

use std::iter::Peekable;
use std::str::Chars;

use thiserror::Error;

/// What is wrong with an environment file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{line}:{column}: {what}")]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// Reads an environment file.
///
/// - It is UTF-8, with or without a byte order mark. Lines end with LF or CR LF.
/// - A line is `NAME=VALUE`. `export` may stand before it, blanks around the name and before the value. Empty lines, and those that
///   begin with `#`, are nothing. There is no line without `=`.
/// - A name has letters, digits, `_`, `.` and `-`, and does not begin with a digit.
/// - A value without quotes goes to the end of its line, or to a `#` after a blank; blanks around it are not part of it. Backslashes
///   and quotes inside of it mean themselves.
/// - In single quotes everything means itself, new lines too.
/// - In double quotes `\n`, `\r`, `\t`, `\\`, `\"`, `\'` and `\$` mean what they do in C, a backslash at the end of a line joins it with
///   the next, and no other backslash is allowed. New lines mean themselves.
/// - Behind a closing quote there may be a comment and nothing else.
/// - `$` means itself: nothing is replaced, and nothing is run.
///
/// A name that comes twice is given twice; the later one counts.
///
/// # Errors
/// [`ParseError`] at the first thing that is not so.
///
/// # Examples
/// ```
/// use winddown_core::environment::parse;
///
/// let text = "# the database\nexport URL=postgres://db/$USER # no shell\nKEY=\"a\\tb\"\n";
/// let expected = [("URL", "postgres://db/$USER"), ("KEY", "a\tb")];
/// let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
/// assert_eq!(parse(text).unwrap(), expected);
/// assert_eq!(parse("A=1\nB='").unwrap_err().to_string(), "2:3: this quote is not closed");
/// ```
pub fn parse(text: &str) -> Result<Vec<(String, String)>, ParseError> {
    let mut reader = Reader {
        rest: text
            .strip_prefix('\u{feff}')
            .unwrap_or(text)
            .chars()
            .peekable(),
        line: 1,
        column: 1,
    };
    let mut variables = Vec::new();
    loop {
        reader.skip(|c| c.is_whitespace());
        match reader.peek() {
            None => return Ok(variables),
            Some('#') => reader.skip(|c| c != '\n'),
            Some(_) => variables.push((reader.name()?, reader.value()?)),
        }
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    column: usize,
}

impl Reader<'_> {
    fn name(&mut self) -> Result<String, ParseError> {
        let mut name = self.word();
        if name == "export" && matches!(self.peek(), Some(' ' | '\t')) {
            self.skip(is_blank);
            if self.peek() != Some('=') {
                name = self.word();
            }
        }
        if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(self.wrong(
                "a variable's name has letters, digits, `_`, `.` and `-`, and begins with no digit",
            ));
        }
        self.skip(is_blank);
        match self.peek() {
            Some('=') => {
                self.next();
                Ok(name)
            }
            None | Some('\n' | '\r') => Err(self.wrong("there is no `=` in this line")),
            Some(_) => Err(self.wrong("a `=` belongs here, after the variable's name")),
        }
    }

    fn word(&mut self) -> String {
        self.take(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    }

    fn value(&mut self) -> Result<String, ParseError> {
        let after_blank = !self.take(is_blank).is_empty();
        let value = match self.peek() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            _ => return self.plain(after_blank),
        };
        self.skip(is_blank);
        match self.peek() {
            None | Some('\n' | '#') => Ok(value),
            Some('\r') => self.end_of_line().map(|()| value),
            Some(_) => Err(self.wrong("only a comment may follow the closing quote")),
        }
    }

    fn plain(&mut self, mut after_blank: bool) -> Result<String, ParseError> {
        let mut value = String::new();
        while let Some(next) = self.peek() {
            match next {
                '\n' => break,
                '\r' => {
                    self.end_of_line()?;
                    break;
                }
                '#' if after_blank => break,
                '\0' => return Err(self.wrong("a value cannot hold a NUL")),
                _ => value.push(next),
            }
            after_blank = is_blank(next);
            self.next();
        }
        value.truncate(value.trim_end_matches(is_blank).len());
        Ok(value)
    }

    fn quoted(&mut self, quote: char) -> Result<String, ParseError> {
        let open = self.wrong("this quote is not closed");
        self.next();
        let mut value = String::new();
        loop {
            let here = self.wrong("a value cannot hold a NUL");
            match self.next() {
                None => return Err(open),
                Some('\0') => return Err(here),
                Some(next) if next == quote => return Ok(value),
                Some('\r') if self.peek() == Some('\n') => {}
                Some('\\') if quote == '"' => value.extend(self.escaped()?),
                Some(next) => value.push(next),
            }
        }
    }

    /// What a backslash and the next character mean; nothing at the end of a line.
    fn escaped(&mut self) -> Result<Option<char>, ParseError> {
        let meant = match self.peek() {
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some(same @ ('\\' | '"' | '\'' | '$')) => Some(same),
            Some('\n') => None,
            Some('\r') => {
                self.end_of_line()?;
                None
            }
            // The quote is not closed, which says more.
            None => return Ok(None),
            Some(_) => {
                return Err(self.wrong(
                    "this backslash means nothing: write two of them, or single quotes around the value",
                ));
            }
        };
        self.next();
        Ok(meant)
    }

    /// Goes to the LF behind a CR.
    fn end_of_line(&mut self) -> Result<(), ParseError> {
        let here = self.wrong("a carriage return is only allowed at the end of a line");
        self.next();
        match self.peek() {
            None | Some('\n') => Ok(()),
            Some(_) => Err(here),
        }
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(next) = self.rest.next_if(|next| wanted(*next)) {
            self.count(next);
            taken.push(next);
        }
        taken
    }

    fn skip(&mut self, unwanted: impl Fn(char) -> bool) {
        self.take(unwanted);
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        self.count(next);
        Some(next)
    }

    fn count(&mut self, passed: char) {
        if passed == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
    }

    fn wrong(&self, what: &'static str) -> ParseError {
        ParseError {
            line: self.line,
            column: self.column,
            what,
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t')
}
