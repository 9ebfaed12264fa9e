//! `winddown logs`.

use std::io::{self, Write, stderr, stdout};
use std::process::ExitCode;

use winddown_core::exit;
use winddown_run::control::{Answer, Logs, Request};

use crate::args::{LogsArgs, Output};
use crate::output::Problem;
use crate::verb::control::{connect, granted};

pub(crate) fn main(args: LogsArgs, output: Output) -> Result<ExitCode, Problem> {
    let mut client = connect(&args.control)?;
    client.ask(&Request::Logs(Logs {
        service: args.service,
        follow: args.follow,
        lines: args.lines,
    }))?;
    while let Some(answer) = client.answer(None)? {
        match show(&granted(answer)?, output) {
            Ok(true) => {}
            Ok(false) => break,
            // Whoever read has enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error) => {
                let what = format!("cannot write to standard output: {error}");
                return Err(Problem::new(exit::FAILED, what));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a line as the program did; whether more follows.
fn show(answer: &Answer, output: Output) -> io::Result<bool> {
    let mut out = stdout().lock();
    match (output, answer) {
        (_, last) if last.is_last() => return Ok(false),
        (Output::Json, answer) => {
            serde_json::to_writer(&mut out, answer)?;
            out.write_all(b"\n")?;
        }
        (Output::Text, Answer::Line { text, partial, .. }) => {
            let end = if *partial { "" } else { "\n" };
            out.write_all(text.as_bytes())?;
            out.write_all(end.as_bytes())?;
        }
        (Output::Text, Answer::Lost { lines, .. }) => {
            // It may be closed.
            let _ = writeln!(stderr(), "warning: {lines} lines are left out");
        }
        (Output::Text, _) => {}
    }
    out.flush()?;
    Ok(true)
}
