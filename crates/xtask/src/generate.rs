//! The documents that are made from the code.
//!
//! A test of the command's crate makes them: it knows all that they show, and so a stale one is a failed test.

use crate::command::Cmd;
use crate::error::Error;

/// Writes the documents, or only compares them.
pub(crate) fn documents(check: bool) -> Result<(), Error> {
    let test = Cmd::cargo().args([
        "test",
        "--quiet",
        "--package=winddown-cli",
        "--bin=winddown",
        "generated_documents_are_up_to_date",
    ]);
    let test = match check {
        true => test,
        false => test.env("WINDDOWN_GENERATE", "1"),
    };
    test.run()?.0
}
