//! `winddown status`.

use std::process::ExitCode;
use std::time::Duration;

use winddown_core::{exit, format_duration};
use winddown_run::control::{Answer, Request, ServiceStatus};

use crate::args::{Output, StatusArgs};
use crate::output::{Problem, print, print_json};
use crate::verb::control::ask;

pub(crate) fn main(args: &StatusArgs, output: Output) -> Result<ExitCode, Problem> {
    let service = args.service.clone();
    let answer = ask(&args.control, &Request::Status { service }, output)?;
    let services: &[ServiceStatus] = match &answer {
        Answer::Status { services, .. } => services,
        _ => &[],
    };
    match (output, services) {
        (Output::Json, _) => print_json(&answer)?,
        (Output::Text, [only]) if args.service.is_some() => print(&in_full(only))?,
        (Output::Text, services) => print(&table(services))?,
    }
    let down = args.service.is_some() && !services.iter().any(|it| it.state.runs());
    let code = if down { exit::NOT_RUNNING } else { exit::OK };
    Ok(ExitCode::from(code.code))
}

/// A line for each service.
pub(crate) fn table(services: &[ServiceStatus]) -> String {
    let head = ["SERVICE", "STATE", "PID", "UP", "RESTARTS", "NOTE"].map(str::to_owned);
    let rows = services.iter().map(|service| {
        let pid = service
            .pid
            .map_or_else(|| "-".to_owned(), |pid| pid.to_string());
        [
            service.service.clone(),
            service.state.name().to_owned(),
            pid,
            up(service).unwrap_or_else(|| "-".to_owned()),
            service.restarts.to_string(),
            note(service),
        ]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let widths: Vec<usize> = (0..5)
        .map(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line += &format!("{cell:width$}  ");
        }
        line += &row[5];
        text += line.trim_end();
        text += "\n";
    }
    text
}

/// What is worth knowing first.
fn note(service: &ServiceStatus) -> String {
    if let Some(awaits) = &service.awaits {
        return format!("awaits {awaits}");
    }
    if let Some(says) = &service.says {
        return says.clone();
    }
    if let Some(ready_by) = &service.ready_by {
        return ready_by.clone();
    }
    match (&service.problem, last_stop(service)) {
        (Some(problem), _) => problem.clone(),
        (None, Some(last)) => last,
        (None, None) => String::new(),
    }
}

fn in_full(service: &ServiceStatus) -> String {
    let mut text = format!("{}: {}\n", service.service, service.state.name());
    let restarts = (service.restarts > 0).then(|| service.restarts.to_string());
    let lines = [
        ("awaits", service.awaits.clone()),
        ("pid", service.pid.map(|pid| pid.to_string())),
        ("up", up(service)),
        ("says", service.says.clone()),
        ("ready", service.ready_by.clone()),
        ("restarts", restarts),
        ("last stop", last_stop(service)),
        ("problem", service.problem.clone()),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            text += &format!("  {name:10} {value}\n");
        }
    }
    text
}

/// For how long its program has run, to the second once it is longer than that.
fn up(service: &ServiceStatus) -> Option<String> {
    let up = Duration::try_from_secs_f64(service.seconds?).ok()?;
    let up = match up.as_secs() {
        0 => Duration::from_millis(up.as_millis() as u64),
        whole => Duration::from_secs(whole),
    };
    Some(format_duration(up).to_string())
}

fn last_stop(service: &ServiceStatus) -> Option<String> {
    let last = service.last_stop.as_ref()?;
    let by = match &last.asked_by {
        Some(asked_by) => format!("asked by {asked_by}"),
        None => "ended by itself".to_owned(),
    };
    let at = last.at.strftime("%F %TZ");
    let mut text = format!("{} at {at}, {by}", last.verdict);
    if let Some(exit) = &last.exit {
        text += &format!(": {exit}");
    }
    Some(text)
}
