//! `winddown man`.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_mangen::Man;
use winddown_core::exit;

use crate::args::{Cli, ManArgs};
use crate::output::{Problem, print};

pub(crate) fn main(args: &ManArgs) -> Result<ExitCode, Problem> {
    let mut command = Cli::command();
    command.build();
    if let Some(directory) = &args.directory {
        clap_mangen::generate_to(command, directory).map_err(|error| {
            Problem::new(
                exit::FAILED,
                format!("cannot write to {}: {error}", directory.display()),
            )
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let command = match &args.verb {
        None => command,
        Some(verb) => match command.find_subcommand(verb) {
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
    let mut page = Vec::new();
    let written = Man::new(command).render(&mut page);
    written.map_err(|error| Problem::new(exit::OWN_FAILURE, error.to_string()))?;
    print(&String::from_utf8_lossy(&page))?;
    Ok(ExitCode::SUCCESS)
}
