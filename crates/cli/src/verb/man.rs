//! `winddown man`.

use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use winddown_core::exit;

use crate::args::{Cli, ManArgs};
use crate::output::{Problem, print};

pub(crate) fn main(args: &ManArgs) -> Result<ExitCode, Problem> {
    let mut command = Cli::command();
    command.build();
    if let Some(directory) = &args.directory {
        let names = verbs(&command).map(Command::get_name);
        for verb in std::iter::once(None).chain(names.map(Some)) {
            let (name, page) = page(&command, verb)?;
            let file = directory.join(format!("{name}.1"));
            std::fs::write(&file, page).map_err(|error| {
                Problem::new(
                    exit::FAILED,
                    format!("cannot write {}: {error}", file.display()),
                )
            })?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (_, page) = page(&command, args.verb.as_deref())?;
    print(&String::from_utf8_lossy(&page))?;
    Ok(ExitCode::SUCCESS)
}

/// The verbs that have a page of their own.
fn verbs(command: &Command) -> impl Iterator<Item = &Command> {
    let verbs = command.get_subcommands();
    verbs.filter(|verb| verb.get_name() != "help")
}

/// The name and the text of the page of `verb`, or of winddown itself.
fn page(command: &Command, verb: Option<&str>) -> Result<(String, Vec<u8>), Problem> {
    let command = match verb {
        None => command.clone(),
        Some(verb) => match verbs(command).find(|found| found.get_name() == verb) {
            Some(found) => {
                let name = format!("winddown-{verb}");
                found
                    .clone()
                    .display_name(name.clone())
                    .bin_name(format!("winddown {verb}"))
                    .name(name)
            }
            None => {
                return Err(
                    Problem::new(exit::USAGE, format!("winddown has no verb `{verb}`"))
                        .hint("`winddown --help` lists the verbs"),
                );
            }
        },
    };
    let name = command.get_name().to_owned();
    let mut page = Vec::new();
    let written = Man::new(command).render(&mut page);
    written.map_err(|error| Problem::new(exit::OWN_FAILURE, error.to_string()))?;
    Ok((name, page))
}
