//! `winddown check`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use winddown_core::{exit, utf8};
use winddown_run::Definition;

use crate::args::{CheckArgs, Output};
use crate::output::{Problem, print, print_json};

pub(crate) fn main(args: &CheckArgs, output: Output) -> Result<ExitCode, Problem> {
    let Some(file) = &args.file else {
        print_json(&schemars::schema_for!(Definition))?;
        return Ok(ExitCode::SUCCESS);
    };
    let definition = load(file)?;
    match output {
        Output::Json => print_json(&json!({ "valid": true, "definition": definition }))?,
        Output::Text => print(&format!("{} is valid\n", file.display()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a definition file; the problem names file, line and column.
pub(crate) fn load(file: &Path) -> Result<Definition, Problem> {
    let bytes = std::fs::read(file).map_err(|error| {
        Problem::new(
            exit::USAGE,
            format!("cannot read {}: {error}", file.display()),
        )
    })?;
    let text = utf8(&bytes)
        .map_err(|error| Problem::new(exit::USAGE, format!("{}:{error}", file.display())))?;
    Definition::parse(text, &directory_of(file)?).map_err(|error| {
        let problem = Problem::new(exit::USAGE, format!("{}:{error}", file.display()));
        match error.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    })
}

/// The directory in which `file` is, as an absolute path.
pub(crate) fn directory_of(file: &Path) -> Result<PathBuf, Problem> {
    let file = std::path::absolute(file).map_err(|error| {
        Problem::new(
            exit::FAILED,
            format!("cannot tell the working directory: {error}"),
        )
    })?;
    Ok(file.parent().unwrap_or(&file).to_owned())
}
