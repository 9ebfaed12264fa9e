//! `winddown history`.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use winddown_core::report::{Proof, StopReport};
use winddown_core::{exit, format_duration};
use winddown_run::history::{Found, History, Kept};
use winddown_sys::record::{self, Level};

use crate::args::{HistoryArgs, Output, StateArgs};
use crate::output::{Problem, print, print_json, tell};

const VARIABLE: &str = "WINDDOWN_STATE_DIRECTORY";

pub(crate) fn main(args: &HistoryArgs, output: Output) -> Result<ExitCode, Problem> {
    let elsewhere = format!("give --state-directory, or set {VARIABLE}");
    let history = history(&args.state)
        .ok_or_else(|| Problem::new(exit::USAGE, "there is no state directory").hint(&elsewhere))?;
    let service = args.name.as_deref();
    let found = match &args.id {
        Some(id) => history.find(service, id),
        None => history.newest(service, args.last as usize),
    };
    let found = found.map_err(|error| Problem::from(error).hint(&elsewhere))?;
    for skipped in &found.skipped {
        let file = skipped.file.display();
        eprintln!("warning: skipped {file}: {}", skipped.why);
    }
    if let Some(missing) = missing(args, &found) {
        let directory = history.directory().display();
        return Err(Problem::new(exit::NO_SERVICE, missing)
            .hint(format!("reports are looked for in {directory}")));
    }
    match output {
        Output::Json => print_json(&found)?,
        Output::Text if args.full || args.id.is_some() => print(&in_full(&found.reports))?,
        Output::Text => print(&table(&found.reports))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The history in the directory that was given, else in the one that the environment or the system names; `None` where there is
/// none, or where the variable is empty.
pub(crate) fn history(args: &StateArgs) -> Option<History> {
    let chosen = args.state_directory.clone();
    let directory = match chosen.or_else(|| env::var_os(VARIABLE).map(PathBuf::from)) {
        Some(chosen) => Some(chosen).filter(|path| !path.as_os_str().is_empty()),
        None => winddown_sys::storage::state_directory(),
    };
    Some(History::new(&directory?))
}

/// What was asked for by name and is not there.
fn missing(args: &HistoryArgs, found: &Found) -> Option<String> {
    if !found.reports.is_empty() {
        return None;
    }
    match (&args.id, &args.name) {
        (Some(id), _) => Some(format!("no report {id} is kept")),
        (None, Some(name)) => Some(format!("no stop of {name} is kept")),
        (None, None) => None,
    }
}

impl From<&Kept> for Row {
    fn from(Kept { id, report }: &Kept) -> Self {
        let survivors = match report.proof {
            Proof::Unproven(_) => format!("{} (not proven)", report.survivors),
            _ => report.survivors.to_string(),
        };
        Row([
            report.at.strftime("%F %TZ").to_string(),
            report.service.clone(),
            report.verdict.to_string(),
            report.asked_by.to_string(),
            took(report),
            survivors,
            id.clone(),
        ])
    }
}

fn took(report: &StopReport) -> String {
    let duration = |seconds| {
        let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        format_duration(duration).to_string()
    };
    let (took, deadline) = (duration(report.seconds), duration(report.deadline));
    format!("{took} of {deadline}")
}

/// One line of the table.
struct Row([String; 7]);

const HEAD: [&str; 7] = [
    "TIME",
    "SERVICE",
    "VERDICT",
    "ASKED BY",
    "TOOK",
    "SURVIVORS",
    "ID",
];

fn table(reports: &[Kept]) -> String {
    if reports.is_empty() {
        return "no stop is kept\n".to_owned();
    }
    let mut rows = vec![Row(HEAD.map(str::to_owned))];
    rows.extend(reports.iter().map(Row::from));
    // A name is what some process calls itself: it does not write to the terminal.
    for cell in rows.iter_mut().flat_map(|row| &mut row.0) {
        *cell = cell.replace(char::is_control, "\u{fffd}");
    }
    let widths: [usize; 7] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|row| row.0[column].chars().count());
        cells.max().unwrap_or(0)
    });
    let mut text = String::new();
    for Row(cells) in &rows {
        let padded = cells.iter().zip(widths);
        let line: Vec<_> = padded
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text += line.join("  ").trim_end();
        text += "\n";
    }
    text
}

fn in_full(reports: &[Kept]) -> String {
    let reports = reports.iter().map(|Kept { id, report }| {
        let at = report.at.strftime("%F %TZ");
        format!("{report}\n  at         {at}\n  id         {id}\n")
    });
    reports.collect::<Vec<_>>().join("\n")
}

/// The problem with the history as one line, for a stop that goes on without it.
pub(crate) fn warn(error: &winddown_run::Error) {
    let what = format!("warning: {error}; set {VARIABLE} to another directory, or to nothing");
    tell("winddown", Level::Warning, record::OTHER, &what);
}
