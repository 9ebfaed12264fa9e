//! `docs/cli.md`.

use clap::{Command, CommandFactory};
use winddown_core::exit::EXIT_CODES;

use super::made_from;
use crate::args::Cli;

pub(super) fn page() -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut text = made_from("`crates/cli/src/args.rs` and `crates/core/src/exit.rs`")
        + "# The command\n\n\
           Durations are written `500ms`, `30s`, `2m`; signals `TERM` or `SIGTERM`. Errors go to standard error as `error: ...`, \
           with `hint: ...` lines where there is a way out. With `--output json` a result is one JSON document on standard \
           output; its schemas are in [schema](schema).\n\n";
    text += &help("winddown", command.clone());
    for verb in command.get_subcommands() {
        if verb.get_name() != "help" {
            let verb = verb.clone().term_width(100);
            text += &help(&format!("winddown {}", verb.get_name()), verb);
        }
    }
    text + &exit_codes()
}

fn help(title: &str, mut command: Command) -> String {
    let help = command.render_long_help().to_string();
    let lines: Vec<_> = help.trim_end().lines().map(str::trim_end).collect();
    format!("## {title}\n\n```text\n{}\n```\n\n", lines.join("\n"))
}

fn exit_codes() -> String {
    let mut text = "## Exit codes\n\n\
                    `winddown run` ends as its program did: with its code, or by its signal, which shells show as 128 + n. Codes \
                    of winddown's own are (WD-72):\n\n| code | meaning |\n|---|---|\n"
        .to_owned();
    for code in EXIT_CODES {
        text += &format!("| {} | {} |\n", code.code, code.meaning);
    }
    text
}
