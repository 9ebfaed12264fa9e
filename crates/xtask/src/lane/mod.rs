//! The test lanes: each proves the same library on another host.

mod cross;
mod fuzz;
mod lint;
mod linux;
mod loom;
mod pid1;
pub(crate) mod systemd;
mod unit;
mod windows;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::census;
use crate::error::Error;
use crate::interrupt;
use crate::need::{self, Need};
use crate::session::Session;
use crate::setup;
use crate::tally::Tally;

/// A kind of host or check that the workspace is tested on.
pub(crate) struct Lane {
    pub(crate) name: &'static str,
    /// What a pass proves.
    pub(crate) shows: &'static str,
    pub(crate) needs: &'static [Need],
    pub(crate) run: fn(&mut Session) -> Result<(), Error>,
}

/// Cheap lanes first, so that a plain mistake is seen early.
const LANES: [&Lane; 9] = [
    &lint::LANE,
    &unit::LANE,
    &loom::LANE,
    &linux::LANE,
    &pid1::LANE,
    &systemd::LANE,
    &fuzz::LANE,
    &windows::LANE,
    &cross::LANE,
];

impl Lane {
    pub(crate) fn missing(&self) -> Vec<&'static Need> {
        self.needs.iter().filter(|need| !need.is_met()).collect()
    }
}

/// The lanes called `names`, all when there are none.
pub(crate) fn named(names: &[String]) -> Result<Vec<&'static Lane>, Error> {
    if names.is_empty() {
        return Ok(LANES.to_vec());
    }
    names
        .iter()
        .map(|name| {
            LANES
                .into_iter()
                .find(|lane| lane.name == name)
                .ok_or_else(|| Error::NoSuchLane {
                    name: name.clone(),
                    known: LANES.map(|lane| lane.name).join(", "),
                })
        })
        .collect()
}

/// Prints the lanes and whether each can run here.
pub(crate) fn list() {
    for lane in LANES {
        println!("{:8} {}", lane.name, lane.shows);
        let missing = lane.missing();
        if missing.is_empty() {
            println!("{:8} can run here", "");
        } else {
            println!(
                "{:8} needs {}: cargo xtask setup {}",
                "",
                need::list(missing),
                lane.name
            );
        }
    }
}

/// How a lane ended.
struct Row {
    lane: &'static Lane,
    /// `None` for a lane that was skipped.
    tally: Option<Tally>,
    failures: Vec<String>,
    time: Duration,
}

/// Runs `lanes` one after the other and prints a summary, the counts on its last line.
pub(crate) fn test(lanes: &[&'static Lane]) -> Result<ExitCode, Error> {
    let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    let start = Instant::now();
    let mut rows = Vec::new();
    for lane in lanes {
        rows.push(run(lane, in_ci)?);
    }

    println!(
        "\n{:8} {:8} {:>7} {:>7} {:>8}",
        "lane", "result", "passed", "failed", "time"
    );
    let mut total = Tally::default();
    for row in &rows {
        let result = match row.tally {
            None => "skipped",
            Some(tally) if tally.failed > 0 => "FAILED",
            Some(_) => "ok",
        };
        let tally = row.tally.unwrap_or_default();
        total += tally;
        println!(
            "{:8} {:8} {:>7} {:>7} {:>8}",
            row.lane.name,
            result,
            tally.passed,
            tally.failed,
            minutes(row.time)
        );
    }
    println!("{:33} {:>8}\n", "total", minutes(start.elapsed()));
    for row in &rows {
        for failure in &row.failures {
            println!("{}: {failure}", row.lane.name);
        }
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn run(lane: &'static Lane, in_ci: bool) -> Result<Row, Error> {
    println!("\n=== {}: {}", lane.name, lane.shows);
    let start = Instant::now();
    let missing = lane.missing();
    if !missing.is_empty() && !in_ci {
        println!(
            "skipped: needs {}; to install: cargo xtask setup {}",
            need::list(missing),
            lane.name
        );
        return Ok(Row {
            lane,
            tally: None,
            failures: Vec::new(),
            time: start.elapsed(),
        });
    }

    let mut session = Session::default();
    let result = if in_ci {
        setup::lane(lane).and_then(|()| (lane.run)(&mut session))
    } else {
        (lane.run)(&mut session)
    };
    if interrupt::requested() {
        census::survivors().iter().for_each(census::Survivor::kill);
        return Err(Error::Interrupted);
    }
    if let Err(error) = result {
        session.fail(error.to_string());
    }
    session.take_census();
    let time = start.elapsed();
    println!("\n=== {}: {}", lane.name, minutes(time));
    Ok(Row {
        lane,
        tally: Some(session.tally),
        failures: session.failures,
        time,
    })
}

/// `4:07`.
fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
